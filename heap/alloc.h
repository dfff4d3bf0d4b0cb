/* SPDX-License-Identifier: MIT */
/* alloc.h - the fast paths, inline: the entry points and the heap's own interface are
 * made of these. */
#ifndef QUIRE_HEAP_ALLOC_H
#define QUIRE_HEAP_ALLOC_H

#include "heap/map.h"

/* The topmost entry; height is not zero. */
static inline void *qr_bin_pop(struct qr_bin *bin, uint32_t height)
{
	struct qr_entry *entry = qr_bin_at(bin, height);

	bin->height = height - QR_ENTRY_BYTES;
	atomic_store_explicit(entry->state, QR_SLOT_LIVE, memory_order_relaxed);
	return entry->block;
}

static inline void qr_bin_push(struct qr_bin *bin, void *block, qr_slot_state *state)
{
	bin->height += QR_ENTRY_BYTES;
	*qr_bin_at(bin, bin->height) = (struct qr_entry){block, state};
}

/* A slot of the class, for a request of so many bytes. */
static inline void *qr_alloc_class(unsigned cls, size_t bytes)
{
	struct qr_cache *cache = qr_cache_self;
	struct qr_bin *bin = &cache->bin[cls];
	uint32_t height = bin->height;

	if (QR_LIKELY(height != 0))
		return qr_bin_pop(bin, height);
	return qr_cache_refill(cache, cls, bytes);
}

/* NULL without memory, and errno says so. */
static inline void *qr_alloc(size_t bytes)
{
	if (QR_LIKELY(bytes <= QR_TABLE_MAX))
		return qr_alloc_class(
			qr_class_table[(bytes + QR_QUANTUM - 1) / QR_QUANTUM], bytes);
	return qr_alloc_slow(bytes);
}

/* The number of the slot that begins at block; ends the process if none does.  The
 * fraction of the quotient is below the reciprocal for multiples of slot_bytes only. */
static inline uint32_t qr_slot_of(const struct qr_span *span, const void *block)
{
	__extension__ unsigned __int128 quotient =
		(unsigned __int128)((uintptr_t)block - span->start) * span->recip;

	if (QR_UNLIKELY((uint64_t)(quotient >> 64) >= span->nr_slots ||
			(uint64_t)quotient >= span->recip))
		qr_report_bad_free(block, span);
	return (uint32_t)(quotient >> 64);
}

/* Frees a block of one of the cache's own spans. */
static inline void qr_free_own(struct qr_cache *cache, struct qr_span *span, void *block)
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
	if (QR_LIKELY(bin->height < bin->room))
		qr_bin_push(bin, block, state);
	else
		qr_span_put(cache, span, slot);
}

static inline void qr_free(void *block)
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
