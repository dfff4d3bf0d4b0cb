/* SPDX-License-Identifier: MIT */
/* mm_fault.c - what a fault in a process is, and what it brings in.
 *
 * A fault is resolved in one go under the machine's lock: what it needs is taken before
 * anything changes, and where a frame is lacking the fault starts anew after reclaim, for
 * by then the page or its table may be another.
 *
 * The page of zeros stands for every page that was only read; it is counted nowhere.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm_hugetlb.h"

/* Pages of an object that a read maps around its own where they are in memory: an aligned
 * window, as Linux's fault_around_bytes of 64 KiB. */
#define AROUND 16u

struct fault {
	struct quire_mm *mm;
	struct quire_vm *vm;
	struct quire_area *area;
	struct qr_leaf leaf;
	uint64_t va;
	bool write;
	quire_entry entry;
	enum quire_fault_kind kind;
};

static uint64_t index_of(const struct fault *f)
{
	return f->area->offset + qr_pages(f->va - f->area->start);
}

static void *bytes_of(const struct fault *f, quire_pfn pfn)
{
	return qr_zone_address(&f->vm->zone, pfn);
}

/* The frame is this page's from now on, and one entry names it. */
static void own(const struct fault *f, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&f->vm->zone, pfn);

	frame->nr_entries = 1;
	frame->owner =
		qr_page_owner(false, f->mm->family, index_of(f)) | QUIRE_PAGE_EXCLUSIVE;
	frame->slot = f->area->object != 0 ? QUIRE_PAGE_COPY : 0;
}

static void set(struct fault *f, quire_pfn pfn, uint64_t flags)
{
	quire_entry e = {qr_entry_present(pfn, 0).bits & ~QUIRE_ENTRY_USER};

	f->entry = qr_entry_with(e, flags);
	qr_mm_set(f->mm, &f->leaf, f->va, f->entry);
}

static enum quire_status map_zero_page(struct fault *f)
{
	f->kind = QUIRE_FAULT_ZERO;
	set(f, f->vm->zero, qr_area_flags(f->area) & ~QUIRE_ENTRY_WRITABLE);
	return QUIRE_OK;
}

static enum quire_status map_new(struct fault *f)
{
	quire_pfn pfn;

	if (!qr_vm_take(f->vm, &pfn))
		return QUIRE_NO_MEMORY;
	memset(bytes_of(f, pfn), 0, QUIRE_PAGE_BYTES);
	qr_mm_prepare_anon(f->mm, f->area);
	own(f, pfn);
	f->kind = QUIRE_FAULT_ANON;
	set(f, pfn, qr_area_flags(f->area));
	return QUIRE_OK;
}

static enum quire_status map_swapped(struct fault *f)
{
	quire_slot slot = {qr_entry_number(f->entry)};
	enum quire_status status;
	enum qr_swap_found found;
	quire_pfn pfn;

	status = qr_swap_in(f->vm, slot, qr_mm_reads_ahead(f->area), &pfn, &found);
	if (status != QUIRE_OK)
		return status;
	own(f, pfn);
	f->kind = found == QR_SWAP_OUT ? QUIRE_FAULT_MAJOR : QUIRE_FAULT_MAPPED;
	set(f, pfn, qr_area_flags(f->area) | QUIRE_ENTRY_DIRTY);
	qr_workingset_refault(&f->vm->cache.workingset, qr_zone_frame(&f->vm->zone, pfn),
			      qr_ghost_of_slot(slot.n));
	qr_vm_drop_slot(f->vm, slot);
	qr_mm_swapped_in(f->mm, f->area, f->va, found);
	return QUIRE_OK;
}

/* A write to a page that others may have too. */
static enum quire_status copy(struct fault *f)
{
	quire_pfn old = qr_entry_pfn(f->entry), pfn;
	struct quire_frame *frame = qr_zone_frame(&f->vm->zone, old);

	if (old.n != f->vm->zero.n && frame->nr_entries == 1) {
		frame->owner |= QUIRE_PAGE_EXCLUSIVE;
		f->kind = QUIRE_FAULT_REUSE;
		set(f, old, qr_area_flags(f->area) | QUIRE_ENTRY_DIRTY);
		return QUIRE_OK;
	}
	if (!qr_vm_take(f->vm, &pfn))
		return QUIRE_NO_MEMORY;
	memcpy(bytes_of(f, pfn), bytes_of(f, old), QUIRE_PAGE_BYTES);
	qr_mm_prepare_anon(f->mm, f->area);
	own(f, pfn);
	f->kind = QUIRE_FAULT_COPY;
	set(f, pfn, qr_area_flags(f->area) | QUIRE_ENTRY_DIRTY);
	qr_mm_flush(f->mm, f->va, f->va + QUIRE_PAGE_BYTES);
	if (old.n != f->vm->zero.n)
		qr_vm_put(f->vm, old);
	return QUIRE_OK;
}

