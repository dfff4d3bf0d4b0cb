/* SPDX-License-Identifier: MIT */
/* mm_hugetlb.c - faults, forks and unmapping of pages from a pool.
 *
 * Who was promised a page gets one.  A private area's promise stands for each of its pages
 * that is not there; a page that came is private to it until a fork, and what a fork made
 * common is copied without a promise: where the pool has nothing to spare the one that was
 * promised the page keeps it, the others lose it, and their next access is a bus error.
 * (Linux, mm/hugetlb.c, hugetlb_wp() and unmap_ref_private().)
 */
#include "core/space/mm_hugetlb.h"

#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm_pool.h"

static uint32_t level_of(uint32_t marks)
{
	return qr_hugetlb_size(marks) == QUIRE_HUGE_1G ? 2 : 1;
}

static struct quire_frame *frame_at(const struct qr_large *at, const struct quire_mm *mm)
{
	return qr_zone_frame(&mm->vm->zone, qr_entry_pfn(*at->entry));
}

/* ---- promises */

static uint64_t pages_of(const struct quire_area *area)
{
	return (area->end - area->start) / qr_hugetlb_bytes(area->marks);
}

static uint64_t pages_there(struct quire_mm *mm, const struct quire_area *area)
{
	struct quire_range left = {{area->start}, {area->end}};
	struct qr_large at;
	uint64_t nr = 0;

	while (left.start.a < area->end && qr_tables_next_large(&mm->tables, left, &at)) {
		left.start.a = at.base + at.bytes;
		nr++;
	}
	return nr;
}

enum quire_status qr_hugetlb_make_object(struct quire_vm *vm, struct qr_proposal *p)
{
	struct quire_object *object;

	do
		object = qr_object_new(&vm->objects, &vm->zone,
				       qr_pages(p->end - p->start), &p->object);
	while (object == NULL && vm->pressure(vm));
	if (object == NULL)
		return QUIRE_NO_MEMORY;
	if (p->object > QUIRE_PAGE_OWNERS) {
		qr_object_free(&vm->objects, p->object);
		return QUIRE_NO_MEMORY;
	}
	object->huge_marks = p->marks;
	return QUIRE_OK;
}

void qr_hugetlb_begin(struct quire_vm *vm, uint32_t marks)
{
	qr_pool_for(vm, marks)->late = 0;
}

enum quire_status qr_hugetlb_promise(struct quire_vm *vm, struct qr_proposal *p)
{
	struct qr_pool_of_pages *pool = qr_pool_for(vm, p->marks);
	uint64_t nr = (p->end - p->start) / qr_hugetlb_bytes(p->marks);

	if ((p->marks & QUIRE_AREA_NORESERVE) != 0)
		return QUIRE_OK;
	/* On Linux an object is a file, which goes at the end of the call. */
	if (nr + pool->late > pool->nr_free - pool->reserved)
		return QUIRE_NO_MEMORY;
	p->marks |= QUIRE_AREA_PROMISED;
	pool->reserved += nr;
	if (p->object != 0)
		qr_object_at(&vm->objects, p->object)->huge_marks = p->marks;
	return QUIRE_OK;
}

static bool is_promised(const struct quire_area *area)
{
	return area->object == 0 && qr_area_is(area, QUIRE_AREA_PROMISED);
}

void qr_hugetlb_release(struct quire_mm *mm, struct quire_area *area)
{
	if (!is_promised(area))
		return;
	qr_pool_for(mm->vm, area->marks)->reserved -=
		pages_of(area) - pages_there(mm, area);
	area->marks &= ~QUIRE_AREA_PROMISED;
}

void qr_hugetlb_promise_again(struct quire_vm *vm, const struct quire_area *area,
			      uint64_t bytes)
{
	if (is_promised(area))
		qr_pool_for(vm, area->marks)->reserved +=
			bytes / qr_hugetlb_bytes(area->marks);
}

void qr_hugetlb_release_object(struct quire_vm *vm, const struct quire_object *object)
{
	uint32_t marks = object->huge_marks;
	struct qr_pool_of_pages *pool = qr_pool_for(vm, marks);
	uint64_t nr = (object->nr_pages << QUIRE_PAGE_SHIFT) / qr_hugetlb_bytes(marks);

	if ((marks & QUIRE_AREA_PROMISED) == 0)
		return;
	pool->reserved -= nr;
	pool->late += nr;
}

