/* SPDX-License-Identifier: MIT */
/* mm_areas.c - areas joined and cut, by the rules of Linux's struct vma_merge.
 *
 * Two areas that touch are one when protection, marks and object are the same, their
 * offsets go on, and their anonymous pages can have a common history: one of the two
 * has none yet, or both have the same.  What came by fork keeps its own.
 */
#include "core/base/assert.h"
#include "core/space/mm_hugetlb.h"

struct quire_area *qr_mm_area(struct quire_mm *mm, uint64_t va)
{
	return qr_areas_find(&mm->areas, va);
}

struct quire_area *qr_mm_before(struct quire_mm *mm, uint64_t va)
{
	return qr_areas_last(&mm->areas, va);
}

struct quire_area *qr_mm_from(struct quire_mm *mm, uint64_t va)
{
	return qr_areas_first(&mm->areas, va);
}

bool qr_mm_reserve(struct quire_mm *mm, uint32_t nr)
{
	while (!qr_areas_reserve(&mm->areas, nr, 0))
		if (!mm->vm->pressure(mm->vm))
			return false;
	return true;
}

static uint64_t area_pages(const struct quire_area *a)
{
	return qr_pages(a->end - a->start);
}

static bool is_forked(const struct quire_area *a)
{
	return a->anon != 0 && qr_area_is(a, QUIRE_AREA_FORKED);
}

static bool are_alike(const struct quire_area *a, const struct qr_proposal *p)
{
	return a->prot == p->prot && a->object == p->object &&
	       ((a->marks ^ p->marks) & ~QUIRE_AREA_FORKED) == 0;
}

/* Whether area can take what is proposed into itself. */
static bool histories_agree(const struct quire_area *area, const struct qr_proposal *p)
{
	if (area->anon == 0 && p->anon != 0)
		return !p->is_forked;
	if (area->anon != 0 && p->anon == 0)
		return !is_forked(area);
	return area->anon == p->anon;
}

static bool joins_before(const struct quire_area *before, const struct qr_proposal *p)
{
	return before != NULL && before->end == p->start && are_alike(before, p) &&
	       !qr_area_is_hugetlb(before) &&
	       before->offset + area_pages(before) == p->offset &&
	       histories_agree(before, p);
}

static bool joins_behind(const struct quire_area *behind, const struct qr_proposal *p)
{
	return behind != NULL && behind->start == p->end && are_alike(behind, p) &&
	       !qr_area_is_hugetlb(behind) &&
	       p->offset + qr_pages(p->end - p->start) == behind->offset &&
	       histories_agree(behind, p);
}

static bool ends_agree(const struct quire_area *before, const struct quire_area *behind)
{
	return before->anon == 0 || behind->anon == 0 || before->anon == behind->anon;
}

static void inherit(struct quire_area *area, uint32_t anon, bool forked)
{
	if (area->anon != 0 || anon == 0)
		return;
	area->anon = anon;
	if (forked)
		area->marks |= QUIRE_AREA_FORKED;
}

static void inherit_from(struct quire_area *area, const struct quire_area *other)
{
	inherit(area, other->anon, is_forked(other));
}

static void set_end(struct quire_mm *mm, struct quire_area *area, uint64_t end)
{
	struct quire_area *next;

	area->end = end;
	next = qr_areas_first(&mm->areas, end);
	if (next != NULL)
		qr_area_refresh(&mm->areas, next->start);
}

static void set_start(struct quire_mm *mm, struct quire_area *area, uint64_t start)
{
	area->offset += qr_pages(start) - qr_pages(area->start);
	area->start = start;
	qr_area_refresh(&mm->areas, start);
}

void qr_mm_grow_down(struct quire_mm *mm, struct quire_area *area, uint64_t start)
{
	set_start(mm, area, start);
}

void qr_mm_forget(struct quire_mm *mm, struct quire_area *area)
{
	uint32_t object = area->object;

	qr_areas_give(&mm->areas, qr_area_unlink(&mm->areas, area->start));
	if (object != 0)
		qr_vm_put_object(mm->vm, object);
}

struct quire_area *qr_mm_copy_in(struct quire_mm *mm, const struct qr_proposal *p)
{
	struct quire_area *a = qr_areas_take(&mm->areas);

	a->start = p->start;
	a->end = p->end;
	a->prot = (uint8_t)p->prot;
	a->marks = p->marks & ~QUIRE_AREA_FORKED;
	a->offset = p->offset;
	a->object = p->object;
	inherit(a, p->anon, p->is_forked);
	qr_area_link(&mm->areas, a);
	if (p->object != 0)
		qr_object_at(&mm->vm->objects, p->object)->nr_areas++;
	return a;
}

