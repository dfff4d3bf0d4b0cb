/* SPDX-License-Identifier: MIT */
/* mm_brk.c - the break, as Linux's brk(2): it moves, or it stays where it was. */
#include "core/space/mm.h"

static uint64_t page_round(uint64_t bytes)
{
	return (bytes + QUIRE_PAGE_BYTES - 1) & ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
}

static bool shrink(struct quire_mm *mm, uint64_t from, uint64_t to)
{
	const struct quire_area *a = qr_mm_from(mm, to);

	if (a == NULL || a->start >= from)
		return false;
	return qr_mm_unmap_range(mm, to, from) == QUIRE_OK;
}

static bool may_grow(struct quire_mm *mm, uint64_t from, uint64_t to)
{
	const struct quire_area *next = qr_mm_from(mm, from);
	uint64_t pages = qr_pages(to - from);

	if (to > mm->config.window.end.a || !qr_mm_may_lock(mm, mm->marks_next, pages))
		return false;
	/* One page stays free before what comes next. */
	if (next != NULL && to + QUIRE_PAGE_BYTES > qr_area_gap_start(mm, next))
		return false;
	return qr_mm_nr_areas(mm) <= mm->vm->config.max_areas &&
	       qr_mm_may_expand(mm, QUIRE_READ | QUIRE_WRITE, 0, (int64_t)pages) &&
	       qr_mm_reserve(mm, 1);
}

static bool grow(struct quire_mm *mm, uint64_t from, uint64_t to)
{
	struct qr_proposal p = {
		.start = from,
		.end = to,
		.prot = QUIRE_READ | QUIRE_WRITE,
		.marks = mm->marks_next | QUIRE_AREA_CHARGED,
		.offset = qr_pages(from),
		.only_extend = true,
	};
	const struct quire_area *before;

	if (!may_grow(mm, from, to) || !qr_vm_charge(mm->vm, qr_pages(to - from)))
		return false;
	qr_mm_account(mm, p.prot, p.marks, (int64_t)qr_pages(to - from));
	/* Only an area of the break's own is made longer. */
	before = qr_mm_before(mm, from);
	if (before != NULL && before->end > mm->config.brk.a)
		qr_mm_add(mm, &p);
	else
		qr_mm_copy_in(mm, &p);
	return true;
}

static bool within_data_limit(const struct quire_mm *mm, uint64_t want)
{
	return mm->config.limits.data == QUIRE_UNLIMITED ||
	       want - mm->config.brk.a <= mm->config.limits.data;
}

/* True where the pages that came need to be brought in. */
static bool move(struct quire_mm *mm, uint64_t want)
{
	uint64_t from = page_round(mm->brk.a), to = page_round(want);

	if (want < mm->config.brk.a || !within_data_limit(mm, want))
		return false;
	if (to < from && !shrink(mm, from, to))
		return false;
	if (to > from && !grow(mm, from, to))
		return false;
	mm->brk.a = want;
	return to > from && (mm->marks_next & QUIRE_AREA_LOCKED) != 0;
}

uint64_t quire_mm_brk(struct quire_mm *mm, uint64_t want)
{
	uint64_t from, brk;

	qr_mm_enter(mm);
	from = page_round(mm->brk.a);
	if (move(mm, want))
		(void)qr_mm_populate(mm, from, page_round(want), true);
	brk = mm->brk.a;
	qr_mm_leave(mm);
	return brk;
}