void qr_hugetlb_put_object_page(struct quire_vm *vm, struct quire_object *object,
				quire_pfn pfn)
{
	struct qr_pool_of_pages *pool = qr_pool_for(vm, object->huge_marks);

	QUIRE_ASSERT(qr_zone_frame(&vm->zone, pfn)->nr_entries == 1);
	qr_pool_give(vm, pool, pfn);
	if ((object->huge_marks & QUIRE_AREA_PROMISED) != 0)
		pool->reserved++;
	else
		pool->late++;
}

/* ---- what may be done with an area */

static bool is_cut_well(const struct quire_area *a, uint64_t va)
{
	return a == NULL || !qr_area_is_hugetlb(a) || va <= a->start || va >= a->end ||
	       (va & (qr_hugetlb_bytes(a->marks) - 1)) == 0;
}

bool qr_hugetlb_may_cut_slowly(struct quire_mm *mm, struct quire_area *area,
			       uint64_t start, uint64_t end)
{
	if (!is_cut_well(area, start))
		return false;
	if (is_cut_well(qr_mm_area(mm, end), end))
		return true;
	if (area->start < start)
		qr_mm_split(mm, area, start);
	return false;
}

bool qr_hugetlb_may_advise(const struct quire_area *area, enum quire_mm_advice kind,
			   uint64_t start, uint64_t *end)
{
	uint64_t in_page = qr_hugetlb_bytes(area->marks) - 1;

	switch (kind) {
	case QUIRE_MM_FREE:
	case QUIRE_MM_COLD:
	case QUIRE_MM_PAGEOUT:
	case QUIRE_MM_COLLAPSE:
	case QUIRE_MM_WIPEONFORK:
		return false;
	case QUIRE_MM_DONTNEED:
		*end &= ~in_page;
		return (start & in_page) == 0;
	default:
		return true;
	}
}

/* The part of one page that lies between the two places, in bytes. */
static void zero_part(struct quire_vm *vm, const struct quire_object *object,
		      uint64_t from, uint64_t to)
{
	uint64_t in_page = qr_hugetlb_bytes(object->huge_marks) - 1;
	quire_entry e = qr_object_get(object, qr_pages(from & ~in_page));
	unsigned char *page;

	if (!qr_entry_is_present(e) || from >= to)
		return;
	page = qr_zone_address(&vm->zone, qr_entry_pfn(e));
	memset(page + (from & in_page), 0, to - from);
}

/* As Linux's hugetlbfs_punch_hole(): whole pages go, parts are cleared. */
void qr_hugetlb_punch(struct quire_vm *vm, const struct quire_area *area, uint64_t start,
		      uint64_t end)
{
	struct quire_object *object = qr_object_at(&vm->objects, area->object);
	uint64_t in_page = qr_hugetlb_bytes(area->marks) - 1;
	uint64_t base = (area->offset << QUIRE_PAGE_SHIFT) - area->start;
	uint64_t from = base + start, to = base + end;
	uint64_t first = (from + in_page) & ~in_page, last = to & ~in_page;

	zero_part(vm, object, from, to < first ? to : first);
	if (to > first)
		zero_part(vm, object, last, to);
	if (last <= first)
		return;
	qr_object_unmap(vm, area->object, qr_pages(first), qr_pages(last), false);
	qr_object_truncate(vm, object, qr_pages(first), qr_pages(last));
}

/* ---- entries */

static void set_entry(struct quire_mm *mm, const struct qr_large *at, quire_entry e)
{
	uint64_t was = qr_entry_is_large(*at->entry) ? 1 : 0;
	uint64_t is = qr_entry_is_large(e) ? 1 : 0;

	qr_large_set(&mm->tables, at, e);
	mm->nr_large += (uint32_t)(is - was);
	mm->figures.hugetlb += (is - was) * qr_pages(at->bytes);
}

static void flush(struct quire_mm *mm, const struct qr_large *at)
{
	qr_mm_flush(mm, at->base, at->base + at->bytes);
}

