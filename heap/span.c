/* SPDX-License-Identifier: MIT */
/* span.c - spans of slots: made, filled, emptied, released.
 *
 * Model.  Current: its cache's bin takes groups from it.  Partial: on the list of its
 * class, latest first, so that nearly full spans fill up before nearly empty ones,
 * which thus get the chance to empty.  Full: on no list.
 * watch turns the frees that matter into events: any free of a full span, the last one
 * of a partial span, none of a current one.
 */
#include "heap/map.h"

/* Room for a group of the larger classes, and a whole number of pages with little waste
 * for the smaller ones.  Slots that are never used cost only addresses. */
#define SPAN_BYTES     ((size_t)64 << 10)
#define SPAN_BYTES_MAX ((size_t)256 << 10)
#define SMALL_SLOT_MAX 1024u
#define WATCH_NOTHING  (-1)
#define WATCH_ANY      INT32_MAX
#define WATCH_THE_LAST 0

static size_t span_bytes(uint32_t slot_bytes)
{
	size_t bytes = (size_t)slot_bytes * QR_GROUP_SLOTS;

	if (slot_bytes <= SMALL_SLOT_MAX)
		return SPAN_BYTES;
	return bytes < SPAN_BYTES_MAX ? bytes : SPAN_BYTES_MAX;
}

static void enlist(struct qr_cache *cache, struct qr_span *span)
{
	struct qr_span **head = &cache->partial[span->class];

	span->state = QR_SPAN_PARTIAL;
	span->watch = WATCH_THE_LAST;
	span->prev = NULL;
	span->next = *head;
	if (*head != NULL)
		(*head)->prev = span;
	*head = span;
}

static void unlist(struct qr_cache *cache, struct qr_span *span)
{
	if (span->next != NULL)
		span->next->prev = span->prev;
	if (span->prev != NULL)
		span->prev->next = span->next;
	else
		cache->partial[span->class] = span->next;
}

static void link_all(struct qr_cache *cache, struct qr_span *span)
{
	span->all_prev = NULL;
	span->all_next = cache->all;
	if (cache->all != NULL)
		cache->all->all_prev = span;
	cache->all = span;
}

static void unlink_all(struct qr_cache *cache, struct qr_span *span)
{
	if (span->all_next != NULL)
		span->all_next->all_prev = span->all_prev;
	if (span->all_prev != NULL)
		span->all_prev->all_next = span->all_next;
	else
		cache->all = span->all_next;
}

static void fill_groups(struct qr_span *span)
{
	uint32_t left = span->nr_slots;

	for (unsigned i = 0; i < span->nr_groups; i++, left -= QR_GROUP_SLOTS) {
		atomic_init(&span->group[i].free, left >= QR_GROUP_SLOTS
							  ? ~(uint64_t)0
							  : ((uint64_t)1 << left) - 1);
		atomic_init(&span->group[i].remote, 0);
	}
	span->groups = ~(uint64_t)0 >> (QR_GROUPS_MAX - span->nr_groups);
}

static void describe(struct qr_span *span, unsigned class, const struct qr_run *run,
		     size_t nr_pages)
{
	uint32_t slot_bytes = qr_class_bytes(class);

	span->start = run->start;
	span->source = (uint8_t)run->source;
	span->nr_pages = (uint32_t)nr_pages;
	span->slot_bytes = slot_bytes;
	span->nr_slots = (uint32_t)(nr_pages * QR_PAGE_BYTES / slot_bytes);
	span->nr_groups =
		(uint16_t)((span->nr_slots + QR_GROUP_SLOTS - 1) / QR_GROUP_SLOTS);
	span->limit = (size_t)span->nr_slots * slot_bytes;
	span->recip = (((uint64_t)1 << QR_RECIP_SHIFT) + slot_bytes - 1) / slot_bytes;
	span->class = (uint8_t) class;
	span->kind = QR_SPAN_SLOTS;
	span->used = 0;
	span->inbox_next = NULL;
	atomic_init(&span->announced, 0);
	fill_groups(span);
}

static struct qr_span *create_locked(unsigned class)
{
	size_t nr_pages = span_bytes(qr_class_bytes(class)) / QR_PAGE_BYTES;
	size_t slots = nr_pages * QR_PAGE_BYTES / qr_class_bytes(class);
	struct qr_span *span =
		qr_record_new((unsigned)((slots + QR_GROUP_SLOTS - 1) / QR_GROUP_SLOTS));
	struct qr_run run;

	if (span == NULL)
		return NULL;
	if (!qr_runs_take(nr_pages, QR_PAGE_BYTES, &run)) {
		qr_record_free(span);
		return NULL;
	}
	describe(span, class, &run, nr_pages);
	qr_map_set_pages(span->start, nr_pages, span);
	return span;
}