struct quire_area *qr_mm_add(struct quire_mm *mm, const struct qr_proposal *p)
{
	struct quire_area *before = qr_mm_before(mm, p->start);
	struct quire_area *behind = qr_mm_from(mm, p->end);
	bool left = joins_before(before, p);
	bool right = !p->only_extend && joins_behind(behind, p) &&
		     (!left || ends_agree(before, behind));

	if (left && right) {
		uint64_t end = behind->end;

		inherit_from(before, behind);
		qr_mm_forget(mm, behind);
		set_end(mm, before, end);
	} else if (left) {
		set_end(mm, before, p->end);
	} else if (right) {
		set_start(mm, behind, p->start);
	} else {
		return qr_mm_copy_in(mm, p);
	}
	inherit(left ? before : behind, p->anon, p->is_forked);
	return left ? before : behind;
}

struct quire_area *qr_mm_split(struct quire_mm *mm, struct quire_area *area, uint64_t va)
{
	struct qr_proposal upper = {
		.start = va,
		.end = area->end,
		.prot = area->prot,
		.marks = area->marks,
		.offset = area->offset + qr_pages(va - area->start),
		.anon = area->anon,
		.object = area->object,
		.is_forked = is_forked(area),
	};

	QUIRE_ASSERT(va > area->start && va < area->end);
	qr_huge_cut(mm, va);
	area->end = va;
	return qr_mm_copy_in(mm, &upper);
}

/* All of middle goes to before, or all that lies below end. */
static struct quire_area *join_before(struct quire_mm *mm, struct quire_area *before,
				      struct quire_area *middle, uint64_t end)
{
	bool whole = end == middle->end;

	if (!whole)
		qr_huge_cut(mm, end);
	inherit_from(before, middle);
	if (whole)
		qr_mm_forget(mm, middle);
	else
		set_start(mm, middle, end);
	set_end(mm, before, end);
	return before;
}

static struct quire_area *join_behind(struct quire_mm *mm, struct quire_area *behind,
				      struct quire_area *middle, uint64_t start)
{
	if (start != middle->start)
		qr_huge_cut(mm, start);
	inherit_from(behind, middle);
	if (start == middle->start)
		qr_mm_forget(mm, middle);
	else
		set_end(mm, middle, start);
	set_start(mm, behind, start);
	return behind;
}

static struct quire_area *join_both(struct quire_mm *mm, struct quire_area *before,
				    struct quire_area *middle, struct quire_area *behind)
{
	uint64_t end = behind->end;

	inherit_from(before, behind->anon != 0 ? behind : middle);
	qr_mm_forget(mm, middle);
	qr_mm_forget(mm, behind);
	set_end(mm, before, end);
	return before;
}

struct quire_area *qr_mm_modify(struct quire_mm *mm, struct quire_area *area,
				uint64_t start, uint64_t end, uint32_t prot,
				uint32_t marks)
{
	struct qr_proposal p = {
		.start = start,
		.end = end,
		.prot = prot,
		.marks = marks,
		.offset = area->offset + qr_pages(start - area->start),
		.anon = area->anon,
		.object = area->object,
		.is_forked = is_forked(area),
	};
	struct quire_area *before = NULL, *behind = NULL;
	bool left, right;

	if (start == area->start)
		before = qr_mm_before(mm, start);
	if (end == area->end)
		behind = qr_mm_from(mm, end);
	left = joins_before(before, &p);
	right = joins_behind(behind, &p) && (!left || ends_agree(before, behind));
	if (left && right)
		return join_both(mm, before, area, behind);
	if (left)
		return join_before(mm, before, area, end);
	if (right)
		return join_behind(mm, behind, area, start);
	if (start > area->start)
		area = qr_mm_split(mm, area, start);
	if (end < area->end)
		qr_mm_split(mm, area, end);
	area->prot = (uint8_t)prot;
	area->marks = (marks & ~QUIRE_AREA_FORKED) | (area->marks & QUIRE_AREA_FORKED);
	return area;
}

/* Whether area may go by the neighbour's history: they could become one if protection
 * were the same. */
static bool can_share_history(const struct quire_area *low, const struct quire_area *high,
			      const struct quire_area *other)
{
	const uint32_t ignored = QUIRE_AREA_FORKED;

	return low->end == high->start && other->anon != 0 && !is_forked(other) &&
	       low->object == high->object &&
	       ((low->marks ^ high->marks) & ~ignored) == 0 &&
	       low->offset + area_pages(low) == high->offset;
}

void qr_mm_prepare_anon(struct quire_mm *mm, struct quire_area *area)
{
	const struct quire_area *before, *behind;

	if (area->anon != 0)
		return;
	behind = qr_mm_from(mm, area->end);
	if (behind != NULL && can_share_history(area, behind, behind)) {
		area->anon = behind->anon;
		return;
	}
	before = qr_mm_before(mm, area->start);
	if (before != NULL && can_share_history(before, area, before))
		area->anon = before->anon;
	else
		area->anon = ++mm->vm->next_anon;
}
