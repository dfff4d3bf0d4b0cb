/* SPDX-License-Identifier: MIT */
/* map.c - the making and the writing of the page map. */
#include "heap/map.h"

QR_TABLE _Atomic(qr_map_entry *) qr_map_root[QR_ROOT_ENTRIES];

/* Leaves put aside: enough for a block of 62 GiB that moves. */
#define SPARE_MAX 64u

static qr_map_entry *spare[SPARE_MAX];
static unsigned nr_spare;

static qr_map_entry *new_leaf(void)
{
	const struct qr_heap_pages *pages = qr_source_at(qr_source_current());

	return pages->map(pages->ctx, QR_LEAF_ENTRIES * sizeof(qr_map_entry),
			  QR_PAGE_BYTES);
}

static bool cover_leaf(size_t root)
{
	qr_map_entry *leaf;

	if (root >= QR_ROOT_ENTRIES)
		return false;
	if (atomic_load_explicit(&qr_map_root[root], memory_order_relaxed) != NULL)
		return true;
	leaf = nr_spare != 0 ? spare[--nr_spare] : new_leaf();
	if (leaf == NULL)
		return false;
	atomic_store_explicit(&qr_map_root[root], leaf, memory_order_release);
	return true;
}

bool qr_map_prepare(size_t bytes)
{
	/* A block may begin and end in the middle of a leaf. */
	size_t need = (bytes >> QR_LEAF_SHIFT) + 2;

	if (need > SPARE_MAX)
		return false;
	while (nr_spare < need) {
		qr_map_entry *leaf = new_leaf();

		if (leaf == NULL)
			return false;
		spare[nr_spare++] = leaf;
	}
	return true;
}

bool qr_map_cover(uintptr_t start, size_t bytes)
{
	size_t last = (start + bytes - 1) >> QR_LEAF_SHIFT;

	for (size_t root = start >> QR_LEAF_SHIFT; root <= last; root++) {
		if (!cover_leaf(root))
			return false;
	}
	return true;
}

void qr_map_set(uintptr_t address, struct qr_span *span)
{
	qr_map_entry *leaf = atomic_load_explicit(&qr_map_root[address >> QR_LEAF_SHIFT],
						  memory_order_relaxed);
	size_t page = (address >> QR_PAGE_SHIFT) & (QR_LEAF_ENTRIES - 1);

	atomic_store_explicit(&leaf[page], span, memory_order_release);
}

void qr_map_set_pages(uintptr_t start, size_t nr_pages, struct qr_span *span)
{
	for (size_t i = 0; i < nr_pages; i++)
		qr_map_set(start + i * QR_PAGE_BYTES, span);
}
