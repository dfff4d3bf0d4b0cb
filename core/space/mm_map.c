/* SPDX-License-Identifier: MIT */
/* mm_map.c - mmap and munmap: checked as Linux checks, in its order, then done. */
#include "core/base/assert.h"
#include "core/space/mm_hugetlb.h"

static uint64_t page_round(uint64_t bytes)
{
	return (bytes + QUIRE_PAGE_BYTES - 1) & ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What [start, end) has now: pages, and those that are charged. */
struct overlap {
	uint64_t pages, charged;
};

static struct overlap overlap_of(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	const struct quire_area *a = qr_mm_from(mm, start);
	struct overlap sum = {0, 0};

	for (; a != NULL && a->start < end; a = qr_mm_from(mm, a->end)) {
		uint64_t pages = qr_pages(least(a->end, end) - most(a->start, start));

		sum.pages += pages;
		if (qr_area_is(a, QUIRE_AREA_CHARGED))
			sum.charged += pages;
	}
	return sum;
}

static bool may_cut(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	const struct quire_area *a = qr_mm_area(mm, start);

	return a == NULL || a->start >= start || a->end <= end ||
	       qr_mm_nr_areas(mm) < mm->vm->config.max_areas;
}

static void remove_area(struct quire_mm *mm, struct quire_area *a)
{
	uint64_t pages = qr_pages(a->end - a->start);

	if (qr_area_is_hugetlb(a))
		qr_hugetlb_release(mm, a);
	qr_mm_zap(mm, a->start, a->end);
	qr_mm_account(mm, a->prot, a->marks, -(int64_t)pages);
	if (qr_area_is(a, QUIRE_AREA_CHARGED))
		qr_vm_uncharge(mm->vm, pages);
	qr_mm_forget(mm, a);
}

/* Whether va lies inside an area, which unmapping up to or from there cuts. */
static bool is_inside(struct quire_mm *mm, uint64_t va)
{
	const struct quire_area *a = qr_mm_area(mm, va);

	return a != NULL && a->start < va;
}

enum quire_status qr_mm_unmap_range(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	struct quire_area *a = qr_mm_from(mm, start);

	if (a == NULL || a->start >= end)
		return QUIRE_OK;
	if ((a->start < start || (a->end != end && is_inside(mm, end))) &&
	    (!may_cut(mm, start, end) || !qr_mm_reserve(mm, 2)))
		return QUIRE_NO_MEMORY;
	if (!qr_hugetlb_may_cut(mm, a, start, end))
		return QUIRE_INVALID;
	if (a->start < start)
		a = qr_mm_split(mm, a, start);
	while (a != NULL && a->start < end) {
		uint64_t next = a->end;

		if (a->end > end)
			qr_mm_split(mm, a, end);
		remove_area(mm, a);
		a = next < end ? qr_mm_from(mm, next) : NULL;
	}
	return QUIRE_OK;
}

enum quire_status quire_mm_unmap(struct quire_mm *mm, uint64_t start, uint64_t bytes)
{
	uint64_t top = mm->config.window.end.a;
	enum quire_status status;

	if ((start & (QUIRE_PAGE_BYTES - 1)) != 0 || start > top || bytes > top - start ||
	    bytes == 0)
		return QUIRE_INVALID;
	qr_mm_enter(mm);
	status = qr_mm_unmap_range(mm, start, start + page_round(bytes));
	qr_mm_leave(mm);
	return status;
}

static uint32_t marks_of(const struct quire_mm *mm, uint32_t flags)
{
	uint32_t marks = mm->marks_next;

	if ((flags & QUIRE_MM_LOCKED) != 0)
		marks |= QUIRE_AREA_LOCKED;
	if ((flags & QUIRE_MM_GROWSDOWN) != 0)
		marks |= QUIRE_AREA_GROWSDOWN;
	if ((flags & QUIRE_MM_SHARED) != 0)
		marks |= QUIRE_AREA_SHARED;
	if ((flags & QUIRE_MM_NORESERVE) != 0 &&
	    mm->vm->config.overcommit != QUIRE_OVERCOMMIT_NEVER)
		marks |= QUIRE_AREA_NORESERVE;
	if ((flags & QUIRE_MM_HUGETLB) != 0)
		marks |= QUIRE_AREA_HUGETLB;
	if ((flags & QUIRE_MM_HUGE_1G) != 0)
		marks |= QUIRE_AREA_HUGE_1G;
	return marks;
}

/* Everything that can be refused before something is changed. */
static enum quire_status check(struct quire_mm *mm, struct qr_proposal *p, uint32_t flags)
{
	const uint32_t kinds = QUIRE_MM_SHARED | QUIRE_MM_PRIVATE;
	uint64_t pages = qr_pages(p->end - p->start);

	if ((flags & QUIRE_MM_NOREPLACE) != 0 && !p->is_free)
		return QUIRE_EXISTS;
	if ((flags & QUIRE_MM_LOCKED) != 0 && !mm->config.is_privileged &&
	    mm->config.limits.locked == 0)
		return QUIRE_DENIED;
	if (!qr_mm_may_lock(mm, p->marks, pages))
		return QUIRE_AGAIN;
	if (p->is_file && p->offset + pages > qr_pages(QR_FILE_BYTES_MAX))
		return QUIRE_OVERFLOW;
	if ((flags & kinds) != QUIRE_MM_SHARED && (flags & kinds) != QUIRE_MM_PRIVATE)
		return QUIRE_INVALID;
	if ((flags & QUIRE_MM_SHARED) != 0 && (p->prot & QUIRE_WRITE) != 0 &&
	    (p->marks & QUIRE_AREA_READONLY) != 0)
		return QUIRE_REFUSED;
	if (((flags & (QUIRE_MM_SHARED | QUIRE_MM_HUGETLB)) != 0 || p->is_file) &&
	    (flags & QUIRE_MM_GROWSDOWN) != 0)
		return QUIRE_INVALID;
	return QUIRE_OK;
}

/* A new object behind a shared area, charged by its whole length. */
static enum quire_status make_object(struct quire_vm *vm, struct qr_proposal *p)
{
	uint64_t pages = qr_pages(p->end - p->start);
	bool charged = (p->marks & QUIRE_AREA_NORESERVE) == 0;
	struct quire_object *object;

	if (charged && !qr_vm_charge(vm, pages))
		return QUIRE_NO_MEMORY;
	do
		object = qr_object_new(&vm->objects, &vm->zone, pages, &p->object);
	while (object == NULL && vm->pressure(vm));
	if (object != NULL && p->object <= QUIRE_PAGE_OWNERS) {
		object->is_charged = charged;
		object->charges_pages = !charged;
		return QUIRE_OK;
	}
	if (object != NULL)
		qr_object_free(&vm->objects, p->object);
	if (charged)
		qr_vm_uncharge(vm, pages);
	return QUIRE_NO_MEMORY;
}

static void drop_object(struct quire_vm *vm, const struct qr_proposal *p)
{
	struct quire_object *object = qr_object_at(&vm->objects, p->object);

	if (p->is_file)
		return;
	if (object->is_charged)
		qr_vm_uncharge(vm, object->nr_pages);
	qr_object_free(&vm->objects, p->object);
}

static bool is_charged(const struct qr_proposal *p)
{
	return (p->prot & QUIRE_WRITE) != 0 &&
	       (p->marks &
		(QUIRE_AREA_SHARED | QUIRE_AREA_NORESERVE | QUIRE_AREA_HUGETLB)) == 0;
}

static enum quire_status replace(struct quire_mm *mm, struct qr_proposal *p)
{
	struct overlap old = {0, 0};
	int64_t pages = (int64_t)qr_pages(p->end - p->start);
	enum quire_status status;

	if (!p->is_free)
		old = overlap_of(mm, p->start, p->end);
	if (!qr_mm_may_expand(mm, p->prot, p->marks, pages - (int64_t)old.pages))
		return QUIRE_NO_MEMORY;
	if (is_charged(p)) {
		if (!qr_vm_may_charge(mm->vm, pages - (int64_t)old.charged))
			return QUIRE_NO_MEMORY;
		p->marks |= QUIRE_AREA_CHARGED;
	}
	if ((p->marks & QUIRE_AREA_SHARED) != 0 && !p->is_file) {
		status = (p->marks & QUIRE_AREA_HUGETLB) != 0
				 ? qr_hugetlb_make_object(mm->vm, p)
				 : make_object(mm->vm, p);
		if (status != QUIRE_OK)
			return status;
	}
	if ((p->marks & QUIRE_AREA_HUGETLB) != 0)
		qr_hugetlb_begin(mm->vm, p->marks);
	/* Two records for cutting, one for the new area. */
	status = QUIRE_NO_MEMORY;
	if (qr_mm_reserve(mm, 3))
		status = p->is_free ? QUIRE_OK : qr_mm_unmap_range(mm, p->start, p->end);
	/* As on Linux what was there has gone when the pool refuses. */
	if (status == QUIRE_OK && (p->marks & QUIRE_AREA_HUGETLB) != 0)
		status = qr_hugetlb_promise(mm->vm, p);
	if (status != QUIRE_OK && p->object != 0)
		drop_object(mm->vm, p);
	return status;
}

#define FIXED (QUIRE_MM_FIXED | QUIRE_MM_NOREPLACE)

/* Bytes of a page of the pool that flags name. */
static uint64_t pooled_bytes(uint32_t flags)
{
	return qr_hugetlb_bytes((flags & QUIRE_MM_HUGE_1G) != 0 ? QUIRE_AREA_HUGE_1G : 0);
}

/* An area of a pool lies at a multiple of its page's size. */
static enum quire_status place_pooled(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
				      uint32_t flags, uint64_t *out)
{
	uint64_t in_page = pooled_bytes(flags) - 1;

	if ((flags & FIXED) != 0 && (hint & in_page) != 0)
		return QUIRE_INVALID;
	if ((flags & FIXED) != 0)
		return qr_mm_place(mm, hint, bytes, true, out);
	hint &= ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
	return qr_mm_place_aligned(mm, (hint + in_page) & ~in_page, bytes, in_page + 1,
				   out);
}

/* A large area begins where a huge page may. */
static enum quire_status place(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
			       bool is_file, uint32_t flags, uint64_t *out)
{
	if ((flags & QUIRE_MM_HUGETLB) != 0)
		return place_pooled(mm, hint, bytes, flags, out);
	if ((flags & FIXED) != 0)
		return qr_mm_place(mm, hint, bytes, true, out);
	return qr_mm_place_near(mm, hint, bytes,
				!is_file && (flags & QUIRE_MM_SHARED) == 0, out);
}

static enum quire_status map(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
			     struct qr_proposal *p, uint32_t flags)
{
	uint64_t floor = mm->config.window.start.a;
	enum quire_status status;
	bool is_locked;

	if ((flags & FIXED) == 0 && hint >= QUIRE_PAGE_BYTES && hint < floor)
		hint = floor;
	if (qr_mm_nr_areas(mm) > mm->vm->config.max_areas)
		return QUIRE_NO_MEMORY;
	status = place(mm, hint, bytes, p->is_file, flags, &p->start);
	if (status != QUIRE_OK)
		return status;
	p->end = p->start + bytes;
	p->is_free = qr_areas_are_free(&mm->areas, p->start, p->end);
	p->marks |= marks_of(mm, flags);
	status = check(mm, p, flags);
	if (status != QUIRE_OK)
		return status;
	/* Pages of a pool do not go out; they are not counted as locked. */
	is_locked = (p->marks & QUIRE_AREA_LOCKED) != 0;
	if ((flags & QUIRE_MM_HUGETLB) != 0)
		p->marks &= ~(QUIRE_AREA_LOCKED | QUIRE_AREA_ONFAULT);
	status = replace(mm, p);
	if (status != QUIRE_OK)
		return status;
	if (p->object == 0)
		p->offset = qr_pages(p->start);
	if ((p->marks & QUIRE_AREA_CHARGED) != 0)
		mm->vm->committed += qr_pages(bytes);
	qr_mm_account(mm, p->prot, p->marks, (int64_t)qr_pages(bytes));
	qr_mm_add(mm, p);
	if (is_locked || (flags & QUIRE_MM_POPULATE) != 0)
		(void)qr_mm_populate(mm, p->start, p->end, true);
	return QUIRE_OK;
}

static enum quire_status call(struct quire_mm *mm, uint64_t start, uint64_t bytes,
			      struct qr_proposal *p, uint32_t flags, uint64_t *out)
{
	uint64_t in_page = QUIRE_PAGE_BYTES - 1;
	enum quire_status status;

	if (bytes == 0 ||
	    (flags & (QUIRE_MM_HUGETLB | QUIRE_MM_HUGE_1G)) == QUIRE_MM_HUGE_1G)
		return QUIRE_INVALID;
	if ((flags & QUIRE_MM_HUGETLB) != 0)
		in_page = pooled_bytes(flags) - 1;
	bytes = (bytes + in_page) & ~in_page;
	if (bytes == 0)
		return QUIRE_NO_MEMORY;
	qr_mm_enter(mm);
	status = map(mm, start, bytes, p, flags);
	qr_mm_leave(mm);
	if (status == QUIRE_OK)
		*out = p->start;
	return status;
}

enum quire_status quire_mm_map(struct quire_mm *mm, uint64_t start, uint64_t bytes,
			       uint32_t prot, uint32_t flags, uint64_t *out)
{
	struct qr_proposal p = {.prot = prot};

	return call(mm, start, bytes, &p, flags, out);
}

enum quire_status quire_mm_map_file(struct quire_mm *mm, struct quire_file *file,
				    uint64_t offset, uint64_t start, uint64_t bytes,
				    uint32_t prot, uint32_t flags, uint64_t *out)
{
	struct qr_proposal p = {
		.prot = prot,
		.offset = qr_pages(offset),
		.object = file->object,
		.is_file = true,
	};

	/* No file is one of a pool. */
	if ((offset & (QUIRE_PAGE_BYTES - 1)) != 0 ||
	    (flags & (QUIRE_MM_HUGETLB | QUIRE_MM_HUGE_1G)) != 0)
		return QUIRE_INVALID;
	if (file->config.is_readonly && (flags & QUIRE_MM_SHARED) != 0)
		p.marks = QUIRE_AREA_READONLY;
	return call(mm, start, bytes, &p, flags, out);
}
