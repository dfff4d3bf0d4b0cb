/* SPDX-License-Identifier: MIT */
/* large.c - blocks above QR_SMALL_MAX: a run of pages each, or a mapping of its own.
 *
 * A large block grows in place where free pages follow it.  A huge one grows by the
 * source moving its pages, which costs no copy.
 */
#include "heap/detour.h"
#include "heap/hard.h"
#include "heap/map.h"
#include "heap/profile.h"

#include <errno.h>
#include <string.h>

/* As the highest mmap threshold of mallopt(3): above, the gain of keeping pages is
 * small beside the cost of their first use. */
#define HUGE_BYTES ((size_t)32 << 20)

static size_t pages_of(size_t bytes)
{
	return (bytes + QR_PAGE_BYTES - 1) >> QR_PAGE_SHIFT;
}

static void describe(struct qr_span *span, unsigned kind, size_t nr_pages)
{
	span->kind = (uint8_t)kind;
	span->nr_pages = (uint32_t)nr_pages;
	span->limit = nr_pages * QR_PAGE_BYTES;
	span->slot_bytes = 0;
	span->recip = 0;
	span->nr_slots = 1;
	span->nr_groups = 0;
	span->used = 1;
	span->fresh = false;
	span->kept = false;
	qr_map_set(span->start, span);
	qr_map_set(span->start + span->limit - QR_PAGE_BYTES, span);
}

static bool take_large(struct qr_span *span, size_t nr_pages, size_t align)
{
	struct qr_run run;

	if (!qr_runs_take(nr_pages, align, &run))
		return false;
	span->start = run.start;
	span->source = (uint8_t)run.source;
	describe(span, QR_SPAN_LARGE, nr_pages);
	span->fresh = run.zero;
	qr_runs_count.large_blocks++;
	return true;
}

static bool take_huge(struct qr_span *span, size_t nr_pages, size_t align)
{
	unsigned source = qr_source_current();
	const struct qr_heap_pages *pages = qr_source_at(source);
	void *block = pages->map(pages->ctx, nr_pages * QR_PAGE_BYTES, align);

	if (block == NULL)
		return false;
	if (!qr_map_cover((uintptr_t)block, nr_pages * QR_PAGE_BYTES)) {
		pages->unmap(pages->ctx, block, nr_pages * QR_PAGE_BYTES);
		return false;
	}
	span->start = (uintptr_t)block;
	span->source = (uint8_t)source;
	describe(span, QR_SPAN_HUGE, nr_pages);
	span->fresh = true;
	qr_runs_count.huge += nr_pages;
	qr_runs_count.huge_blocks++;
	return true;
}

static struct qr_span *new_locked(size_t nr_pages, size_t align, bool mapped)
{
	struct qr_span *span = qr_record_new(1);
	bool taken;

	if (span == NULL)
		return NULL;
	if (mapped)
		taken = take_huge(span, nr_pages, align);
	else
		taken = take_large(span, nr_pages, align);
	if (!taken)
		qr_record_free(span);
	return taken ? span : NULL;
}

/* Takes entry i out of what the cache keeps. */
static struct qr_span *unkeep(struct qr_cache *cache, uint32_t i)
{
	struct qr_span *span = cache->kept[i];

	span->kept = false;
	cache->nr_kept--;
	cache->kept_pages -= span->nr_pages;
	for (; i < cache->nr_kept; i++)
		cache->kept[i] = cache->kept[i + 1];
	return span;
}

/* The latest kept block of so many pages. */
static struct qr_span *take_kept(struct qr_cache *cache, size_t least, size_t most)
{
	for (uint32_t i = cache->nr_kept; i-- > 0;) {
		struct qr_span *span = cache->kept[i];

		if (span->nr_pages >= least && span->nr_pages <= most)
			return unkeep(cache, i);
	}
	return NULL;
}

static struct qr_span *taken(struct qr_span *span, size_t bytes)
{
	span->asked = bytes;
	span->marked = false;
	span->hard = false;
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_large(span, bytes);
	return span;
}

struct qr_span *qr_large_take(size_t bytes)
{
	struct qr_span *span = NULL;

	if (bytes <= PTRDIFF_MAX && pages_of(bytes) < UINT32_MAX) {
		qr_heap_lock();
		span = new_locked(pages_of(bytes), QR_PAGE_BYTES, bytes > HUGE_BYTES);
		qr_heap_unlock();
	}
	return span;
}

struct qr_span *qr_large_kept(size_t bytes, size_t least, size_t most)
{
	struct qr_cache *cache = qr_cache_mine();
	struct qr_span *span = NULL;

	if (cache != NULL)
		span = take_kept(cache, pages_of(least), pages_of(most));
	return span != NULL ? taken(span, bytes) : NULL;
}

struct qr_span *qr_large_new(size_t bytes, size_t align, bool mapped)
{
	size_t nr_pages = pages_of(bytes != 0 ? bytes : 1);
	struct qr_cache *cache = qr_cache_mine();
	struct qr_span *span = NULL;

	if (QR_UNLIKELY(cache == NULL))
		cache = qr_cache_acquire();

