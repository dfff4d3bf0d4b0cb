/* SPDX-License-Identifier: MIT */
/* mm_remap.c - mremap, in the order of Linux's mm/mremap.c, 6.17 and later: with FIXED
 * and no change of size a range may span several areas. */
#include "core/base/assert.h"
#include "core/space/mm_hugetlb.h"

#define IN_PAGE ((uint64_t)QUIRE_PAGE_BYTES - 1)

/* Areas that a move may need at most beside those it has. */
#define MOVE_AREAS 3u

struct remap {
	struct quire_mm *mm;
	struct quire_area *area;
	uint64_t old, old_bytes;
	uint64_t new, new_bytes;
	uint32_t flags;
	bool populate; /* what was added is locked */
};

static uint64_t page_round(uint64_t bytes)
{
	return (bytes + IN_PAGE) & ~IN_PAGE;
}

static bool is_set(const struct remap *r, uint32_t flags)
{
	return (r->flags & flags) != 0;
}

/* FIXED and DONTUNMAP say where to, at least as a hint. */
static bool names_target(const struct remap *r)
{
	return is_set(r, QUIRE_REMAP_FIXED | QUIRE_REMAP_DONTUNMAP);
}

static int64_t delta(const struct remap *r)
{
	return (int64_t)r->new_bytes - (int64_t)r->old_bytes;
}

static enum quire_status check_call(const struct remap *r)
{
	const uint32_t known =
		QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED | QUIRE_REMAP_DONTUNMAP;
	uint64_t top = r->mm->config.window.end.a;

	if ((r->flags & ~known) != 0 || (r->old & IN_PAGE) != 0)
		return QUIRE_INVALID;
	if (r->new_bytes == 0 || r->new_bytes > top)
		return QUIRE_INVALID;
	if (!names_target(r))
		return QUIRE_OK;
	if (r->new > top - r->new_bytes || (r->new &IN_PAGE) != 0)
		return QUIRE_INVALID;
	if (!is_set(r, QUIRE_REMAP_MAYMOVE))
		return QUIRE_INVALID;
	if (is_set(r, QUIRE_REMAP_DONTUNMAP) && r->old_bytes != r->new_bytes)
		return QUIRE_INVALID;
	if (r->old + r->old_bytes > r->new && r->new + r->new_bytes > r->old)
		return QUIRE_INVALID;
	if (qr_mm_nr_areas(r->mm) + 2 >= r->mm->vm->config.max_areas - 3)
		return QUIRE_NO_MEMORY;
	return QUIRE_OK;
}

/* Pages of a pool are moved whole, and no more of them are had this way; sizes are rounded
 * up to whole ones.  Linux looks at the target whether it is asked for or not. */
static bool is_whole(struct remap *r)
{
	uint64_t in_page = qr_hugetlb_bytes(r->area->marks) - 1;

	r->old_bytes = (r->old_bytes + in_page) & ~in_page;
	r->new_bytes = (r->new_bytes + in_page) & ~in_page;
	return ((r->old | r->new) & in_page) == 0 && delta(r) <= 0 &&
	       !is_set(r, QUIRE_REMAP_DONTUNMAP);
}

/* What the area at r->old has to say. */
static enum quire_status check_area(struct remap *r)
{
	const struct quire_area *a = r->area;
	uint64_t old_bytes = r->old_bytes;

	if (a == NULL)
		return QUIRE_FAULT;
	if (qr_area_is_hugetlb(a) && !is_whole(r))
		return QUIRE_INVALID;
	old_bytes = r->old_bytes;
	if (!names_target(r)) {
		r->new = r->old;
		if (delta(r) <= 0)
			return QUIRE_OK;
	}
	if (old_bytes == 0 && qr_is_private(a))
		return QUIRE_INVALID;
	if (delta(r) < 0)
		old_bytes = r->new_bytes;
	if (old_bytes > a->end - r->old)
		return QUIRE_FAULT;
	if (delta(r) == 0)
		return QUIRE_OK;
	r->populate = delta(r) > 0 && qr_area_is(a, QUIRE_AREA_LOCKED);
	if (delta(r) > 0 &&
	    !qr_mm_may_lock(r->mm, a->marks, qr_pages((uint64_t)delta(r))))
		return QUIRE_AGAIN;
	if (delta(r) > 0 &&
	    !qr_mm_may_expand(r->mm, a->prot, a->marks, delta(r) >> QUIRE_PAGE_SHIFT))
		return QUIRE_NO_MEMORY;
	return QUIRE_OK;
}