/* Brings the page of the area's object in. */
static enum quire_status object_page(struct fault *f, quire_pfn *out)
{
	enum qr_fetch how = QR_FETCH_AROUND;
	enum quire_status status;
	bool was_out;

	if (qr_area_is(f->area, QUIRE_AREA_RANDOM))
		how = QR_FETCH_ALONE;
	else if (qr_area_is(f->area, QUIRE_AREA_SEQUENTIAL))
		how = QR_FETCH_AHEAD;
	status = qr_object_page(f->vm, f->area->object, index_of(f), how, out, &was_out);
	f->kind = was_out ? QUIRE_FAULT_MAJOR : QUIRE_FAULT_MAPPED;
	if (status == QUIRE_IO || status == QUIRE_NO_SPACE)
		f->kind = QUIRE_FAULT_BUS;
	return status == QUIRE_NO_SPACE ? QUIRE_PAST_END : status;
}

static bool name_once_more(struct fault *f, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&f->vm->zone, pfn);

	if (frame->nr_entries == QUIRE_PAGE_MAPS_MAX)
		return false;
	frame->nr_entries++;
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The page whose use asks for the next window: only a fault tells that it is used. */
static uint64_t mark_of(const struct fault *f, const struct quire_object *object)
{
	if (!object->has_store || !qr_area_is(f->area, QUIRE_AREA_SEQUENTIAL))
		return UINT64_MAX;
	return qr_object_file(f->vm, object)->ahead_mark;
}

/* A read maps what is there of the window around it. */
static void map_around(struct fault *f, const struct quire_object *object)
{
	const uint64_t window = AROUND * QUIRE_PAGE_BYTES;
	uint64_t va = most(f->va & ~(window - 1), f->area->start);
	uint64_t here = f->va, mark = mark_of(f, object), end;

	/* A window that the area's start cuts off is as long as any other. */
	end = least(va + window, least(f->area->end, f->leaf.base + QUIRE_LEAF_BYTES));
	for (; va < end; va += QUIRE_PAGE_BYTES) {
		quire_entry e;

		if (va == here ||
		    !qr_entry_is_empty(f->leaf.entries[qr_leaf_index((quire_vaddr){va})]))
			continue;
		f->va = va;
		e = index_of(f) < object->nr_pages ? qr_object_get(object, index_of(f))
						   : (quire_entry){0};
		if (index_of(f) != mark && qr_entry_is_present(e) &&
		    name_once_more(f, qr_entry_pfn(e)))
			set(f, qr_entry_pfn(e), qr_object_flags(f->vm, f->area, false));
	}
	f->va = here;
}

/* A write to a page of the object that only this process is to see. */
static enum quire_status map_copy(struct fault *f)
{
	enum quire_status status;
	quire_pfn from, pfn;

	if (!qr_vm_take(f->vm, &pfn))
		return QUIRE_NO_MEMORY;
	own(f, pfn);
	status = object_page(f, &from);
	if (status != QUIRE_OK) {
		qr_vm_put(f->vm, pfn);
		return status;
	}
	memcpy(bytes_of(f, pfn), bytes_of(f, from), QUIRE_PAGE_BYTES);
	if (f->kind == QUIRE_FAULT_MAPPED)
		f->kind = QUIRE_FAULT_COPY;
	set(f, pfn, qr_area_flags(f->area) | QUIRE_ENTRY_DIRTY);
	return QUIRE_OK;
}

/* Sees to it that the page of a store is dirty before somebody may write to it. */
static void note_write(struct fault *f)
{
	struct quire_object *object = qr_object_at(&f->vm->objects, f->area->object);

	if (f->write && object->has_store)
		qr_file_set_dirty(qr_object_file(f->vm, object), index_of(f));
}

static enum quire_status map_object(struct fault *f)
{
	struct quire_object *object = qr_object_at(&f->vm->objects, f->area->object);
	enum quire_status status;
	quire_pfn pfn;

