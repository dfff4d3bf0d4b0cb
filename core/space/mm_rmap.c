/* SPDX-License-Identifier: MIT */
/* mm_rmap.c - from a frame to the entries that name it; page.h says how. */
#include "core/space/mm.h"

struct rmap {
	quire_pfn pfn;
	qr_rmap_visit_fn *visit;
	void *ctx;
	bool is_large;
};

static bool look_large(struct quire_mm *mm, const struct quire_area *area, uint64_t va,
		       const struct rmap *rmap)
{
	struct qr_large at;
	struct qr_leaf leaf;

	if (!qr_tables_large(&mm->tables, (quire_vaddr){va}, &at) || at.base != va ||
	    qr_entry_pfn(*at.entry).n != rmap->pfn.n)
		return true;
	leaf = (struct qr_leaf){.entries = at.entry, .table = at.table, .base = va};
	return rmap->visit(rmap->ctx, mm, area, &leaf, 0);
}

/* Visits the entry of page index in area, where it names the frame. */
static bool look(struct quire_mm *mm, const struct quire_area *area, uint64_t index,
		 const struct rmap *rmap)
{
	uint64_t va = area->start + ((index - area->offset) << QUIRE_PAGE_SHIFT);
	uint32_t at = qr_leaf_index((quire_vaddr){va});
	struct qr_leaf leaf;
	quire_entry e;

	if (rmap->is_large)
		return look_large(mm, area, va, rmap);
	if (!qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf))
		return true;
	e = leaf.entries[at];
	if (!qr_entry_is_present(e) || qr_entry_pfn(e).n != rmap->pfn.n)
		return true;
	return rmap->visit(rmap->ctx, mm, area, &leaf, at);
}

static bool shows(const struct quire_area *area, uint64_t index)
{
	return index >= area->offset &&
	       index - area->offset < qr_pages(area->end - area->start);
}

/* Every area of mm that shows the page. */
static bool look_all(struct quire_mm *mm, uint32_t object, uint64_t index,
		     const struct rmap *rmap)
{
	const struct quire_area *a = qr_mm_from(mm, 0);

	for (; a != NULL; a = qr_mm_from(mm, a->end))
		if (a->object == object && shows(a, index) && !look(mm, a, index, rmap))
			return false;
	return true;
}

/* Every private area of an object that shows the page: its copy may be there. */
static bool look_copies(struct quire_mm *mm, uint64_t index, const struct rmap *rmap)
{
	const struct quire_area *a = qr_mm_from(mm, 0);

	for (; a != NULL; a = qr_mm_from(mm, a->end))
		if (a->object != 0 && qr_is_private(a) && shows(a, index) &&
		    !look(mm, a, index, rmap))
			return false;
	return true;
}

static bool look_home(struct quire_mm *mm, uint64_t index, const struct rmap *rmap)
{
	const struct quire_area *a = qr_mm_area(mm, index << QUIRE_PAGE_SHIFT);

	return a == NULL || a->object != 0 || a->offset != qr_pages(a->start) ||
	       look(mm, a, index, rmap);
}

void qr_rmap_walk(struct quire_vm *vm, quire_pfn pfn, qr_rmap_visit_fn *visit, void *ctx)
{
	const struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct rmap rmap = {pfn, visit, ctx, qr_page_is_large(frame)};
	bool of_object = qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);
	bool is_copy = qr_page_has(frame, QUIRE_PAGE_COPY);
	uint32_t id = qr_page_id(frame);
	uint64_t index = qr_page_index(frame);

	for (struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next) {
		bool more = true;

		if (of_object)
			more = look_all(mm, id, index, &rmap);
		else if (mm->family == id && is_copy)
			more = look_copies(mm, index, &rmap);
		else if (mm->family == id && mm->has_moved)
			more = look_all(mm, 0, index, &rmap);
		else if (mm->family == id)
			more = look_home(mm, index, &rmap);
		if (!more)
			return;
	}
}
