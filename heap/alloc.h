/* SPDX-License-Identifier: MIT */
/* alloc.h - the fast paths, inline: the entry points and the heap's own interface are
 * made of these. */
#ifndef QUIRE_HEAP_ALLOC_H
#define QUIRE_HEAP_ALLOC_H

#include "heap/map.h"

/* A slot of the bin's group; the mask is not empty. */
static inline void *qr_bin_pop(struct qr_bin *bin, uint64_t mask)
{
	uintptr_t slot = (uintptr_t)__builtin_ctzl(mask);

	bin->mask = mask & (mask - 1);
	return (void *)(bin->base + slot * bin->slot_bytes);
}

static inline void *qr_alloc_class(unsigned class)
{
	struct qr_cache *cache = qr_cache_self;
	struct qr_bin *bin = &cache->bin[class];
	uint64_t mask = bin->mask;

	if (QR_LIKELY(mask != 0))
		return qr_bin_pop(bin, mask);
	return qr_cache_refill(cache, class);
}

/* NULL without memory; errno is the caller's to set. */
static inline void *qr_alloc(size_t bytes)
{
	if (QR_LIKELY(bytes <= QR_TABLE_MAX))
		return qr_alloc_class(
			qr_class_table[(bytes + QR_QUANTUM - 1) / QR_QUANTUM]);
	return qr_alloc_slow(bytes);
}

/* The number of the slot that begins at block; ends the process if none does. */
static inline uint32_t qr_slot_of(const struct qr_span *span, const void *block)
{
	uintptr_t offset = (uintptr_t)block - span->start;
	uint64_t product = offset * span->recip;

	/* The fraction that is left is below recip only for multiples of slot_bytes. */
	if (QR_UNLIKELY(offset >= span->limit ||
			(product & (((uint64_t)1 << QR_RECIP_SHIFT) - 1)) >= span->recip))
		qr_report_bad_free(block, span);
	return (uint32_t)(product >> QR_RECIP_SHIFT);
}

/* Frees a slot of one of the cache's own spans. */
static inline void qr_free_own(struct qr_cache *cache, struct qr_span *span, void *block,
			       uint32_t slot)
{
	struct qr_bin *bin = &cache->bin[span->class];
	struct qr_group *group = &span->group[slot / QR_GROUP_SLOTS];
	uint64_t bit = (uint64_t)1 << (slot % QR_GROUP_SLOTS);
	uint64_t taken = atomic_load_explicit(&group->remote, memory_order_relaxed);
	uint64_t free;

	if (bin->span == span && bin->group == slot / QR_GROUP_SLOTS) {
		if (QR_UNLIKELY(((bin->mask | taken) & bit) != 0))
			qr_report_double_free(block, span);
		bin->mask |= bit;
		return;
	}
	free = atomic_load_explicit(&group->free, memory_order_relaxed);
	if (QR_UNLIKELY(((free | taken) & bit) != 0))
		qr_report_double_free(block, span);
	atomic_store_explicit(&group->free, free | bit, memory_order_relaxed);
	span->groups |= (uint64_t)1 << (slot / QR_GROUP_SLOTS);
	if (QR_UNLIKELY(--span->used <= span->watch))
		qr_span_event(cache, span);
}

static inline void qr_free(void *block)
{
	struct qr_span *span = qr_map_get((uintptr_t)block);
	struct qr_cache *cache = qr_cache_self;

	if (QR_LIKELY(span != NULL &&
		      atomic_load_explicit(&span->owner, memory_order_relaxed) == cache))
		qr_free_own(cache, span, block, qr_slot_of(span, block));
	else
		qr_free_slow(block, span);
}

#endif