struct qr_span *qr_span_create(struct qr_cache *cache, unsigned class)
{
	struct qr_span *span;

	qr_heap_lock();
	span = create_locked(class);
	if (span != NULL) {
		atomic_store_explicit(&span->owner, cache, memory_order_relaxed);
		link_all(cache, span);
		enlist(cache, span);
	}
	qr_heap_unlock();
	return span;
}

static void release(struct qr_cache *cache, struct qr_span *span)
{
	unlist(cache, span);
	qr_heap_lock();
	unlink_all(cache, span);
	qr_runs_give(span, false);
	qr_heap_unlock();
}

/* An empty span is kept where the next request of its class would make a new one. */
static bool spare(const struct qr_cache *cache, const struct qr_span *span)
{
	const struct qr_bin *bin = &cache->bin[span->class];

	return bin->mask == 0 && (bin->span == NULL || bin->span->groups == 0) &&
	       cache->partial[span->class] == span && span->next == NULL;
}

void qr_span_event(struct qr_cache *cache, struct qr_span *span)
{
	if (span->groups == 0)
		return;
	if (span->state == QR_SPAN_FULL)
		enlist(cache, span);
	if (span->used != 0)
		return;
	if (spare(cache, span))
		span->watch = WATCH_NOTHING;
	else
		release(cache, span);
}

void qr_span_settle(struct qr_cache *cache, struct qr_span *span)
{
	if (span->groups == 0) {
		span->state = QR_SPAN_FULL;
		span->watch = WATCH_ANY;
		return;
	}
	enlist(cache, span);
	if (span->used == 0)
		release(cache, span);
}

void qr_span_release_empty(struct qr_cache *cache, unsigned class)
{
	struct qr_span *next;

	for (struct qr_span *span = cache->partial[class]; span != NULL; span = next) {
		next = span->next;
		if (span->used == 0)
			release(cache, span);
	}
}

struct qr_span *qr_span_choose(struct qr_cache *cache, unsigned class)
{
	struct qr_span *span = cache->partial[class];

	if (span == NULL)
		return NULL;
	unlist(cache, span);
	span->state = QR_SPAN_CURRENT;
	span->watch = WATCH_NOTHING;
	return span;
}

/* Puts bits where the next request of the class finds them; the ones already there. */
static uint64_t put_bits(struct qr_cache *cache, struct qr_span *span, unsigned i,
			 uint64_t bits)
{
	struct qr_bin *bin = &cache->bin[span->class];
	struct qr_group *group = &span->group[i];
	uint64_t free;

	if (bin->span == span && bin->group == i) {
		free = bin->mask;
		bin->mask = free | bits;
		return free & bits;
	}
	free = atomic_load_explicit(&group->free, memory_order_relaxed);
	atomic_store_explicit(&group->free, free | bits, memory_order_relaxed);
	span->groups |= (uint64_t)1 << i;
	span->used -= qr_count_bits(bits);
	return free & bits;
}

/* Takes the remote bits of one group; their number. */
static uint32_t gather_group(struct qr_cache *cache, struct qr_span *span, unsigned i)
{
	struct qr_group *group = &span->group[i];
	uint64_t bits, twice;

	if (atomic_load_explicit(&group->remote, memory_order_relaxed) == 0)
		return 0;
	bits = atomic_exchange_explicit(&group->remote, 0, memory_order_acquire);
	twice = put_bits(cache, span, i, bits);
	if (twice != 0) {
		uint64_t slot = i * QR_GROUP_SLOTS + (uint64_t)__builtin_ctzl(twice);

		qr_report_double_free((void *)(span->start + slot * span->slot_bytes),
				      span);
	}
	return (uint32_t)qr_count_bits(bits);
}

void qr_span_gather(struct qr_cache *cache, struct qr_span *span)
{
	uint32_t nr = 0;
	uint32_t announced;

	for (unsigned i = 0; i < span->nr_groups; i++)
		nr += gather_group(cache, span, i);
	announced = atomic_fetch_sub_explicit(&span->announced, nr, memory_order_acq_rel);
	if (announced != nr)
		qr_span_post(span);
	if (span->used <= span->watch)
		qr_span_event(cache, span);
}

void qr_span_post(struct qr_span *span)
{
	struct qr_cache *owner = atomic_load_explicit(&span->owner, memory_order_relaxed);
	struct qr_span *head = atomic_load_explicit(&owner->inbox, memory_order_relaxed);

	do {
		span->inbox_next = head;
	} while (!atomic_compare_exchange_weak_explicit(
		&owner->inbox, &head, span, memory_order_release, memory_order_relaxed));
}
