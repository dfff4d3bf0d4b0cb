/* SPDX-License-Identifier: MIT */
/* mm_collapse.c - where transparent huge pages come from: a first fault, or 512 small
 * pages that become one.
 *
 * Collapsing takes the leaf out of the tables first, so that nothing is written unseen,
 * and puts it back where a page cannot be read; else it is the new entry's deposit.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm.h"

#define IN_HUGE (QUIRE_HUGE_BYTES - 1)

static bool wants(enum quire_thp_mode mode, const struct quire_area *area)
{
	return mode == QUIRE_THP_ALWAYS ||
	       (mode == QUIRE_THP_MADVISE && qr_area_is(area, QUIRE_AREA_HUGE));
}

bool qr_huge_is_allowed(const struct quire_vm *vm, const struct quire_area *area,
			uint64_t base, bool asked)
{
	const uint32_t never = QUIRE_AREA_NOHUGE | QUIRE_AREA_HUGETLB;

	return area->object == 0 && (area->marks & never) == 0 &&
	       (asked || wants(vm->huge.thp.enabled, area)) && base >= area->start &&
	       base + QUIRE_HUGE_BYTES <= area->end;
}

static uint64_t owner_of(const struct quire_mm *mm, const struct quire_area *area,
			 uint64_t base)
{
	uint64_t index = area->offset + qr_pages(base - area->start);

	return qr_page_owner(false, mm->family, index) | QUIRE_PAGE_EXCLUSIVE;
}

static quire_entry entry_for(const struct quire_area *area, quire_pfn pfn)
{
	quire_entry e = {qr_entry_present(pfn, 0).bits & ~QUIRE_ENTRY_USER};

	return qr_entry_with(e, QUIRE_ENTRY_LARGE | qr_area_flags(area));
}

/* The block is the area's page at base from now on, and one entry names it. */
static void own(struct quire_mm *mm, struct quire_area *area, uint64_t base,
		quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&mm->vm->zone, pfn);

	qr_mm_prepare_anon(mm, area);
	frame->nr_entries = 1;
	frame->slot = 0;
	frame->owner = owner_of(mm, area, base);
}

static void give_back(struct quire_vm *vm, quire_pfn pfn)
{
	vm->huge.figures.anon--;
	qr_zone_free_block(&vm->zone, pfn, QUIRE_HUGE_ORDER);
}

static bool map_huge(struct quire_mm *mm, struct quire_area *area, uint64_t base)
{
	struct quire_vm *vm = mm->vm;
	struct qr_large at;
	quire_pfn pfn, table;

	if (!qr_huge_take(vm, wants(vm->huge.thp.defrag, area), &pfn))
		return false;
	if (!qr_tables_take_spare(&mm->tables, 0, &table)) {
		give_back(vm, pfn);
		return false;
	}
	if (!qr_tables_make_large(&mm->tables, (quire_vaddr){base}, 1, 0, &at)) {
		qr_tables_give_spare(&mm->tables, table);
		give_back(vm, pfn);
		return false;
	}
	memset(qr_zone_address(&vm->zone, pfn), 0, QUIRE_HUGE_BYTES);
	own(mm, area, base, pfn);
	qr_huge_enter(mm, &at, entry_for(area, pfn), table);
	qr_mm_count_rss(mm, QUIRE_HUGE_PAGES);
	return true;
}

/* An access that the entry does not allow as it is; false where small pages are needed. */
static bool touch(struct quire_mm *mm, const struct quire_area *area,
		  const struct qr_large *at, bool write, enum quire_fault_kind *kind)
{
	quire_pfn pfn = qr_entry_pfn(*at->entry);
	struct quire_frame *frame = qr_zone_frame(&mm->vm->zone, pfn);

	*kind = QUIRE_FAULT_SPURIOUS;
	if (!write || qr_entry_has(*at->entry, QUIRE_ENTRY_WRITABLE))
		return true;
	if (frame->nr_entries > 1) {
		qr_huge_split(mm->vm, pfn);
		return false;
	}
	*kind = QUIRE_FAULT_REUSE;
	frame->owner |= QUIRE_PAGE_EXCLUSIVE;
	*at->entry = qr_entry_with(*at->entry, qr_area_flags(area) | QUIRE_ENTRY_DIRTY);
	return true;
}

bool qr_huge_fault(struct quire_mm *mm, struct quire_area *area, uint64_t va, bool write,
		   enum quire_fault_kind *kind)
{
	struct quire_huge_figures *figures = &mm->vm->huge.figures;
	uint64_t base = va & ~IN_HUGE;
	struct qr_large at;
	struct qr_leaf leaf;

