/* SPDX-License-Identifier: MIT */
/* mm_advise.c - madvise: area after area; a hole is passed over, and told at the end. */
#include "core/space/mm_hugetlb.h"

#define IN_PAGE ((uint64_t)QUIRE_PAGE_BYTES - 1)

#define READING (QUIRE_AREA_RANDOM | QUIRE_AREA_SEQUENTIAL)
#define HUGE	(QUIRE_AREA_HUGE | QUIRE_AREA_NOHUGE)

struct advice {
	struct quire_mm *mm;
	struct quire_area *area;
	uint64_t start, end; /* within area */
	enum quire_mm_advice kind;
};

static enum quire_status mark(const struct advice *a, uint32_t clear, uint32_t set)
{
	uint32_t marks = (a->area->marks & ~clear) | set;

	if (marks == a->area->marks)
		return QUIRE_OK;
	if (!qr_mm_reserve(a->mm, 3))
		return QUIRE_NO_MEMORY;
	if (!qr_hugetlb_may_cut(a->mm, a->area, a->start, a->end))
		return QUIRE_INVALID;
	qr_mm_modify(a->mm, a->area, a->start, a->end, a->area->prot, marks);
	return QUIRE_OK;
}

static enum quire_status wipe_on_fork(const struct advice *a)
{
	if (a->area->object != 0 || !qr_is_private(a->area))
		return QUIRE_INVALID;
	return mark(a, 0, QUIRE_AREA_WIPEONFORK);
}

static enum quire_status drop(const struct advice *a)
{
	if (qr_area_is(a->area, QUIRE_AREA_LOCKED))
		return QUIRE_INVALID;
	qr_mm_zap(a->mm, a->start, a->end);
	return QUIRE_OK;
}

/* What is out is forgotten; what is in may be, unless it is written to again. */
static enum quire_status drop_lazily(const struct advice *a)
{
	struct quire_vm *vm = a->mm->vm;

	if (a->area->object != 0 || qr_area_is(a->area, QUIRE_AREA_LOCKED))
		return QUIRE_INVALID;
	qr_large_free_lazily(a->mm, a->start, a->end);
	for (uint64_t va = a->start; va < a->end; va += QUIRE_PAGE_BYTES) {
		uint32_t i = qr_leaf_index((quire_vaddr){va});
		struct qr_leaf leaf;
		quire_entry e;

		if (!qr_tables_leaf(&a->mm->tables, (quire_vaddr){va}, &leaf))
			continue;
		e = leaf.entries[i];
		if (qr_entry_is_swapped(e)) {
			qr_mm_zap(a->mm, va, va + QUIRE_PAGE_BYTES);
		} else if (qr_entry_is_present(e) && qr_entry_pfn(e).n != vm->zero.n) {
			struct quire_frame *frame =
				qr_zone_frame(&vm->zone, qr_entry_pfn(e));

			if (frame->nr_entries > 1)
				continue;
			frame->owner |= QUIRE_PAGE_LAZY;
			qr_page_deactivate(&vm->cache.workingset, frame);
			leaf.entries[i] = qr_entry_without(
				e, QUIRE_ENTRY_DIRTY | QUIRE_ENTRY_ACCESSED);
		}
	}
	qr_mm_flush(a->mm, a->start, a->end);
	return QUIRE_OK;
}

static enum quire_status punch(const struct advice *a)
{
	struct quire_vm *vm = a->mm->vm;
	uint64_t first = a->area->offset + qr_pages(a->start - a->area->start);
	uint64_t last = first + qr_pages(a->end - a->start);

	if (qr_area_is(a->area, QUIRE_AREA_LOCKED) ||
	    (a->area->object == 0 && !qr_area_is_hugetlb(a->area)))
		return QUIRE_INVALID;
	if (qr_is_private(a->area) || qr_area_is(a->area, QUIRE_AREA_READONLY))
		return QUIRE_REFUSED;
	if (qr_area_is_hugetlb(a->area)) {
		qr_hugetlb_punch(vm, a->area, a->start, a->end);
		return QUIRE_OK;
	}
	return qr_object_punch(vm, a->area->object, first, last);
}

static void make_entry_old(struct quire_vm *vm, quire_entry *e)
{
	struct quire_frame *frame;

	if (!qr_entry_is_present(*e) || qr_entry_pfn(*e).n == vm->zero.n)
		return;
	frame = qr_zone_frame(&vm->zone, qr_entry_pfn(*e));
	*e = qr_entry_without(*e, QUIRE_ENTRY_ACCESSED);
	qr_page_deactivate(&vm->cache.workingset, frame);
	frame->slot &= ~QUIRE_PAGE_REFERENCED;
}