/* What the move adds to the charge: all that is new, where the old place stays mapped. */
static bool charge(const struct remap *r, uint64_t bytes)
{
	return !qr_area_is(r->area, QUIRE_AREA_CHARGED) ||
	       qr_vm_charge(r->mm->vm, qr_pages(bytes));
}

static bool has_behind(const struct remap *r)
{
	const struct quire_area *next = qr_mm_from(r->mm, r->area->end);
	uint64_t end = r->area->end + (uint64_t)delta(r);

	return (next == NULL || next->start >= end) && end <= r->mm->config.window.end.a;
}

static enum quire_status extend(struct remap *r)
{
	const struct quire_area *a = r->area;
	struct qr_proposal p = {
		.start = a->end,
		.end = a->end + (uint64_t)delta(r),
		.prot = a->prot,
		.marks = a->marks,
		.offset = a->offset + qr_pages(a->end - a->start),
		.anon = a->anon,
		.object = a->object,
		.is_forked = a->anon != 0 && qr_area_is(a, QUIRE_AREA_FORKED),
	};

	if (!qr_mm_reserve(r->mm, 1) || !charge(r, (uint64_t)delta(r)))
		return QUIRE_NO_MEMORY;
	qr_mm_account(r->mm, p.prot, p.marks, delta(r) >> QUIRE_PAGE_SHIFT);
	qr_mm_add(r->mm, &p);
	return QUIRE_OK;
}

static enum quire_status find_target(struct remap *r)
{
	uint64_t hint = names_target(r) ? r->new : 0;

	if (is_set(r, QUIRE_REMAP_FIXED))
		return qr_mm_place(r->mm, hint, r->new_bytes, true, &r->new);
	if (qr_area_is_hugetlb(r->area))
		return qr_mm_place_aligned(r->mm, hint, r->new_bytes,
					   qr_hugetlb_bytes(r->area->marks), &r->new);
	return qr_mm_place_near(r->mm, hint, r->new_bytes, r->area->object == 0, &r->new);
}

/* Every table that the entries' new place needs. */
static bool make_tables(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	struct qr_leaf leaf;

	mm->tables.kept = (struct quire_range){{start}, {end}};
	for (uint64_t va = start; va < end; va = (va | (QUIRE_LEAF_BYTES - 1)) + 1)
		if (!qr_mm_leaf(mm, va, &leaf))
			return false;
	return true;
}

/* The same for pages of a pool. */
static bool make_places(struct quire_mm *mm, const struct quire_area *area,
			uint64_t start, uint64_t end)
{
	uint64_t bytes = qr_hugetlb_bytes(area->marks);

	mm->tables.kept = (struct quire_range){{start}, {end}};
	for (uint64_t va = start; va < end; va += bytes)
		if (!qr_hugetlb_make_place(mm, va, area->marks))
			return false;
	return true;
}

static bool make_room(const struct remap *r, uint64_t end)
{
	return qr_area_is_hugetlb(r->area) ? make_places(r->mm, r->area, r->new, end)
					   : make_tables(r->mm, r->new, end);
}

static void prune_tables(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	mm->tables.kept = (struct quire_range){{0}, {0}};
	for (uint64_t va = start; va < end; va = (va | (QUIRE_LEAF_BYTES - 1)) + 1)
		qr_tables_prune(&mm->tables, (quire_vaddr){va});
}

