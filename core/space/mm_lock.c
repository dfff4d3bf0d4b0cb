/* SPDX-License-Identifier: MIT */
/* mm_lock.c - mlock and its kin: areas marked, one after another, then brought in. */
#include "core/space/mm_hugetlb.h"

#define IN_PAGE ((uint64_t)QUIRE_PAGE_BYTES - 1)

#define LOCKS (QUIRE_AREA_LOCKED | QUIRE_AREA_ONFAULT)

/* Gives the part of area marks for its locks. */
static bool lock_part(struct quire_mm *mm, struct quire_area *area, uint64_t start,
		      uint64_t end, uint32_t locks)
{
	uint32_t marks = (area->marks & ~LOCKS) | locks;
	int64_t pages = (int64_t)qr_pages(end - start);

	/* Pages of a pool do not go out. */
	if (marks == area->marks || qr_area_is_hugetlb(area))
		return true;
	if (!qr_mm_reserve(mm, 3))
		return false;
	qr_mm_account(mm, area->prot, area->marks, -pages);
	qr_mm_account(mm, area->prot, marks, pages);
	qr_mm_modify(mm, area, start, end, area->prot, marks);
	return true;
}

static enum quire_status lock_range(struct quire_mm *mm, uint64_t start, uint64_t end,
				    uint32_t locks)
{
	while (start < end) {
		struct quire_area *area = qr_mm_area(mm, start);
		uint64_t stop;

		if (area == NULL)
			return QUIRE_NO_MEMORY;
		stop = area->end < end ? area->end : end;
		if (!lock_part(mm, area, start, stop, locks))
			return QUIRE_NO_MEMORY;
		start = stop;
	}
	return QUIRE_OK;
}

/* Pages of [start, end) that are locked already: they do not count twice. */
static uint64_t locked_pages(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	const struct quire_area *a = qr_mm_from(mm, start);
	uint64_t pages = 0;

	for (; a != NULL && a->start < end; a = qr_mm_from(mm, a->end)) {
		uint64_t from = a->start > start ? a->start : start;
		uint64_t to = a->end < end ? a->end : end;

		if (qr_area_is(a, QUIRE_AREA_LOCKED))
			pages += qr_pages(to - from);
	}
	return pages;
}

static bool is_within_limit(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	uint64_t sum = mm->figures.locked + qr_pages(end - start);

	if (mm->config.is_privileged || mm->config.limits.locked == QUIRE_UNLIMITED)
		return true;
	if (sum > qr_pages(mm->config.limits.locked))
		sum -= locked_pages(mm, start, end);
	return sum <= qr_pages(mm->config.limits.locked);
}

static bool may_lock(const struct quire_mm *mm)
{
	return mm->config.is_privileged || mm->config.limits.locked != 0;
}

static uint32_t locks_of(uint32_t flags)
{
	return QUIRE_AREA_LOCKED |
	       ((flags & QUIRE_MM_ONFAULT) != 0 ? QUIRE_AREA_ONFAULT : 0);
}

enum quire_status quire_mm_lock(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				uint32_t flags)
{
	uint64_t end = (start + bytes + IN_PAGE) & ~IN_PAGE;
	enum quire_status status;

	if (!may_lock(mm))
		return QUIRE_DENIED;
	if ((flags & ~QUIRE_MM_ONFAULT) != 0)
		return QUIRE_INVALID;
	start &= ~IN_PAGE;
	qr_mm_enter(mm);
	if (end < start)
		status = QUIRE_INVALID;
	else if (!is_within_limit(mm, start, end))
		status = QUIRE_NO_MEMORY;
	else
		status = lock_range(mm, start, end, locks_of(flags));
	if (status == QUIRE_OK && qr_mm_populate(mm, start, end, false) != QUIRE_OK)
		status = QUIRE_NO_MEMORY;
	qr_mm_leave(mm);
	return status;
}

enum quire_status quire_mm_unlock(struct quire_mm *mm, uint64_t start, uint64_t bytes)
{
	uint64_t end = (start + bytes + IN_PAGE) & ~IN_PAGE;
	enum quire_status status;

	start &= ~IN_PAGE;
	if (end < start)
		return QUIRE_INVALID;
	qr_mm_enter(mm);
	status = lock_range(mm, start, end, 0);
	qr_mm_leave(mm);
	return status;
}

static void lock_every(struct quire_mm *mm, uint32_t locks)
{
	struct quire_area *a = qr_mm_from(mm, 0);

	while (a != NULL) {
		uint64_t end = a->end;

		(void)lock_part(mm, a, a->start, end, locks);
		a = qr_mm_from(mm, end);
	}
}

enum quire_status quire_mm_lock_all(struct quire_mm *mm, uint32_t flags)
{
	const uint32_t when = QUIRE_MM_LOCK_CURRENT | QUIRE_MM_LOCK_FUTURE;
	bool current = (flags & QUIRE_MM_LOCK_CURRENT) != 0;

	if ((flags & ~(when | QUIRE_MM_ONFAULT)) != 0 || (flags & when) == 0)
		return QUIRE_INVALID;
	if (!may_lock(mm))
		return QUIRE_DENIED;
	qr_mm_enter(mm);
	if (current && !mm->config.is_privileged &&
	    mm->config.limits.locked != QUIRE_UNLIMITED &&
	    mm->figures.total > qr_pages(mm->config.limits.locked)) {
		qr_mm_leave(mm);
		return QUIRE_NO_MEMORY;
	}
	mm->marks_next = (flags & QUIRE_MM_LOCK_FUTURE) != 0 ? locks_of(flags) : 0;
	if (current) {
		lock_every(mm, locks_of(flags));
		(void)qr_mm_populate(mm, 0, mm->config.window.end.a, true);
	}
	qr_mm_leave(mm);
	return QUIRE_OK;
}

enum quire_status quire_mm_unlock_all(struct quire_mm *mm)
{
	qr_mm_enter(mm);
	mm->marks_next = 0;
	lock_every(mm, 0);
	qr_mm_leave(mm);
	return QUIRE_OK;
}