	if (bytes <= PTRDIFF_MAX && align <= PTRDIFF_MAX / 2 && nr_pages < UINT32_MAX) {
		if (align <= QR_PAGE_BYTES && !mapped && cache != NULL)
			span = take_kept(cache, nr_pages, nr_pages + nr_pages / 8);
		if (span != NULL)
			return taken(span, bytes);
		if (align < QR_PAGE_BYTES)
			align = QR_PAGE_BYTES;
		qr_heap_lock();
		span = new_locked(nr_pages, align, mapped || bytes > HUGE_BYTES);
		qr_heap_unlock();
	}
	if (span == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	return taken(span, bytes);
}

void *qr_large_zeroed(const struct qr_span *span, size_t bytes)
{
	void *block;

	if (span == NULL)
		return NULL;
	block = (void *)span->start;
	return span->fresh ? block : memset(block, 0, bytes);
}

static void free_huge(struct qr_span *span)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);

	qr_runs_count.huge -= span->nr_pages;
	qr_runs_count.huge_blocks--;
	qr_map_set(span->start, NULL);
	qr_map_set(span->start + span->limit - QR_PAGE_BYTES, NULL);
	pages->unmap(pages->ctx, (void *)span->start, span->limit);
	qr_record_free(span);
}

static void disown(struct qr_cache *cache, struct qr_span *span)
{
	if (span->all_next != NULL)
		span->all_next->all_prev = span->all_prev;
	if (span->all_prev != NULL)
		span->all_prev->all_next = span->all_next;
	else
		cache->large = span->all_next;
	atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
}

static void release(struct qr_span *span, bool zero)
{
	struct qr_cache *owner = atomic_load_explicit(&span->owner, memory_order_relaxed);

	if (owner != NULL)
		disown(owner, span);
	if (span->kind == QR_SPAN_HUGE) {
		free_huge(span);
		return;
	}
	qr_runs_count.large_blocks--;
	qr_runs_give(span, zero);
}

void qr_large_release(struct qr_span *span, bool zero)
{
	qr_heap_lock();
	release(span, zero);
	qr_heap_unlock();
}

static void free_span(struct qr_span *span)
{
	qr_large_release(span, false);
}

/* The oldest ones make room. */
static void keep(struct qr_cache *cache, struct qr_span *span)
{
	while (cache->nr_kept == QR_KEPT_BLOCKS ||
	       cache->kept_pages + span->nr_pages > QR_KEPT_PAGES)
		free_span(unkeep(cache, 0));
	span->kept = true;
	span->fresh = false;
	cache->kept[cache->nr_kept++] = span;
	cache->kept_pages += span->nr_pages;
}

void qr_large_free(struct qr_span *span, const void *block)
{
	struct qr_cache *cache = qr_cache_mine();

	if ((uintptr_t)block != qr_large_block(span))
		qr_report_bad_free(block, span);
	if (span->kept)
		qr_report_double_free(block, span);
	if (QR_UNLIKELY(span->marked)) {
		span->marked = false;
		qr_profile_forget(block);
	}
	if (QR_UNLIKELY(span->hard))
		qr_hard_free_large(span);
	else if (span->kind == QR_SPAN_LARGE && span->nr_pages <= QR_KEPT_PAGES &&
		 cache != NULL &&
		 atomic_load_explicit(&span->owner, memory_order_relaxed) == NULL)
		keep(cache, span);
	else
		free_span(span);
}

void qr_large_own(struct qr_cache *cache, struct qr_span *span)
{
	qr_heap_lock();
	atomic_store_explicit(&span->owner, cache, memory_order_relaxed);
	span->all_prev = NULL;
	span->all_next = cache->large;
	if (cache->large != NULL)
		cache->large->all_prev = span;
	cache->large = span;
	qr_heap_unlock();
}

void qr_large_free_owned(struct qr_cache *cache)
{
	qr_heap_lock();
	while (cache->large != NULL) {
		if (cache->large->marked)
			qr_profile_forget((const void *)cache->large->start);
		release(cache->large, false);
	}
	qr_heap_unlock();
}

void qr_large_flush(struct qr_cache *cache)
{
	while (cache->nr_kept != 0)
		free_span(unkeep(cache, 0));
}

/* The record follows the pages. */
static void *move_huge(struct qr_span *span, size_t nr_pages)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);
	uintptr_t old = span->start;
	size_t old_bytes = span->limit;
	void *block;

	if (!qr_map_prepare(nr_pages * QR_PAGE_BYTES))
		return NULL;
	block = pages->remap(pages->ctx, (void *)old, old_bytes,
			     nr_pages * QR_PAGE_BYTES);
	if (block == NULL)
		return NULL;
	(void)qr_map_cover((uintptr_t)block, nr_pages * QR_PAGE_BYTES);
	qr_map_set(old, NULL);
	qr_map_set(old + old_bytes - QR_PAGE_BYTES, NULL);
	qr_runs_count.huge += nr_pages - span->nr_pages;
	span->start = (uintptr_t)block;
	describe(span, QR_SPAN_HUGE, nr_pages);
	return block;
}

static void *resize_huge(struct qr_span *span, size_t bytes)
{
	size_t nr_pages = pages_of(bytes);

	if (nr_pages == span->nr_pages)
		return (void *)span->start;
	if (bytes < QR_REMAP_MIN)
		return NULL;
	return move_huge(span, nr_pages);
}

static void *resize_large(struct qr_span *span, size_t bytes)
{
	size_t nr_pages = pages_of(bytes);
	bool done = true;

	if (bytes > HUGE_BYTES)
		return NULL;
	if (nr_pages < span->nr_pages)
		qr_runs_shrink(span, nr_pages);
	else if (nr_pages > span->nr_pages)
		done = qr_runs_grow(span, nr_pages);
	span->limit = span->nr_pages * QR_PAGE_BYTES;
	return done ? (void *)span->start : NULL;
}

void *qr_large_resize(struct qr_span *span, size_t bytes)
{
	void *block;

	if (bytes > PTRDIFF_MAX || pages_of(bytes) >= UINT32_MAX)
		return NULL;
	qr_heap_lock();
	if (span->kind == QR_SPAN_HUGE)
		block = resize_huge(span, bytes);
	else
		block = resize_large(span, bytes);
	qr_heap_unlock();
	return block;
}
