/* SPDX-License-Identifier: MIT */
/* alloc.h - the fast paths, inline: the entry points and the heap's own interface are
 * made of these. */
#ifndef QUIRE_HEAP_ALLOC_H
#define QUIRE_HEAP_ALLOC_H

#include "heap/map.h"

/* The topmost entry's slot; the bin is not empty. */
QR_INLINE void *qr_bin_pop(struct qr_bin *bin)
{
	struct qr_entry *entry = bin->top - 1;

	bin->top = entry;
	atomic_store_explicit(entry->state, QR_SLOT_LIVE, memory_order_relaxed);
	return entry->block;
}

QR_INLINE void qr_bin_push(struct qr_bin *bin, void *block, qr_slot_state *state)
{
	*bin->top++ = (struct qr_entry){block, state};
}

/* A slot of the class, for a request of so many bytes. */
QR_INLINE void *qr_alloc_class(size_t cls, size_t bytes)
{
	struct qr_cache *cache = qr_cache_self;
	struct qr_bin *bin = &cache->bin[cls];

	if (QR_UNLIKELY(qr_bin_height(bin) == 0))
		return qr_cache_refill(cache, (unsigned)cls, bytes);
	return qr_bin_pop(bin);
}

/* NULL without memory, and errno says so. */
QR_INLINE void *qr_alloc(size_t bytes)
{
	if (QR_LIKELY(bytes <= QR_TABLE_MAX))
		return qr_alloc_class(
			qr_class_table[(bytes + QR_QUANTUM - 1) / QR_QUANTUM], bytes);
	return qr_alloc_slow(bytes);
}

/* The number of the slot that begins at block; ends the process if none does.  The
 * fraction of the quotient is below the reciprocal for multiples of slot_bytes only: the
 * reciprocal is too large by less than one in 2^32, which for no class adds up to it over
 * a span's slots. */
QR_INLINE uint32_t qr_slot_of(const struct qr_span *span, const void *block)
{
	size_t offset = (uintptr_t)block - span->start;
	uint64_t quotient = offset * span->recip;

	if (QR_UNLIKELY(offset >= span->limit || (uint32_t)quotient >= span->recip))
		qr_report_bad_free(block, span);
	return (uint32_t)(quotient >> 32);
}

/* The slot, which is free and in no bin, becomes available. */
QR_INLINE void qr_span_put(struct qr_cache *cache, struct qr_span *span, uint32_t slot)
{
	uint64_t *word = &span->avail[slot / QR_GROUP_SLOTS];
	uint64_t old = *word;

	*word = old | (uint64_t)1 << (slot % QR_GROUP_SLOTS);
	if (old == 0)
		span->groups |= (uint64_t)1 << (slot / QR_GROUP_SLOTS);
	cache->used_bytes -= span->slot_bytes;
	if (QR_UNLIKELY(--span->used <= span->watch))
		qr_span_event(cache, span);
}

/* Frees a block of one of the cache's own spans. */
QR_INLINE void qr_free_own(struct qr_cache *cache, struct qr_span *span, void *block)
{
	uint32_t slot = qr_slot_of(span, block);
	qr_slot_state *state = &span->slot[slot];
	struct qr_bin *bin = &cache->bin[span->cls];

	if (QR_UNLIKELY(atomic_load_explicit(state, memory_order_relaxed) !=
			QR_SLOT_LIVE)) {
		qr_free_marked(cache, span, block);
		return;
	}
	atomic_store_explicit(state, QR_SLOT_FREE, memory_order_relaxed);
	if (QR_LIKELY(qr_bin_height(bin) < span->room))
		qr_bin_push(bin, block, state);
	else
		qr_span_put(cache, span, slot);
}

QR_INLINE void qr_free(void *block)
{
	struct qr_span *span = qr_map_get((uintptr_t)block);
	struct qr_cache *cache = qr_cache_self;

	if (QR_LIKELY(span != NULL &&
		      atomic_load_explicit(&span->owner, memory_order_relaxed) == cache))
		qr_free_own(cache, span, block);
	else
		qr_free_slow(block, span);
}

#endif
