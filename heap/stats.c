/* SPDX-License-Identifier: MIT */
/* stats.c - from what a program asked for to what is in RAM.
 *
 * Model.
 *   usable   = asked + rounding
 *   spans    = usable + unused
 *   held     = spans + free + returned + records
 *   held     = resident + absent
 * Runs tell all but one of these: how much of a slot was asked for is not kept with it,
 * which would cost every malloc and every block.  Each cache adds up what those requests
 * asked for that its bins could not serve, about one in fifteen; their mean, class by
 * class, stands for all.
 */
#include "heap/stats.h"

#include "heap/hard.h"
#include "heap/walk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sums {
	struct qr_heap_sizes sizes;
	uint64_t asked_bytes[QR_NR_CLASSES], nr_asked[QR_NR_CLASSES];
};

static void add_cache(struct sums *sums, const struct qr_cache *cache)
{
	struct qr_heap_sizes *sizes = &sums->sizes;

	for (const struct qr_span *span = cache->all; span != NULL;
	     span = span->all_next) {
		size_t used = (size_t)span->used;

		sizes->used[span->cls] += used;
		sizes->unused[span->cls] += span->nr_slots - used;
	}
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		size_t cached =
			qr_bin_count(&cache->bin[cls]) + qr_hard_resting(cache, cls);

		if (cached > sizes->used[cls])
			cached = sizes->used[cls];
		sizes->used[cls] -= cached;
		sizes->unused[cls] += cached;
		sizes->cached[cls] += cached;
		sums->asked_bytes[cls] += cache->asked_bytes[cls];
		sums->nr_asked[cls] += cache->nr_asked[cls];
	}
}

/* Of bytes in slots of a class. */
static uint64_t asked_of(const struct sums *sums, unsigned cls)
{
	uint64_t used = sums->sizes.used[cls];

	if (sums->nr_asked[cls] == 0)
		return used * qr_class_bytes(cls);
	return used * sums->asked_bytes[cls] / sums->nr_asked[cls];
}

static void add_slots(struct quire_heap_stats *stats, const struct sums *sums)
{
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		uint64_t used = sums->sizes.used[cls];

		stats->nr_blocks += used;
		stats->asked_bytes += asked_of(sums, cls);
		stats->usable_bytes += used * qr_class_bytes(cls);
	}
}

static void add_large(struct quire_heap_stats *stats, const struct qr_span *span)
{
	stats->nr_blocks++;
	stats->asked_bytes += span->asked;
	stats->usable_bytes += span->limit;
	if (span->kind == QR_SPAN_HUGE) {
		stats->nr_huge++;
		stats->huge_bytes += span->limit;
	}
}

static void add_run(struct quire_heap_stats *stats, struct sums *sums,
		    const struct qr_span *span)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);
	size_t bytes = span->nr_pages * QR_PAGE_BYTES;

	/* The guard before it. */
	if (span->hard && span->kind == QR_SPAN_SLOTS)
		bytes += QR_PAGE_BYTES;
	stats->resident_bytes +=
		pages->resident(pages->ctx, (const void *)span->start, bytes);
	if (span->kind != QR_SPAN_FREE) {
		stats->span_bytes += bytes;
		if (!span->kept &&
		    (span->kind == QR_SPAN_LARGE || span->kind == QR_SPAN_HUGE))
			add_large(stats, span);
		return;
	}
	sums->sizes.nr_free++;
	sums->sizes.free_bytes += bytes;
	if (span->dirty)
		stats->free_bytes += bytes;
	else
		stats->returned_bytes += bytes;
}

bool qr_proc_read(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, room - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* 0 where it cannot be read. */
static uint64_t process_bytes(void)
{
	char text[512];
	const char *line;

	if (!qr_proc_read("/proc/self/smaps_rollup", text, sizeof(text)))
		return 0;
	line = strstr(text, "\nRss:");
	return line != NULL ? strtoul(line + strlen("\nRss:"), NULL, 10) * 1024 : 0;
}

static void finish(struct quire_heap_stats *stats)
{
	/* Threads that ran meanwhile: a part is never larger than its sum. */
	if (stats->usable_bytes > stats->span_bytes)
		stats->usable_bytes = stats->span_bytes;
	if (stats->asked_bytes > stats->usable_bytes)
		stats->asked_bytes = stats->usable_bytes;
	stats->rounding_bytes = stats->usable_bytes - stats->asked_bytes;
	stats->unused_bytes = stats->span_bytes - stats->usable_bytes;
	stats->resident_bytes += stats->record_bytes;
	stats->held_bytes = stats->span_bytes + stats->free_bytes +
			    stats->returned_bytes + stats->record_bytes;
	stats->absent_bytes = stats->held_bytes - stats->resident_bytes;
	stats->process_bytes = process_bytes();
}

void qr_heap_stats(struct quire_heap_stats *stats, struct qr_heap_sizes *sizes)
{
	struct sums sums = {.sizes.nr_free = 0};
	const struct qr_span *span;
	uintptr_t at = 0;

	*stats = (struct quire_heap_stats){.nr_blocks = 0};
	qr_heap_lock();
	for (const struct qr_cache *c = qr_cache_first(); c != NULL; c = c->linked)
		add_cache(&sums, c);
	add_cache(&sums, &qr_cache_late);
	add_slots(stats, &sums);
	while ((span = qr_walk_run(&at)) != NULL)
		add_run(stats, &sums, span);
	stats->record_bytes = qr_record_held();
	qr_heap_unlock();
	finish(stats);
	if (sizes != NULL)
		*sizes = sums.sizes;
}

void quire_heap_stats(struct quire_heap_stats *stats)
{
	qr_heap_stats(stats, NULL);
}