	if (area->object != 0)
		return false;
	if (qr_tables_large(&mm->tables, (quire_vaddr){va}, &at))
		return touch(mm, area, &at, write, kind);
	if (!qr_huge_is_allowed(mm->vm, area, base, false) ||
	    qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf))
		return false;
	if (!map_huge(mm, area, base)) {
		figures->fault_fallback++;
		return false;
	}
	figures->fault_alloc++;
	*kind = QUIRE_FAULT_ANON;
	return true;
}

/* ---- collapsing */

/* What the 512 pages are. */
struct look {
	uint32_t nr_none, nr_swapped, nr_shared, nr_present;
	bool is_young;
};

static struct look look_at(const struct quire_vm *vm, const struct qr_leaf *leaf)
{
	struct look look = {0};

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
		quire_entry e = leaf->entries[i];

		if (qr_entry_is_swapped(e)) {
			look.nr_swapped++;
		} else if (qr_entry_is_empty(e) || qr_entry_pfn(e).n == vm->zero.n) {
			look.nr_none++;
		} else {
			look.nr_present++;
			look.nr_shared +=
				qr_zone_frame(&vm->zone, qr_entry_pfn(e))->nr_entries > 1;
			look.is_young |= qr_entry_has(e, QUIRE_ENTRY_ACCESSED);
		}
	}
	return look;
}

/* khugepaged's choice: what is used, and does not cost too much. */
static bool is_worth_it(const struct quire_vm *vm, const struct look *look)
{
	const struct quire_thp *thp = &vm->huge.thp;

	return look->nr_none <= thp->max_ptes_none &&
	       look->nr_swapped <= thp->max_ptes_swap &&
	       look->nr_shared <= thp->max_ptes_shared && look->is_young;
}

static enum quire_status read_page(struct quire_vm *vm, quire_entry e, void *to)
{
	if (qr_entry_is_swapped(e))
		return qr_swap_peek(vm, (quire_slot){qr_entry_number(e)}, to);
	if (qr_entry_is_empty(e) || qr_entry_pfn(e).n == vm->zero.n)
		memset(to, 0, QUIRE_PAGE_BYTES);
	else
		memcpy(to, qr_zone_address(&vm->zone, qr_entry_pfn(e)), QUIRE_PAGE_BYTES);
	return QUIRE_OK;
}

static enum quire_status read_pages(struct quire_vm *vm, const struct qr_leaf *leaf,
				    quire_pfn block)
{
	enum quire_status status = QUIRE_OK;

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES && status == QUIRE_OK; i++)
		status = read_page(vm, leaf->entries[i],
				   qr_zone_address(&vm->zone, (quire_pfn){block.n + i}));
	return status;
}

/* The pages that the block has now, and their entries, are gone. */
static void empty_leaf(struct quire_mm *mm, const struct qr_leaf *leaf)
{
	struct quire_vm *vm = mm->vm;

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
		quire_entry e = leaf->entries[i];

		leaf->entries[i] = (quire_entry){0};
		if (qr_entry_is_swapped(e)) {
			qr_vm_drop_slot(vm, (quire_slot){qr_entry_number(e)});
			mm->figures.swapped--;
		} else if (qr_entry_is_present(e) && qr_entry_pfn(e).n != vm->zero.n) {
			qr_vm_put(vm, qr_entry_pfn(e));
		}
	}
	qr_zone_frame(&vm->zone, leaf->table)->nr_entries = 0;
}

static enum quire_status collapse(struct quire_mm *mm, struct quire_area *area,
				  const struct qr_leaf *leaf, const struct look *look,
				  quire_pfn block)
{
	struct qr_large at;
	enum quire_status status;
	bool done;

	done = qr_tables_make_large(&mm->tables, (quire_vaddr){leaf->base}, 1, 0, &at);
	QUIRE_ASSERT(done);
	qr_large_set(&mm->tables, &at, (quire_entry){0});
	qr_mm_flush(mm, at.base, at.base + at.bytes);
	status = read_pages(mm->vm, leaf, block);
	if (status != QUIRE_OK) {
		qr_large_set_table(&mm->tables, &at, leaf->table);
		return status;
	}
	empty_leaf(mm, leaf);
	own(mm, area, leaf->base, block);
	qr_huge_enter(mm, &at,
		      qr_entry_with(entry_for(area, block),
				    QUIRE_ENTRY_DIRTY | QUIRE_ENTRY_ACCESSED),
		      leaf->table);
	qr_mm_count_rss(mm, QUIRE_HUGE_PAGES - (int64_t)look->nr_present);
	mm->vm->huge.figures.collapsed++;
	return QUIRE_OK;
}