static void move_entries(struct quire_mm *mm, uint64_t from, uint64_t to, uint64_t bytes)
{
	struct qr_leaf source, target;

	if (mm->nr_large != 0)
		qr_large_move(mm, from, to, bytes);
	for (uint64_t at = 0; at < bytes; at += QUIRE_PAGE_BYTES) {
		uint32_t i = qr_leaf_index((quire_vaddr){from + at});

		if (!qr_tables_leaf(&mm->tables, (quire_vaddr){from + at}, &source) ||
		    qr_entry_is_empty(source.entries[i]))
			continue;
		(void)qr_tables_leaf(&mm->tables, (quire_vaddr){to + at}, &target);
		qr_leaf_set(&mm->tables, &target, qr_leaf_index((quire_vaddr){to + at}),
			    source.entries[i]);
		qr_leaf_set(&mm->tables, &source, i, (quire_entry){0});
	}
	qr_mm_flush(mm, from, from + bytes);
}

/* The area at the new place, with the history of the old. */
static struct quire_area *copy_area(struct remap *r)
{
	const struct quire_area *a = r->area;
	struct qr_proposal p = {
		.start = r->new,
		.end = r->new + r->new_bytes,
		.prot = a->prot,
		.marks = a->marks,
		.offset = a->offset + qr_pages(r->old - a->start),
		.anon = a->anon,
		.object = a->object,
		.is_forked = a->anon != 0 && qr_area_is(a, QUIRE_AREA_FORKED),
	};

	/* Without pages it may as well have been there from the beginning. */
	if (a->object == 0 && a->anon == 0)
		p.offset = qr_pages(r->new);
	else if (a->object == 0)
		r->mm->has_moved = true;
	return qr_mm_add(r->mm, &p);
}

/* The old place stays, with no page and no lock. */
static void leave_empty(struct remap *r, const struct quire_area *target)
{
	struct quire_area *a = qr_mm_area(r->mm, r->old);
	uint32_t marks = a->marks & ~(QUIRE_AREA_LOCKED | QUIRE_AREA_ONFAULT);
	uint64_t pages = qr_pages(a->end - a->start);

	qr_mm_account(r->mm, a->prot, a->marks, -(int64_t)pages);
	a->marks = marks;
	qr_mm_account(r->mm, a->prot, marks, (int64_t)pages);
	if (a != target && a->start == r->old && a->end == r->old + r->old_bytes) {
		a->anon = 0;
		a->marks &= ~QUIRE_AREA_FORKED;
	}
}

/* The charge went along with the pages: unmapping the old place must not give it back. */
static void unmap_source(struct remap *r)
{
	const struct quire_area *a = qr_mm_area(r->mm, r->old);
	enum quire_status status;

	if (qr_area_is(a, QUIRE_AREA_CHARGED))
		r->mm->vm->committed += qr_pages(r->old_bytes);
	qr_hugetlb_promise_again(r->mm->vm, a, r->old_bytes);
	status = qr_mm_unmap_range(r->mm, r->old, r->old + r->old_bytes);
	QUIRE_ASSERT(status == QUIRE_OK);
}

static enum quire_status move(struct remap *r)
{
	struct quire_mm *mm = r->mm;
	bool keep = is_set(r, QUIRE_REMAP_DONTUNMAP);
	uint64_t bytes = r->old_bytes < r->new_bytes ? r->old_bytes : r->new_bytes;
	uint64_t more = keep ? r->new_bytes : (uint64_t)delta(r);
	const struct quire_area *target;

	if (qr_mm_nr_areas(mm) >= mm->vm->config.max_areas - 3)
		return QUIRE_NO_MEMORY;
	if (!qr_mm_reserve(mm, MOVE_AREAS) || !make_room(r, r->new + bytes) ||
	    !charge(r, more)) {
		prune_tables(mm, r->new, r->new + bytes);
		return QUIRE_NO_MEMORY;
	}
	qr_mm_account(mm, r->area->prot, r->area->marks, (int64_t)qr_pages(r->new_bytes));
	target = copy_area(r);
	move_entries(mm, r->old, r->new, bytes);
	prune_tables(mm, r->old, r->old + bytes);
	prune_tables(mm, r->new, r->new + bytes);
	if (keep)
		leave_empty(r, target);
	else if (r->old_bytes > 0)
		unmap_source(r);
	return QUIRE_OK;
}