static enum quire_status make_old(const struct advice *a)
{
	struct quire_range range = {{a->start}, {a->end}};
	struct qr_leaf leaf;

	if (qr_area_is(a->area, QUIRE_AREA_LOCKED))
		return QUIRE_INVALID;
	qr_large_age(a->mm, a->start, a->end);
	while (range.start.a < a->end &&
	       qr_tables_next_leaf(&a->mm->tables, range, &leaf)) {
		for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
			uint64_t va = qr_leaf_address(&leaf, i).a;

			if (va >= a->start && va < a->end)
				make_entry_old(a->mm->vm, &leaf.entries[i]);
		}
		range.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	return QUIRE_OK;
}

/* Pages that no other process has: the others' say is asked by reclaim. */
static enum quire_status page_out(const struct advice *a)
{
	struct quire_vm *vm = a->mm->vm;

	if (qr_area_is(a->area, QUIRE_AREA_LOCKED))
		return QUIRE_INVALID;
	for (uint64_t va = a->start; va < a->end; va += QUIRE_PAGE_BYTES) {
		const struct quire_frame *frame;
		struct qr_leaf leaf;
		quire_entry e;

		if (!qr_tables_leaf(&a->mm->tables, (quire_vaddr){va}, &leaf)) {
			va |= QUIRE_LEAF_BYTES - QUIRE_PAGE_BYTES;
			continue;
		}
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
		if (!qr_entry_is_present(e) || qr_entry_pfn(e).n == vm->zero.n)
			continue;
		frame = qr_zone_frame(&vm->zone, qr_entry_pfn(e));
		if (frame->nr_entries == 1u + qr_page_is(frame, QUIRE_PAGE_OF_OBJECT))
			(void)vm->evict(vm, qr_entry_pfn(e));
	}
	return QUIRE_OK;
}

static enum quire_status populate(const struct advice *a)
{
	bool write = a->kind == QUIRE_MM_POPULATE_WRITE;
	enum quire_status status;

	if ((a->area->prot & (write ? QUIRE_WRITE : QUIRE_READ)) == 0)
		return QUIRE_INVALID;
	status = qr_mm_populate_part(a->mm, a->start, a->end, write);
	return status == QUIRE_PAST_END ? QUIRE_FAULT : status;
}

static enum quire_status advise_area(struct advice *a)
{
	if (qr_area_is_hugetlb(a->area) &&
	    !qr_hugetlb_may_advise(a->area, a->kind, a->start, &a->end))
		return QUIRE_INVALID;
	switch (a->kind) {
	case QUIRE_MM_NORMAL:
		return mark(a, READING, 0);
	case QUIRE_MM_RANDOM:
		return mark(a, READING, QUIRE_AREA_RANDOM);
	case QUIRE_MM_SEQUENTIAL:
		return mark(a, READING, QUIRE_AREA_SEQUENTIAL);
	case QUIRE_MM_DONTFORK:
		return mark(a, 0, QUIRE_AREA_DONTFORK);
	case QUIRE_MM_DOFORK:
		return mark(a, QUIRE_AREA_DONTFORK, 0);
	case QUIRE_MM_WIPEONFORK:
		return wipe_on_fork(a);
	case QUIRE_MM_KEEPONFORK:
		return mark(a, QUIRE_AREA_WIPEONFORK, 0);
	case QUIRE_MM_HUGEPAGE:
		return mark(a, HUGE, QUIRE_AREA_HUGE);
	case QUIRE_MM_NOHUGEPAGE:
		return mark(a, HUGE, QUIRE_AREA_NOHUGE);
	case QUIRE_MM_DONTNEED:
		return drop(a);
	case QUIRE_MM_FREE:
		return drop_lazily(a);
	case QUIRE_MM_REMOVE:
		return punch(a);
	case QUIRE_MM_COLD:
		return make_old(a);
	case QUIRE_MM_PAGEOUT:
		return page_out(a);
	case QUIRE_MM_POPULATE_READ:
	case QUIRE_MM_POPULATE_WRITE:
		return populate(a);
	case QUIRE_MM_COLLAPSE:
		return qr_huge_collapse(a->mm, a->area, a->start, a->end);
	case QUIRE_MM_WILLNEED:
		qr_mm_will_need(a->mm, a->area, a->start, a->end);
		return QUIRE_OK;
	case QUIRE_MM_ADVICES:
		return QUIRE_OK;
	}
	return QUIRE_INVALID;
}

static enum quire_status advise(struct quire_mm *mm, uint64_t start, uint64_t end,
				enum quire_mm_advice kind)
{
	bool stops = kind == QUIRE_MM_POPULATE_READ || kind == QUIRE_MM_POPULATE_WRITE;
	enum quire_status holes = QUIRE_OK;
	uint64_t va = start;