/* QUIRE_AGAIN: what is there is not fit for it. */
static enum quire_status collapse_at(struct quire_mm *mm, struct quire_area *area,
				     uint64_t base, bool asked)
{
	struct quire_vm *vm = mm->vm;
	struct qr_leaf leaf;
	enum quire_status status;
	struct look look;
	quire_pfn block;

	if (!qr_tables_leaf(&mm->tables, (quire_vaddr){base}, &leaf))
		return QUIRE_INVALID;
	look = look_at(vm, &leaf);
	if (!asked && !is_worth_it(vm, &look))
		return QUIRE_AGAIN;
	if (!qr_huge_take(vm, !asked, &block) &&
	    (!asked || !qr_huge_compact(vm) || !qr_huge_take(vm, false, &block))) {
		vm->huge.figures.collapse_alloc_failed++;
		return QUIRE_NO_MEMORY;
	}
	vm->huge.figures.collapse_alloc++;
	status = collapse(mm, area, &leaf, &look, block);
	if (status != QUIRE_OK)
		give_back(vm, block);
	return status;
}

/* As Linux's madvise_collapse(): it goes on where nothing is, and stops where no memory
 * is; a part that has no aligned 2 MiB is nothing to do, or wrong where it is within
 * one. */
enum quire_status qr_huge_collapse(struct quire_mm *mm, struct quire_area *area,
				   uint64_t start, uint64_t end)
{
	uint64_t first = (start + IN_HUGE) & ~IN_HUGE, last = end & ~IN_HUGE;
	enum quire_status result = first > last ? QUIRE_INVALID : QUIRE_OK;
	uint64_t fits = (area->start + IN_HUGE) & ~IN_HUGE;
	struct qr_large at;

	if (!qr_huge_is_allowed(mm->vm, area, fits, true))
		return QUIRE_INVALID;
	for (uint64_t va = first; va < last; va += QUIRE_HUGE_BYTES) {
		enum quire_status status = QUIRE_OK;

		if (!qr_tables_large(&mm->tables, (quire_vaddr){va}, &at))
			status = collapse_at(mm, area, va, true);
		if (status != QUIRE_OK)
			result = status;
		if (status != QUIRE_OK && status != QUIRE_INVALID)
			break;
	}
	return result;
}

/* ---- khugepaged */

struct scan {
	struct quire_vm *vm;
	uint64_t left; /* pages */
	uint32_t nr_made;
};

static void scan_area(struct scan *scan, struct quire_mm *mm, struct quire_area *area)
{
	uint64_t va = scan->vm->huge.scan_va;
	uint64_t base;
	struct qr_large at;

	if (va < area->start)
		va = area->start;
	base = (va + IN_HUGE) & ~IN_HUGE;
	while (scan->left > 0 && qr_huge_is_allowed(scan->vm, area, base, false)) {
		scan->left -=
			scan->left < QUIRE_HUGE_PAGES ? scan->left : QUIRE_HUGE_PAGES;
		if (!qr_tables_large(&mm->tables, (quire_vaddr){base}, &at) &&
		    collapse_at(mm, area, base, false) == QUIRE_OK)
			scan->nr_made++;
		base += QUIRE_HUGE_BYTES;
	}
	scan->vm->huge.scan_va =
		qr_huge_is_allowed(scan->vm, area, base, false) ? base : area->end;
	/* An area that is passed over costs as much as one page. */
	if (scan->left > 0)
		scan->left--;
}

/* The space that the last turn stopped in; the first where it is gone. */
static struct quire_mm *scanned_space(struct quire_vm *vm)
{
	struct quire_mm *mm = vm->mms;

	while (mm != NULL && mm->asid != vm->huge.scan_asid)
		mm = mm->next;
	if (mm == NULL)
		vm->huge.scan_va = 0;
	return mm != NULL ? mm : vm->mms;
}

static void scan_spaces(struct scan *scan)
{
	struct qr_huge *huge = &scan->vm->huge;
	struct quire_mm *mm = scanned_space(scan->vm);

	while (mm != NULL && scan->left > 0) {
		struct quire_area *area = qr_mm_from(mm, huge->scan_va);

		huge->scan_asid = mm->asid;
		if (area != NULL) {
			scan_area(scan, mm, area);
			continue;
		}
		huge->scan_va = 0;
		huge->scan_asid = 0;
		mm = mm->next;
		if (mm == NULL)
			huge->figures.full_scans++;
	}
}

uint32_t quire_vm_khugepaged(struct quire_vm *vm)
{
	struct scan scan = {.vm = vm};

	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	scan.left = vm->huge.thp.pages_to_scan;
	if (vm->huge.thp.enabled != QUIRE_THP_NEVER)
		scan_spaces(&scan);
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
	return scan.nr_made;
}
