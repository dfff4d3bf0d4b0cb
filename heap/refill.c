/* SPDX-License-Identifier: MIT */
/* refill.c - where a bin that is empty gets the next slots.
 *
 * In this order: the lowest group of its span with an available slot; the latest
 * partial span; what other threads freed; spans of threads that are gone; new pages.
 */
#include "heap/alloc.h"
#include "heap/hard.h"

#include <errno.h>

/* Moves nr of the group's available slots to the bin, which is empty: from the top down,
 * so that the lowest slot is popped first. */
static void fill(struct qr_cache *cache, struct qr_span *span, unsigned group,
		 uint32_t nr)
{
	struct qr_entry *entries = cache->entry[span->cls];
	uint32_t first = group * QR_GROUP_SLOTS;
	uintptr_t start = span->start + (size_t)first * span->slot_bytes;
	size_t slot_bytes = span->slot_bytes;
	uint64_t avail = span->avail[group];

	for (struct qr_entry *entry = entries + nr; entry-- != entries;) {
		uint32_t slot = (uint32_t)__builtin_ctzl(avail);

		entry->block = (void *)(start + slot * slot_bytes);
		entry->state = &span->slot[first + slot];
		avail &= avail - 1;
	}
	span->avail[group] = avail;
	if (avail == 0)
		span->groups &= ~((uint64_t)1 << group);
	cache->bin[span->cls].top = entries + nr;
}

static void unpurge(struct qr_cache *cache, struct qr_span *span, uint32_t nr)
{
	const struct qr_entry *entries = cache->entry[span->cls];

	for (uint32_t i = 0; i < nr; i++)
		qr_sweep_unpurge(cache, span, (uint32_t)(entries[i].state - span->slot));
}

static void *take_group(struct qr_cache *cache, struct qr_span *span)
{
	struct qr_bin *bin = &cache->bin[span->cls];
	unsigned group = QR_UNLIKELY(cache->hard)
				 ? qr_hard_group(span->groups)
				 : (unsigned)__builtin_ctzl(span->groups);
	uint32_t nr = (uint32_t)qr_count_bits(span->avail[group]);
	uint32_t room = span->room / QR_ENTRY_BYTES;

	if (nr > room)
		nr = room;
	fill(cache, span, group, nr);
	if (QR_UNLIKELY(span->purged != 0))
		unpurge(cache, span, nr);
	span->used += (int32_t)nr;
	cache->used_bytes += (size_t)nr * span->slot_bytes;
	if (QR_UNLIKELY(cache->used_bytes > cache->peak_bytes))
		qr_sweep_arm(cache);
	if (QR_UNLIKELY(cache->hard))
		qr_hard_shuffle(bin);
	return qr_bin_pop(bin);
}

void qr_bin_flush(struct qr_cache *cache, unsigned cls)
{
	struct qr_bin *bin = &cache->bin[cls];

	/* What becomes available may be an event, which looks at the bin. */
	while (qr_bin_height(bin) != 0) {
		void *block = (--bin->top)->block;
		struct qr_span *span = qr_map_get((uintptr_t)block);

		qr_span_put(cache, span, qr_slot_of(span, block));
	}
}

void qr_bin_retreat(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span;

	qr_bin_flush(cache, cls);
	span = cache->current[cls];
	cache->current[cls] = NULL;
	if (span != NULL)
		qr_span_settle(cache, span);
}

static void *take_partial(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span = qr_span_choose(cache, cls);

	if (span == NULL)
		return NULL;
	cache->current[cls] = span;
	return take_group(cache, span);
}

static void *take_drained(struct qr_cache *cache, unsigned cls)
{
	if (atomic_load_explicit(&cache->inbox, memory_order_relaxed) == NULL)
		return NULL;
	qr_cache_drain(cache);
	return take_partial(cache, cls);
}

static void *take_adopted(struct qr_cache *cache, unsigned cls)
{
	void *slot = NULL;

	while (slot == NULL && !cache->closed && qr_cache_adopt(cache))
		slot = take_partial(cache, cls);
	return slot;
}

static void *take_new(struct qr_cache *cache, unsigned cls)
{
	qr_span_make_room(cache);
	if (qr_span_create(cache, cls) == NULL)
		return NULL;
	return take_partial(cache, cls);
}

static void *refill(struct qr_cache *cache, unsigned cls)
{
	struct qr_bin *bin = &cache->bin[cls];
	struct qr_span *current = cache->current[cls];
	void *slot;

	if (qr_bin_height(bin) != 0)
		return qr_bin_pop(bin);
	if (current != NULL && current->groups != 0)
		return take_group(cache, current);
	qr_bin_retreat(cache, cls);
	slot = take_partial(cache, cls);
	if (slot == NULL)
		slot = take_drained(cache, cls);
	if (slot == NULL)
		slot = take_adopted(cache, cls);
	if (slot == NULL)
		slot = take_new(cache, cls);
	return slot;
}

/* For threads that are past their end, and where no cache could be made. */
static void *refill_late(unsigned cls)
{
	void *slot;

	qr_late_lock();
	slot = refill(&qr_cache_late, cls);
	qr_late_unlock();
	return slot;
}

/* What requests of a class ask for on average is learnt from those that come here. */
static void note_asked(struct qr_cache *cache, unsigned cls, size_t bytes)
{
	cache->asked_bytes[cls] += bytes;
	cache->nr_asked[cls]++;
}

void *qr_cache_refill(struct qr_cache *cache, unsigned cls, size_t bytes)
{
	if (cache == &qr_cache_none) {
		if (qr_detour != 0)
			return qr_detour_alloc(cls, bytes);
		cache = qr_cache_acquire();
	}
	return qr_cache_serve(cache, cls, bytes);
}

void *qr_cache_serve(struct qr_cache *cache, unsigned cls, size_t bytes)
{
	void *slot;

	if (cache != NULL)
		note_asked(cache, cls, bytes);
	slot = cache != NULL ? refill(cache, cls) : refill_late(cls);
	if (slot == NULL)
		errno = ENOMEM;
	return slot;
}
