/* SPDX-License-Identifier: MIT */
/* map.h - page number -> span.
 *
 * A root of 2^17 pointers covers 47 bits of address; a leaf of 2^18 entries covers one
 * GiB, and is made with the first chunk in it.  Both are zero pages until written to.
 * Entries of pages that no block begins in may be out of date: whoever looks up an
 * address checks it against the span's bounds.
 */
#ifndef QUIRE_HEAP_MAP_H
#define QUIRE_HEAP_MAP_H

#include "heap/heap.h"

#define QR_LEAF_SHIFT	30
#define QR_LEAF_ENTRIES ((size_t)1 << (QR_LEAF_SHIFT - QR_PAGE_SHIFT))
#define QR_ROOT_ENTRIES ((size_t)1 << (47 - QR_LEAF_SHIFT))

typedef _Atomic(struct qr_span *) qr_map_entry;

extern _Atomic(qr_map_entry *) qr_map_root[QR_ROOT_ENTRIES];

/* The span that the page of any address leads to, or NULL. */
static inline struct qr_span *qr_map_get(uintptr_t address)
{
	size_t root = (address >> QR_LEAF_SHIFT) & (QR_ROOT_ENTRIES - 1);
	size_t page = (address >> QR_PAGE_SHIFT) & (QR_LEAF_ENTRIES - 1);
	qr_map_entry *leaf =
		atomic_load_explicit(&qr_map_root[root], memory_order_relaxed);

	if (QR_UNLIKELY(leaf == NULL))
		return NULL;
	return atomic_load_explicit(&leaf[page], memory_order_relaxed);
}

/* Makes the leaves for [start, start + bytes); false without memory.  Locked. */
bool qr_map_cover(uintptr_t start, size_t bytes);
/* Puts leaves aside, so that covering bytes anywhere cannot fail next.  Locked. */
bool qr_map_prepare(size_t bytes);
/* Both of covered addresses; locked. */
void qr_map_set(uintptr_t address, struct qr_span *span);
void qr_map_set_pages(uintptr_t start, size_t nr_pages, struct qr_span *span);

#endif