	/* Before anything else, as Linux: also a bus error maps what is there around it, or
	 * begins the history of private pages. */
	if (!f->write)
		map_around(f, object);
	else if (qr_is_private(f->area))
		qr_mm_prepare_anon(f->mm, f->area);
	if (index_of(f) >= object->nr_pages) {
		f->kind = QUIRE_FAULT_BUS;
		return QUIRE_PAST_END;
	}
	if (f->write && qr_is_private(f->area))
		return map_copy(f);
	status = object_page(f, &pfn);
	if (status != QUIRE_OK)
		return status;
	if (!name_once_more(f, pfn))
		return QUIRE_NO_MEMORY;
	note_write(f);
	set(f, pfn, qr_object_flags(f->vm, f->area, f->write));
	return QUIRE_OK;
}

/* The first write to a page of a store since it was read or written back. */
static enum quire_status allow_write(struct fault *f)
{
	note_write(f);
	f->kind = QUIRE_FAULT_REUSE;
	set(f, qr_entry_pfn(f->entry),
	    qr_object_flags(f->vm, f->area, true) | QUIRE_ENTRY_ACCESSED);
	return QUIRE_OK;
}

/* Where neither can be, that takes one look. */
static bool may_be_huge(const struct fault *f)
{
	return f->vm->huge.thp.enabled != QUIRE_THP_NEVER || f->mm->nr_large != 0 ||
	       qr_area_is_hugetlb(f->area);
}

static enum quire_status resolve(struct fault *f)
{
	enum quire_status status;

	if (may_be_huge(f)) {
		if (qr_area_is_hugetlb(f->area))
			return qr_hugetlb_fault(f->mm, f->area, f->va, f->write,
						&f->kind);
		if (qr_huge_fault(f->mm, f->area, f->va, f->write, &f->kind))
			return QUIRE_OK;
	}
	if (!qr_mm_leaf(f->mm, f->va, &f->leaf))
		return QUIRE_NO_MEMORY;
	f->entry = f->leaf.entries[qr_leaf_index((quire_vaddr){f->va})];
	if (qr_entry_is_present(f->entry)) {
		if (f->write && !qr_entry_has(f->entry, QUIRE_ENTRY_WRITABLE))
			return qr_is_private(f->area) ? copy(f) : allow_write(f);
		f->kind = QUIRE_FAULT_SPURIOUS;
		return QUIRE_OK;
	}
	if (qr_entry_is_swapped(f->entry))
		status = map_swapped(f);
	else if (f->area->object != 0)
		status = map_object(f);
	else
		status = f->write ? map_new(f) : map_zero_page(f);
	if (status != QUIRE_OK)
		qr_tables_prune(&f->mm->tables, (quire_vaddr){f->va});
	return status;
}

/* As Linux's handle_mm_fault(): the area allows the access. */
static enum quire_status handle(struct fault *f)
{
	enum quire_status status;

	if (f->write && !qr_is_private(f->area))
		qr_vm_balance_dirty(f->vm);
	do
		status = resolve(f);
	while (status == QUIRE_NO_MEMORY && f->vm->pressure(f->vm));
	if (status == QUIRE_OK) {
		if (f->kind == QUIRE_FAULT_MAJOR)
			f->mm->figures.major_faults++;
		else
			f->mm->figures.minor_faults++;
	} else if (status == QUIRE_NO_MEMORY) {
		f->kind = QUIRE_FAULT_OOM;
	}
	f->vm->figures.faults[f->kind]++;
	return status;
}

static bool allows(const struct quire_area *area, uint32_t code)
{
	if ((code & QUIRE_PF_WRITE) != 0)
		return (area->prot & QUIRE_WRITE) != 0;
	if ((code & QUIRE_PF_FETCH) != 0)
		return (area->prot & QUIRE_EXEC) != 0;
	return area->prot != 0;
}

