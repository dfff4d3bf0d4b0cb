/* SPDX-License-Identifier: MIT */
/* mm_ahead.c - the neighbours of a page that came back from swap, and what MADV_WILLNEED
 * asks for, are read into the swap cache.  What fails here fails nobody. */
#include "core/space/mm.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t window_max(const struct quire_vm *vm)
{
	return 1u << vm->config.page_cluster;
}

static enum qr_ahead_how how_in(const struct quire_area *area)
{
	if (qr_area_is(area, QUIRE_AREA_RANDOM))
		return QR_AHEAD_NONE;
	return qr_area_is(area, QUIRE_AREA_SEQUENTIAL) ? QR_AHEAD_FAR : QR_AHEAD_AROUND;
}

/* What is out of the entries [from, to) of one leaf; false where no more can be read. */
static bool read_entries(struct quire_vm *vm, const struct qr_leaf *leaf, uint64_t from,
			 uint64_t to, enum qr_swap_found as)
{
	for (uint64_t va = from; va < to; va += QUIRE_PAGE_BYTES) {
		quire_entry e = leaf->entries[qr_leaf_index((quire_vaddr){va})];

		if (qr_entry_is_swapped(e) &&
		    !qr_swap_cache_read(vm, (quire_slot){qr_entry_number(e)}, as))
			return false;
	}
	return true;
}

static void read_pages(struct quire_mm *mm, uint64_t start, uint64_t end,
		       enum qr_swap_found as)
{
	struct quire_range left = {{start}, {end}};
	struct qr_leaf leaf;

	while (left.start.a < end && qr_tables_next_leaf(&mm->tables, left, &leaf)) {
		uint64_t next = leaf.base + QUIRE_LEAF_BYTES;

		if (!read_entries(mm->vm, &leaf, most(leaf.base, left.start.a),
				  least(next, end), as))
			return;
		left.start.a = next;
	}
}

static void read_places(struct quire_vm *vm, const struct quire_object *object,
			uint64_t first, uint64_t last, enum qr_swap_found as)
{
	last = least(last, object->nr_pages);
	for (uint64_t i = first; i < last && object->nr_swapped > 0; i++) {
		quire_entry e = qr_object_get(object, i);

		if (qr_entry_is_swapped(e) &&
		    !qr_swap_cache_read(vm, (quire_slot){qr_entry_number(e)}, as))
			return;
	}
}

bool qr_mm_reads_ahead(const struct quire_area *area)
{
	return area->ahead.window > 1 && !qr_area_is(area, QUIRE_AREA_RANDOM);
}

void qr_mm_swapped_in(struct quire_mm *mm, struct quire_area *area, uint64_t va,
		      enum qr_swap_found found)
{
	uint64_t page = qr_pages(va);
	struct qr_window window;

	if (found != QR_SWAP_OUT) {
		qr_ahead_note(&area->ahead, page, found == QR_SWAP_AHEAD);
		return;
	}
	window = qr_ahead_plan(&area->ahead, page, window_max(mm->vm), how_in(area));
	if (window.nr > 1)
		read_pages(
			mm, most(area->start, window.first << QUIRE_PAGE_SHIFT),
			least(area->end, (window.first + window.nr) << QUIRE_PAGE_SHIFT),
			QR_SWAP_AHEAD);
}

void qr_object_swapped_in(struct quire_vm *vm, struct quire_object *object,
			  uint64_t index, enum qr_fetch how, enum qr_swap_found found)
{
	static const enum qr_ahead_how hows[] = {
		[QR_FETCH_ALONE] = QR_AHEAD_NONE,
		[QR_FETCH_AROUND] = QR_AHEAD_AROUND,
		[QR_FETCH_AHEAD] = QR_AHEAD_FAR,
	};
	struct qr_window window;

	if (found != QR_SWAP_OUT) {
		qr_ahead_note(&object->ahead, index, found == QR_SWAP_AHEAD);
		return;
	}
	window = qr_ahead_plan(&object->ahead, index, window_max(vm), hows[how]);
	if (window.nr > 1)
		read_places(vm, object, window.first, window.first + window.nr,
			    QR_SWAP_AHEAD);
}

void qr_mm_swap_will_need(struct quire_mm *mm, const struct quire_area *area,
			  uint64_t start, uint64_t end)
{
	uint64_t first = area->offset + qr_pages(start - area->start);

	if (mm->vm->swap_cache.object == 0)
		return;
	read_pages(mm, start, end, QR_SWAP_CACHED);
	if (area->object != 0)
		read_places(mm->vm, qr_object_at(&mm->vm->objects, area->object), first,
			    first + qr_pages(end - start), QR_SWAP_CACHED);
}