static enum quire_status to_target(struct remap *r)
{
	struct quire_mm *mm = r->mm;
	enum quire_status status;

	if (is_set(r, QUIRE_REMAP_FIXED)) {
		status = qr_mm_unmap_range(mm, r->new, r->new + r->new_bytes);
		if (status != QUIRE_OK)
			return status;
		r->area = qr_mm_area(mm, r->old);
		if (r->area == NULL)
			return QUIRE_FAULT;
	}
	if (delta(r) < 0) {
		status = qr_mm_unmap_range(mm, r->old + r->new_bytes,
					   r->old + r->old_bytes);
		if (status != QUIRE_OK)
			return status;
		r->old_bytes = r->new_bytes;
		r->area = qr_mm_area(mm, r->old);
	}
	if (is_set(r, QUIRE_REMAP_DONTUNMAP) &&
	    !qr_mm_may_expand(mm, r->area->prot, r->area->marks,
			      (int64_t)qr_pages(r->old_bytes)))
		return QUIRE_NO_MEMORY;
	status = find_target(r);
	return status == QUIRE_OK ? move(r) : status;
}

static enum quire_status in_place(struct remap *r)
{
	enum quire_status status;

	if (delta(r) == 0)
		return QUIRE_OK;
	if (delta(r) < 0)
		return qr_mm_unmap_range(r->mm, r->old + r->new_bytes,
					 r->old + r->old_bytes);
	if (r->area->end - r->old == r->old_bytes && has_behind(r))
		return extend(r);
	if (!is_set(r, QUIRE_REMAP_MAYMOVE))
		return QUIRE_NO_MEMORY;
	status = find_target(r);
	return status == QUIRE_OK ? move(r) : status;
}

/* FIXED, same size: area after area, the gaps between them kept. */
static enum quire_status move_range(struct remap *r)
{
	uint64_t start = r->old, end = r->old + r->old_bytes, shift = r->new - r->old;
	struct quire_area *a = qr_mm_from(r->mm, start);
	uint64_t first = r->new;
	enum quire_status status = QUIRE_FAULT;

	if (a == NULL || a->start > start)
		return QUIRE_FAULT;
	while (a != NULL && a->start < end) {
		uint64_t from = a->start > start ? a->start : start;
		uint64_t next = a->end;

		r->area = a;
		r->old = from;
		r->new = from + shift;
		r->old_bytes = r->new_bytes = (next < end ? next : end) - from;
		status = check_area(r);
		if (status == QUIRE_OK)
			status = to_target(r);
		if (status != QUIRE_OK)
			return status;
		a = qr_mm_from(r->mm, next);
	}
	r->new = first;
	return status;
}

static enum quire_status remap(struct remap *r)
{
	uint64_t old_bytes = r->old_bytes;
	enum quire_status status = check_call(r);

	if (status != QUIRE_OK)
		return status;
	if (is_set(r, QUIRE_REMAP_FIXED) && r->old_bytes == r->new_bytes)
		return move_range(r);
	r->area = qr_mm_area(r->mm, r->old);
	status = check_area(r);
	if (status == QUIRE_OK)
		status = names_target(r) ? to_target(r) : in_place(r);
	if (status == QUIRE_OK && r->populate)
		(void)qr_mm_populate(r->mm, r->new + old_bytes, r->new + r->new_bytes,
				     true);
	return status;
}

enum quire_status quire_mm_remap(struct quire_mm *mm, uint64_t start, uint64_t old_bytes,
				 uint64_t new_bytes, uint32_t flags, uint64_t target,
				 uint64_t *out)
{
	struct remap r = {
		.mm = mm,
		.old = start,
		.old_bytes = page_round(old_bytes),
		.new = target,
		.new_bytes = page_round(new_bytes),
		.flags = flags,
	};
	enum quire_status status;

	qr_mm_enter(mm);
	status = remap(&r);
	qr_mm_leave(mm);
	if (status == QUIRE_OK)
		*out = r.new;
	return status;
}