/* As Linux's expand_downwards(). */
static bool grow_stack(struct quire_mm *mm, struct quire_area *area, uint64_t va)
{
	const struct quire_area *before = qr_mm_before(mm, area->start);
	uint64_t grow = qr_pages(area->start) - qr_pages(va);
	uint64_t size = area->end - va;

	if (va < mm->config.window.start.a || grow > area->offset)
		return false;
	if (before != NULL && !qr_area_is(before, QUIRE_AREA_GROWSDOWN) &&
	    before->prot != 0 && va - before->end < mm->vm->config.stack_gap)
		return false;
	if (before != NULL && before->end > va)
		return false;
	qr_mm_prepare_anon(mm, area);
	if (!qr_mm_may_expand(mm, area->prot, area->marks, (int64_t)grow) ||
	    size > mm->config.limits.stack || !qr_mm_may_lock(mm, area->marks, grow))
		return false;
	if (!qr_vm_may_charge(mm->vm, (int64_t)grow))
		return false;
	if (qr_area_is(area, QUIRE_AREA_CHARGED))
		mm->vm->committed += grow;
	qr_mm_account(mm, area->prot, area->marks, (int64_t)grow);
	qr_mm_grow_down(mm, area, va);
	return true;
}

static enum quire_status segv(struct quire_vm *vm, struct quire_fault *out,
			      enum quire_fault_kind kind)
{
	out->kind = kind;
	vm->figures.faults[kind]++;
	return QUIRE_FAULT;
}

enum quire_status quire_mm_fault(struct quire_mm *mm, uint64_t address, uint32_t code,
				 struct quire_fault *out)
{
	uint64_t va = address & ~(QUIRE_PAGE_BYTES - 1);
	struct fault f = {.mm = mm, .vm = mm->vm, .va = va};
	enum quire_status status;

	*out = (struct quire_fault){.address = address, .code = code};
	f.write = (code & QUIRE_PF_WRITE) != 0;
	qr_mm_enter(mm);
	do
		f.area = qr_mm_from(mm, va);
	while (f.write && f.area != NULL && qr_mm_waits(mm->vm, f.area, va));
	if (f.area != NULL && f.area->start > va &&
	    qr_area_is(f.area, QUIRE_AREA_GROWSDOWN))
		out->grew_stack = grow_stack(mm, f.area, va);
	if (f.area == NULL || f.area->start > va) {
		status = segv(mm->vm, out, QUIRE_FAULT_MAPERR);
	} else if (!allows(f.area, code)) {
		status = segv(mm->vm, out, QUIRE_FAULT_ACCERR);
	} else {
		status = handle(&f);
		out->kind = f.kind;
	}
	qr_mm_leave(mm);
	return status;
}

/* Whether an access of that kind would find the page as it is. */
static bool is_there(struct quire_mm *mm, uint64_t va, bool write)
{
	struct qr_large large;
	struct qr_leaf leaf;
	quire_entry e;

	if (mm->nr_large != 0 && qr_tables_large(&mm->tables, (quire_vaddr){va}, &large))
		e = *large.entry;
	else if (qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf))
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
	else
		return false;
	return qr_entry_is_present(e) &&
	       (!write || qr_entry_has(e, QUIRE_ENTRY_WRITABLE));
}

enum quire_status qr_mm_populate_part(struct quire_mm *mm, uint64_t start, uint64_t end,
				      bool for_write)
{
	struct fault f = {.mm = mm, .vm = mm->vm, .write = for_write};

	f.area = qr_mm_area(mm, start);
	QUIRE_ASSERT(f.area != NULL && end <= f.area->end);
	for (f.va = start; f.va < end; f.va += QUIRE_PAGE_BYTES) {
		enum quire_status status;

		if (is_there(mm, f.va, for_write))
			continue;
		status = handle(&f);
		if (status != QUIRE_OK)
			return status;
	}
	return QUIRE_OK;
}

/* What mlock and MAP_POPULATE do in one area. */
static enum quire_status populate_area(struct quire_mm *mm, const struct quire_area *a,
				       uint64_t start, uint64_t end)
{
	if (qr_area_is(a, QUIRE_AREA_ONFAULT))
		return QUIRE_OK;
	if (a->prot == 0)
		return QUIRE_FAULT;
	return qr_mm_populate_part(mm, start, end,
				   (a->prot & QUIRE_WRITE) != 0 && qr_is_private(a));
}

enum quire_status qr_mm_populate(struct quire_mm *mm, uint64_t start, uint64_t end,
				 bool ignore)
{
	while (start < end) {
		const struct quire_area *a = qr_mm_from(mm, start);
		enum quire_status status;

		if (a == NULL || a->start >= end)
			break;
		start = most(a->start, start);
		status = populate_area(mm, a, start, least(a->end, end));
		if (status != QUIRE_OK && !ignore)
			return status;
		start = least(a->end, end);
	}
	return QUIRE_OK;
}