bool qr_hugetlb_make_place(struct quire_mm *mm, uint64_t va, uint32_t marks)
{
	struct qr_large at;

	while (!qr_tables_make_large(&mm->tables, (quire_vaddr){va}, level_of(marks), 0,
				     &at))
		if (!mm->vm->pressure(mm->vm))
			return false;
	return true;
}

/* One of those who lose the page to the space that ctx names. */
static bool bereave_one(void *ctx, struct quire_mm *mm, const struct quire_area *area,
			const struct qr_leaf *leaf, uint32_t index)
{
	struct qr_large at;

	(void)index;
	if (mm == ctx)
		return true;
	(void)qr_tables_large(&mm->tables, (quire_vaddr){leaf->base}, &at);
	frame_at(&at, mm)->nr_entries--;
	set_entry(mm, &at, (quire_entry){0});
	qr_mm_area(mm, area->start)->marks |= QUIRE_AREA_BEREFT;
	flush(mm, &at);
	qr_tables_prune(&mm->tables, (quire_vaddr){at.base});
	return true;
}

static void bereave(struct quire_mm *keeper, quire_pfn pfn)
{
	qr_rmap_walk(keeper->vm, pfn, bereave_one, keeper);
}

void qr_hugetlb_zap(struct quire_mm *mm, const struct qr_large *at)
{
	const struct quire_area *area = qr_mm_area(mm, at->base);
	struct qr_pool_of_pages *pool = qr_pool_for(mm->vm, area->marks);
	struct quire_frame *frame = frame_at(at, mm);
	quire_pfn pfn = qr_entry_pfn(*at->entry);

	set_entry(mm, at, (quire_entry){0});
	/* Promised again, and the pool has nothing to spare. */
	if (is_promised(area) && frame->nr_entries > 1 && pool->nr_free == pool->reserved)
		bereave(mm, pfn);
	if (frame->nr_entries == 1)
		qr_pool_give(mm->vm, pool, pfn);
	else
		frame->nr_entries--;
	if (is_promised(area))
		pool->reserved++;
}

bool qr_hugetlb_copy(struct quire_mm *parent, struct quire_mm *child,
		     const struct qr_large *at)
{
	struct quire_frame *frame = frame_at(at, parent);
	quire_entry e = qr_entry_without(*at->entry, QUIRE_ENTRY_WRITABLE);
	struct qr_large to;

	if (frame->nr_entries == QUIRE_PAGE_MAPS_MAX ||
	    !qr_tables_make_large(&child->tables, (quire_vaddr){at->base}, at->level, 0,
				  &to))
		return false;
	frame->nr_entries++;
	frame->owner &= ~QUIRE_PAGE_EXCLUSIVE;
	*at->entry = e;
	set_entry(child, &to, qr_entry_without(e, QUIRE_ENTRY_ACCESSED));
	return true;
}

/* ---- faults */

struct fault {
	struct quire_mm *mm;
	struct quire_vm *vm;
	struct quire_area *area;
	struct qr_pool_of_pages *pool;
	struct qr_large at;
	bool write;
	enum quire_fault_kind *kind;
};

static uint64_t index_of(const struct fault *f)
{
	return f->area->offset + qr_pages(f->at.base - f->area->start);
}

static enum quire_status bus_error(const struct fault *f)
{
	*f->kind = QUIRE_FAULT_BUS;
	return QUIRE_PAST_END;
}

static quire_entry entry_for(const struct fault *f, quire_pfn pfn)
{
	quire_entry e = {qr_entry_present(pfn, 0).bits & ~QUIRE_ENTRY_USER};

	return qr_entry_with(e, QUIRE_ENTRY_LARGE | qr_area_flags(f->area));
}

static void own(const struct fault *f, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&f->vm->zone, pfn);

	qr_mm_prepare_anon(f->mm, f->area);
	frame->nr_entries = 1;
	frame->owner =
		qr_page_owner(false, f->mm->family, index_of(f)) | QUIRE_PAGE_EXCLUSIVE;
}

static void *bytes_of(const struct fault *f, quire_pfn pfn)
{
	return qr_zone_address(&f->vm->zone, pfn);
}

static enum quire_status map_private(struct fault *f)
{
	quire_entry e;
	quire_pfn pfn;

