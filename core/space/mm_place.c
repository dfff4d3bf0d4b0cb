/* SPDX-License-Identifier: MIT */
/* mm_place.c - where an area without a fixed address goes.
 *
 * Downwards from mmap_top, the highest gap that is wide enough, as Linux's
 * arch_get_unmapped_area_topdown(); where there is none, upwards from mmap_bottom.  Below
 * a stack the guard gap is not free.
 */
#include "core/space/mm.h"

uint64_t qr_area_gap_start(const struct quire_mm *mm, const struct quire_area *area)
{
	uint64_t gap = mm->vm->config.stack_gap;

	if (!qr_area_is(area, QUIRE_AREA_GROWSDOWN))
		return area->start;
	return area->start > gap ? area->start - gap : 0;
}

static bool is_free(struct quire_mm *mm, uint64_t start, uint64_t bytes)
{
	const struct quire_area *next = qr_mm_from(mm, start);

	return next == NULL || start + bytes <= qr_area_gap_start(mm, next);
}

static uint64_t place_down(struct quire_mm *mm, uint64_t bytes)
{
	uint64_t high = mm->config.mmap_top;

	for (;;) {
		struct quire_area *next;
		uint64_t at = qr_areas_gap_below(&mm->areas, mm->config.window.start.a,
						 high, bytes, &next);

		if (at == 0)
			return 0;
		if (next == NULL || qr_area_gap_start(mm, next) >= at + bytes)
			return at;
		high = qr_area_gap_start(mm, next);
	}
}

static uint64_t place_up(struct quire_mm *mm, uint64_t bytes)
{
	uint64_t at = mm->config.mmap_bottom;
	const struct quire_area *next = qr_mm_from(mm, at);

	while (next != NULL && qr_area_gap_start(mm, next) < at + bytes) {
		at = next->end;
		next = qr_mm_from(mm, at);
	}
	return at + bytes <= mm->config.window.end.a ? at : 0;
}

static enum quire_status place_fixed(const struct quire_mm *mm, uint64_t at,
				     uint64_t bytes)
{
	if (at > mm->config.window.end.a - bytes)
		return QUIRE_NO_MEMORY;
	if ((at & (QUIRE_PAGE_BYTES - 1)) != 0)
		return QUIRE_INVALID;
	return at < mm->config.window.start.a ? QUIRE_DENIED : QUIRE_OK;
}

static uint64_t place(struct quire_mm *mm, uint64_t bytes)
{
	uint64_t at = place_down(mm, bytes);

	return at != 0 ? at : place_up(mm, bytes);
}

enum quire_status qr_mm_place(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
			      bool fixed, uint64_t *out)
{
	uint64_t end = mm->config.window.end.a;

	if (bytes > end)
		return QUIRE_NO_MEMORY;
	*out = hint;
	if (fixed)
		return place_fixed(mm, hint, bytes);
	hint &= ~(QUIRE_PAGE_BYTES - 1);
	if (hint != 0 && hint <= end - bytes && is_free(mm, hint, bytes)) {
		*out = hint;
		return QUIRE_OK;
	}
	*out = place(mm, bytes);
	return *out != 0 ? QUIRE_OK : QUIRE_NO_MEMORY;
}

/* The highest multiple within the highest gap that has one for sure: of a gap that ends
 * at e, e - bytes rounded down. */
static uint64_t place_at_multiple(struct quire_mm *mm, uint64_t bytes, uint64_t align,
				  uint64_t room)
{
	uint64_t at;

	if (bytes + room < bytes || bytes + room > mm->config.window.end.a)
		return 0;
	at = place(mm, bytes + room);
	return at == 0 ? 0 : (at + room) & ~(align - 1);
}

enum quire_status qr_mm_place_aligned(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
				      uint64_t align, uint64_t *out)
{
	uint64_t end = mm->config.window.end.a;

	if (bytes > end)
		return QUIRE_NO_MEMORY;
	*out = hint;
	if (hint != 0 && hint <= end - bytes && is_free(mm, hint, bytes))
		return QUIRE_OK;
	*out = place_at_multiple(mm, bytes, align, align - QUIRE_PAGE_BYTES);
	return *out != 0 ? QUIRE_OK : QUIRE_NO_MEMORY;
}

enum quire_status qr_mm_place_huge(struct quire_mm *mm, uint64_t bytes, uint64_t *out)
{
	/* thp_get_unmapped_area() asks for a whole huge page more. */
	*out = place_at_multiple(mm, bytes, QUIRE_HUGE_BYTES, QUIRE_HUGE_BYTES);
	return *out != 0 ? QUIRE_OK : qr_mm_place(mm, 0, bytes, false, out);
}
