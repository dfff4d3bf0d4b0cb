/* SPDX-License-Identifier: MIT */
/* refill.c - where a bin whose mask is empty gets the next slots.
 *
 * In this order: the lowest group of its span with a free slot; the latest partial
 * span; what other threads freed; spans of threads that are gone; new pages.
 */
#include "heap/alloc.h"

static void *take_group(struct qr_bin *bin, struct qr_span *span)
{
	unsigned i = (unsigned)__builtin_ctzl(span->groups);
	struct qr_group *group = &span->group[i];
	uint64_t mask = atomic_load_explicit(&group->free, memory_order_relaxed);

	atomic_store_explicit(&group->free, 0, memory_order_relaxed);
	span->groups &= span->groups - 1;
	span->used +=
		mask == ~(uint64_t)0 ? (int32_t)QR_GROUP_SLOTS : qr_count_bits(mask);
	bin->group = i;
	bin->base = span->start + (size_t)i * QR_GROUP_SLOTS * bin->slot_bytes;
	return qr_bin_pop(bin, mask);
}

void qr_bin_retreat(struct qr_cache *cache, struct qr_bin *bin)
{
	struct qr_span *span = bin->span;

	if (span == NULL)
		return;
	if (bin->mask != 0) {
		atomic_store_explicit(&span->group[bin->group].free, bin->mask,
				      memory_order_relaxed);
		span->groups |= (uint64_t)1 << bin->group;
		span->used -= qr_count_bits(bin->mask);
		bin->mask = 0;
	}
	bin->span = NULL;
	qr_span_settle(cache, span);
}

static void *take_partial(struct qr_cache *cache, struct qr_bin *bin, unsigned class)
{
	struct qr_span *span = qr_span_choose(cache, class);

	if (span == NULL)
		return NULL;
	bin->span = span;
	bin->slot_bytes = span->slot_bytes;
	return take_group(bin, span);
}

static void *take_drained(struct qr_cache *cache, struct qr_bin *bin, unsigned class)
{
	if (atomic_load_explicit(&cache->inbox, memory_order_relaxed) == NULL)
		return NULL;
	qr_cache_drain(cache);
	return take_partial(cache, bin, class);
}

static void *take_adopted(struct qr_cache *cache, struct qr_bin *bin, unsigned class)
{
	void *slot = NULL;

	while (slot == NULL && qr_cache_adopt(cache))
		slot = take_partial(cache, bin, class);
	return slot;
}

static void *take_new(struct qr_cache *cache, struct qr_bin *bin, unsigned class)
{
	if (qr_span_create(cache, class) == NULL)
		return NULL;
	return take_partial(cache, bin, class);
}

static void *refill(struct qr_cache *cache, unsigned class)
{
	struct qr_bin *bin = &cache->bin[class];
	void *slot;

	if (bin->mask != 0)
		return qr_bin_pop(bin, bin->mask);
	if (bin->span != NULL && bin->span->groups != 0)
		return take_group(bin, bin->span);
	qr_bin_retreat(cache, bin);
	slot = take_partial(cache, bin, class);
	if (slot == NULL)
		slot = take_drained(cache, bin, class);
	if (slot == NULL)
		slot = take_adopted(cache, bin, class);
	if (slot == NULL)
		slot = take_new(cache, bin, class);
	return slot;
}

/* For threads that are past their end, and where no cache could be made. */
static void *refill_late(unsigned class)
{
	void *slot;

	qr_late_lock();
	slot = refill(&qr_cache_late, class);
	qr_late_unlock();
	return slot;
}

void *qr_cache_refill(struct qr_cache *cache, unsigned class)
{
	if (cache == &qr_cache_none) {
		cache = qr_cache_acquire();
		if (cache == NULL)
			return refill_late(class);
	}
	return refill(cache, class);
}