	while (va < end) {
		struct advice a = {.mm = mm, .area = qr_mm_from(mm, va), .kind = kind};
		enum quire_status status;

		if (a.area == NULL || a.area->start > va)
			holes = QUIRE_NO_MEMORY;
		if (a.area == NULL || a.area->start >= end ||
		    (stops && holes != QUIRE_OK))
			return QUIRE_NO_MEMORY;
		a.start = a.area->start > va ? a.area->start : va;
		a.end = va = a.area->end < end ? a.area->end : end;
		status = advise_area(&a);
		if (status != QUIRE_OK)
			return status;
	}
	return holes;
}

enum quire_status quire_mm_advise(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				  enum quire_mm_advice advice)
{
	uint64_t end = start + ((bytes + IN_PAGE) & ~IN_PAGE);
	enum quire_status status;

	if (advice >= QUIRE_MM_ADVICES || (start & IN_PAGE) != 0 || end < start ||
	    (bytes != 0 && end == start))
		return QUIRE_INVALID;
	if (bytes == 0)
		return QUIRE_OK;
	qr_mm_enter(mm);
	if (advice == QUIRE_MM_REMOVE || advice == QUIRE_MM_POPULATE_WRITE)
		qr_vm_wait_written(mm->vm);
	status = advise(mm, start, end, advice);
	qr_mm_leave(mm);
	return status;
}

static bool is_resident(struct quire_mm *mm, const struct quire_area *area, uint64_t va)
{
	const struct quire_object *object;
	struct qr_large large;
	struct qr_leaf leaf;
	quire_entry e;

	if (qr_tables_large(&mm->tables, (quire_vaddr){va}, &large))
		return true;
	if (qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf)) {
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
		if (!qr_entry_is_empty(e))
			return qr_entry_is_present(e) || qr_swap_is_cached(mm->vm, e);
	}
	if (area->object == 0)
		return false;
	object = qr_object_at(&mm->vm->objects, area->object);
	e = qr_object_get(object, area->offset + qr_pages(va - area->start));
	return qr_entry_is_present(e) || qr_swap_is_cached(mm->vm, e);
}

enum quire_status quire_mm_incore(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				  unsigned char *vec)
{
	uint64_t top = mm->config.window.end.a, end;
	enum quire_status status = QUIRE_OK;

	if ((start & IN_PAGE) != 0)
		return QUIRE_INVALID;
	if (start > top || bytes > top - start)
		return QUIRE_NO_MEMORY;
	end = start + ((bytes + IN_PAGE) & ~IN_PAGE);
	qr_mm_enter(mm);
	for (uint64_t va = start; va < end && status == QUIRE_OK;
	     va += QUIRE_PAGE_BYTES) {
		const struct quire_area *area = qr_mm_area(mm, va);

		if (area == NULL)
			status = QUIRE_NO_MEMORY;
		else
			*vec++ = is_resident(mm, area, va);
	}
	qr_mm_leave(mm);
	return status;
}

enum quire_status quire_mm_sync(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				uint32_t flags)
{
	const uint32_t both = QUIRE_MM_SYNC_ASYNC | QUIRE_MM_SYNC_SYNC;
	uint64_t end = start + ((bytes + IN_PAGE) & ~IN_PAGE);
	enum quire_status status = QUIRE_OK, wrote = QUIRE_OK;

	if ((flags & ~(both | QUIRE_MM_SYNC_INVALIDATE)) != 0 || (start & IN_PAGE) != 0 ||
	    (flags & both) == both)
		return QUIRE_INVALID;
	if (end < start)
		return QUIRE_NO_MEMORY;
	qr_mm_enter(mm);
	while (start < end) {
		const struct quire_area *a = qr_mm_from(mm, start);
		uint64_t next;

		if (a == NULL || a->start >= end) {
			status = QUIRE_NO_MEMORY;
			break;
		}
		next = a->end;
		if (a->start > start)
			status = QUIRE_NO_MEMORY;
		if ((flags & QUIRE_MM_SYNC_INVALIDATE) != 0 &&
		    qr_area_is(a, QUIRE_AREA_LOCKED)) {
			status = QUIRE_BUSY;
			break;
		}
		if ((flags & QUIRE_MM_SYNC_SYNC) != 0)
			wrote = qr_mm_sync_area(mm, a,
						start > a->start ? start : a->start,
						end < a->end ? end : a->end);
		if (wrote != QUIRE_OK) {
			status = wrote;
			break;
		}
		/* The lock may have been let go of. */
		start = next;
	}
	if ((flags & QUIRE_MM_SYNC_SYNC) != 0)
		qr_vm_wait_written(mm->vm);
	qr_mm_leave(mm);
	return status;
}
