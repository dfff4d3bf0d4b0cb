/* SPDX-License-Identifier: MIT */
/* mm_hugetlb.h - areas of pages from a pool: what the files of an mm ask of them. */
#ifndef QUIRE_CORE_SPACE_MM_HUGETLB_H
#define QUIRE_CORE_SPACE_MM_HUGETLB_H

#include "core/space/mm.h"

static inline bool qr_area_is_hugetlb(const struct quire_area *area)
{
	return qr_area_is(area, QUIRE_AREA_HUGETLB);
}

static inline enum quire_huge_size qr_hugetlb_size(uint32_t marks)
{
	return (marks & QUIRE_AREA_HUGE_1G) != 0 ? QUIRE_HUGE_1G : QUIRE_HUGE_2M;
}

/* Bytes of a page of such an area. */
static inline uint64_t qr_hugetlb_bytes(uint32_t marks)
{
	return 1ull << (qr_hugetlb_size(marks) == QUIRE_HUGE_1G ? 30 : 21);
}

/* Frames that the pools have. */
uint64_t qr_hugetlb_frames(const struct quire_vm *vm);
/* Small pages of a page of the block at frame, which is of a pool. */
uint32_t qr_hugetlb_pages(const struct quire_frame *frame);

/* The object of a shared area that is to come. */
enum quire_status qr_hugetlb_make_object(struct quire_vm *vm, struct qr_proposal *p);
/* A call that is going to promise pages begins. */
void qr_hugetlb_begin(struct quire_vm *vm, uint32_t marks);
/* Promises the pages of the area that is to come now; QUIRE_NO_MEMORY: the pool has too
 * few. */
enum quire_status qr_hugetlb_promise(struct quire_vm *vm, struct qr_proposal *p);
/* The area goes: what it was promised is free again; then its pages may be zapped. */
void qr_hugetlb_release(struct quire_mm *mm, struct quire_area *area);
/* bytes of the area are about to be released though they go on elsewhere. */
void qr_hugetlb_promise_again(struct quire_vm *vm, const struct quire_area *area,
			      uint64_t bytes);
/* Whether areas may be cut at start, which lies in area or below it, and at end.  As on
 * Linux area is cut at start where only end is wrong; a record for it is reserved. */
bool qr_hugetlb_may_cut_slowly(struct quire_mm *mm, struct quire_area *area,
			       uint64_t start, uint64_t end);
static inline bool qr_hugetlb_may_cut(struct quire_mm *mm, struct quire_area *area,
				      uint64_t start, uint64_t end)
{
	return (!qr_area_is_hugetlb(area) && end <= area->end) ||
	       qr_hugetlb_may_cut_slowly(mm, area, start, end);
}
/* Whether madvise may do that there; *end is moved to where it does. */
bool qr_hugetlb_may_advise(const struct quire_area *area, enum quire_mm_advice kind,
			   uint64_t start, uint64_t *end);

/* MADV_REMOVE in an area that is shared. */
void qr_hugetlb_punch(struct quire_vm *vm, const struct quire_area *area, uint64_t start,
		      uint64_t end);

/* QUIRE_PAST_END: the pool is empty, SIGBUS. */
enum quire_status qr_hugetlb_fault(struct quire_mm *mm, struct quire_area *area,
				   uint64_t va, bool write, enum quire_fault_kind *kind);
/* The tables for a page at va, reclaiming for them if need be. */
bool qr_hugetlb_make_place(struct quire_mm *mm, uint64_t va, uint32_t marks);
/* One large page of mm, which may be in an area that stays. */
void qr_hugetlb_zap(struct quire_mm *mm, const struct qr_large *at);
bool qr_hugetlb_copy(struct quire_mm *parent, struct quire_mm *child,
		     const struct qr_large *at);
/* The object gives up a page that no area shows. */
void qr_hugetlb_put_object_page(struct quire_vm *vm, struct quire_object *object,
				quire_pfn pfn);
/* The object is gone, and empty. */
void qr_hugetlb_release_object(struct quire_vm *vm, const struct quire_object *object);

#endif
