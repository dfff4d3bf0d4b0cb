/* SPDX-License-Identifier: MIT */
/* mm_protect.c - mprotect: area after area, so that what comes before a hole or a limit
 * has changed when the call fails. */
#include "core/space/mm_hugetlb.h"

/* What changing [start, end) of area does to the charge: false where it cannot be. */
static bool recharge(struct quire_mm *mm, const struct quire_area *area, uint64_t pages,
		     uint32_t prot, uint32_t *marks)
{
	const uint32_t exempt = QUIRE_AREA_CHARGED | QUIRE_AREA_SHARED |
				QUIRE_AREA_NORESERVE | QUIRE_AREA_HUGETLB;

	if ((prot & QUIRE_WRITE) != 0) {
		if (!qr_mm_may_expand(mm, prot, area->marks, (int64_t)pages) &&
		    qr_mm_may_expand(mm, area->prot, area->marks, (int64_t)pages))
			return false;
		if ((area->marks & exempt) != 0 || (area->prot & QUIRE_WRITE) != 0)
			return true;
		if (!qr_vm_charge(mm->vm, pages))
			return false;
		*marks |= QUIRE_AREA_CHARGED;
	} else if (qr_area_is(area, QUIRE_AREA_CHARGED) && qr_is_private(area) &&
		   area->anon == 0 && area->object == 0) {
		*marks &= ~QUIRE_AREA_CHARGED;
		qr_vm_uncharge(mm->vm, pages);
	}
	return true;
}

static enum quire_status change(struct quire_mm *mm, struct quire_area *area,
				uint64_t start, uint64_t end, uint32_t prot)
{
	uint64_t pages = qr_pages(end - start);
	uint32_t marks = area->marks, old_prot = area->prot;
	bool is_locked = qr_area_is(area, QUIRE_AREA_LOCKED) && qr_is_private(area);

	if (area->prot == prot)
		return QUIRE_OK;
	if ((prot & QUIRE_WRITE) != 0 && qr_area_is(area, QUIRE_AREA_READONLY))
		return QUIRE_REFUSED;
	if (!qr_mm_reserve(mm, 3))
		return QUIRE_NO_MEMORY;
	if (!qr_hugetlb_may_cut(mm, area, start, end))
		return QUIRE_INVALID;
	if (!recharge(mm, area, pages, prot, &marks))
		return QUIRE_NO_MEMORY;
	qr_mm_account(mm, area->prot, area->marks, -(int64_t)pages);
	qr_mm_account(mm, prot, marks, (int64_t)pages);
	area = qr_mm_modify(mm, area, start, end, prot, marks);
	qr_mm_reprotect(mm, area, start, end);
	qr_mm_flush(mm, start, end);
	/* A locked page does not wait for its first write. */
	if (is_locked && (old_prot & QUIRE_WRITE) == 0 && (prot & QUIRE_WRITE) != 0 &&
	    !qr_area_is(area, QUIRE_AREA_ONFAULT))
		(void)qr_mm_populate_part(mm, start, end, true);
	return QUIRE_OK;
}

static enum quire_status protect(struct quire_mm *mm, uint64_t start, uint64_t end,
				 uint32_t prot)
{
	while (start < end) {
		struct quire_area *area = qr_mm_area(mm, start);
		enum quire_status status;
		uint64_t stop;

		if (area == NULL)
			return QUIRE_NO_MEMORY;
		stop = area->end < end ? area->end : end;
		status = change(mm, area, start, stop, prot);
		if (status != QUIRE_OK)
			return status;
		start = stop;
	}
	return QUIRE_OK;
}

enum quire_status quire_mm_protect(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				   uint32_t prot)
{
	const uint64_t in_page = QUIRE_PAGE_BYTES - 1;
	uint64_t end = start + ((bytes + in_page) & ~in_page);
	enum quire_status status;

	if ((start & in_page) != 0 ||
	    (prot & ~(QUIRE_READ | QUIRE_WRITE | QUIRE_EXEC)) != 0)
		return QUIRE_INVALID;
	if (bytes == 0)
		return QUIRE_OK;
	if (end <= start)
		return QUIRE_NO_MEMORY;
	qr_mm_enter(mm);
	status = protect(mm, start, end, prot);
	qr_mm_leave(mm);
	return status;
}