	if (qr_area_is(f->area, QUIRE_AREA_BEREFT) ||
	    !qr_pool_take(f->vm, f->pool, is_promised(f->area), &pfn))
		return bus_error(f);
	memset(bytes_of(f, pfn), 0, f->at.bytes);
	own(f, pfn);
	*f->kind = QUIRE_FAULT_ANON;
	e = entry_for(f, pfn);
	/* As on Linux the first write has a fault of its own. */
	if (!f->write)
		e = qr_entry_without(e, QUIRE_ENTRY_WRITABLE);
	set_entry(f->mm, &f->at, e);
	return QUIRE_OK;
}

static enum quire_status map_object(struct fault *f)
{
	struct quire_object *object = qr_object_at(&f->vm->objects, f->area->object);
	uint64_t index = index_of(f);
	quire_entry e;
	quire_pfn pfn;

	if (index >= object->nr_pages)
		return bus_error(f);
	e = qr_object_get(object, index);
	pfn = qr_entry_pfn(e);
	if (!qr_entry_is_present(e)) {
		bool promised = qr_area_is(f->area, QUIRE_AREA_PROMISED);

		if (!qr_pool_take(f->vm, f->pool, promised, &pfn))
			return bus_error(f);
		if (!qr_object_set(object, index, qr_entry_present(pfn, 0))) {
			qr_pool_give(f->vm, f->pool, pfn);
			f->pool->reserved += promised ? 1 : 0;
			return QUIRE_NO_MEMORY;
		}
		memset(bytes_of(f, pfn), 0, f->at.bytes);
		qr_zone_frame(&f->vm->zone, pfn)->nr_entries = 1;
		qr_zone_frame(&f->vm->zone, pfn)->owner =
			qr_page_owner(true, f->area->object, index);
	}
	qr_zone_frame(&f->vm->zone, pfn)->nr_entries++;
	*f->kind = QUIRE_FAULT_MAPPED;
	set_entry(f->mm, &f->at, entry_for(f, pfn));
	return QUIRE_OK;
}

static enum quire_status reuse(struct fault *f, quire_pfn pfn)
{
	qr_zone_frame(&f->vm->zone, pfn)->owner |= QUIRE_PAGE_EXCLUSIVE;
	*f->at.entry =
		qr_entry_with(*f->at.entry, qr_area_flags(f->area) | QUIRE_ENTRY_DIRTY);
	*f->kind = QUIRE_FAULT_REUSE;
	return QUIRE_OK;
}

/* A write to a page that came from before a fork. */
static enum quire_status copy(struct fault *f)
{
	quire_pfn old = qr_entry_pfn(*f->at.entry), pfn;
	struct quire_frame *frame = qr_zone_frame(&f->vm->zone, old);

	if (frame->nr_entries == 1)
		return reuse(f, old);
	if (!qr_pool_take(f->vm, f->pool, false, &pfn)) {
		if (!is_promised(f->area))
			return bus_error(f);
		bereave(f->mm, old);
		return reuse(f, old);
	}
	memcpy(bytes_of(f, pfn), bytes_of(f, old), f->at.bytes);
	own(f, pfn);
	frame->nr_entries--;
	*f->kind = QUIRE_FAULT_COPY;
	set_entry(f->mm, &f->at, qr_entry_with(entry_for(f, pfn), QUIRE_ENTRY_DIRTY));
	flush(f->mm, &f->at);
	return QUIRE_OK;
}

enum quire_status qr_hugetlb_fault(struct quire_mm *mm, struct quire_area *area,
				   uint64_t va, bool write, enum quire_fault_kind *kind)
{
	struct fault f = {mm, mm->vm, area, .write = write, .kind = kind};
	enum quire_status status;

	f.pool = qr_pool_for(mm->vm, area->marks);
	if (!qr_tables_make_large(&mm->tables, (quire_vaddr){va}, level_of(area->marks),
				  0, &f.at))
		return QUIRE_NO_MEMORY;
	if (qr_entry_is_large(*f.at.entry)) {
		*kind = QUIRE_FAULT_SPURIOUS;
		if (!write || qr_entry_has(*f.at.entry, QUIRE_ENTRY_WRITABLE))
			return QUIRE_OK;
		return copy(&f);
	}
	status = area->object != 0 ? map_object(&f) : map_private(&f);
	if (status != QUIRE_OK)
		qr_tables_prune(&mm->tables, (quire_vaddr){va});
	return status;
}
