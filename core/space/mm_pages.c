/* SPDX-License-Identifier: MIT */
/* mm_pages.c - entries and frames: put in, taken out, and found from one another. */
#include "core/base/assert.h"
#include "core/space/mm_hugetlb.h"

bool qr_vm_take(struct quire_vm *vm, quire_pfn *out)
{
	return qr_zone_alloc(&vm->zone, QUIRE_FRAME_MAPPED, QUIRE_ALLOC_MOVABLE, out);
}

void qr_vm_put(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);

	QUIRE_ASSERT(frame->nr_entries > 0);
	if (--frame->nr_entries > 0)
		return;
	qr_page_forget(&vm->cache.workingset, frame);
	qr_zone_free(&vm->zone, pfn);
}

void qr_mm_flush(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	const struct quire_mmu *mmu = mm->vm->config.mmu;

	mm->vm->figures.flushes++;
	mmu->flush(mmu->ctx, mm->asid,
		   (struct quire_run){{start}, qr_pages(end - start)});
}

bool qr_mm_leaf(struct quire_mm *mm, uint64_t va, struct qr_leaf *out)
{
	while (!qr_tables_make_leaf(&mm->tables, (quire_vaddr){va}, 0, out))
		if (!mm->vm->pressure(mm->vm))
			return false;
	return true;
}

uint64_t qr_area_flags(const struct quire_area *area)
{
	uint64_t flags = (area->prot & QUIRE_EXEC) != 0 ? 0 : QUIRE_ENTRY_NX;

	if (area->prot != 0)
		flags |= QUIRE_ENTRY_USER;
	if ((area->prot & QUIRE_WRITE) != 0)
		flags |= QUIRE_ENTRY_WRITABLE;
	return flags;
}

/* by is 1 or -1. */
void qr_mm_count(struct quire_mm *mm, quire_entry e, uint64_t by)
{
	struct quire_vm *vm = mm->vm;

	if (qr_entry_is_swapped(e)) {
		mm->figures.swapped += by;
	} else if (qr_entry_is_present(e) && qr_entry_pfn(e).n != vm->zero.n) {
		const struct quire_frame *frame =
			qr_zone_frame(&vm->zone, qr_entry_pfn(e));

		if (qr_page_has(frame, QUIRE_PAGE_FILE))
			mm->figures.rss_file += by;
		else if (qr_page_is(frame, QUIRE_PAGE_OF_OBJECT))
			mm->figures.rss_shared += by;
		else
			mm->figures.rss_anon += by;
	}
}

static inline void note_peak(struct quire_mm *mm)
{
	uint64_t rss =
		mm->figures.rss_anon + mm->figures.rss_shared + mm->figures.rss_file;

	if (rss > mm->figures.peak_rss)
		mm->figures.peak_rss = rss;
}

void qr_mm_set(struct quire_mm *mm, struct qr_leaf *leaf, uint64_t va, quire_entry e)
{
	uint32_t index = qr_leaf_index((quire_vaddr){va});

	qr_mm_count(mm, leaf->entries[index], UINT64_MAX);
	qr_mm_count(mm, e, 1);
	qr_leaf_set(&mm->tables, leaf, index, e);
	note_peak(mm);
}

void qr_mm_count_rss(struct quire_mm *mm, int64_t pages)
{
	mm->figures.rss_anon += (uint64_t)pages;
	note_peak(mm);
}

static void drop_entry(struct quire_mm *mm, quire_entry e)
{
	struct quire_vm *vm = mm->vm;

	qr_mm_count(mm, e, UINT64_MAX);
	if (qr_entry_is_swapped(e))
		qr_vm_drop_slot(vm, (quire_slot){qr_entry_number(e)});
	else if (qr_entry_pfn(e).n != vm->zero.n)
		qr_vm_put(vm, qr_entry_pfn(e));
}

/* The entries [first, last) of one leaf. */
static void zap_leaf(struct quire_mm *mm, struct qr_leaf *leaf, uint32_t first,
		     uint32_t last)
{
	struct quire_frame *table = qr_zone_frame(&mm->vm->zone, leaf->table);

	for (uint32_t i = first; i < last; i++) {
		quire_entry e = leaf->entries[i];

		if (qr_entry_is_empty(e))
			continue;
		leaf->entries[i] = (quire_entry){0};
		table->nr_entries--;
		drop_entry(mm, e);
	}
	if (table->nr_entries == 0)
		qr_tables_prune(&mm->tables, (quire_vaddr){leaf->base});
}

void qr_mm_zap(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	struct quire_range left = {{start}, {end}};
	struct qr_leaf leaf;
	bool any = mm->nr_large != 0;

	if (any) {
		qr_huge_cut(mm, start);
		qr_huge_cut(mm, end);
		qr_large_zap(mm, start, end);
	}
	while (left.start.a < end && qr_tables_next_leaf(&mm->tables, left, &leaf)) {
		uint64_t from = leaf.base > start ? leaf.base : start;
		uint64_t next = leaf.base + QUIRE_LEAF_BYTES;
		uint32_t last = next <= end ? QUIRE_TABLE_ENTRIES
					    : qr_leaf_index((quire_vaddr){end});

		zap_leaf(mm, &leaf, qr_leaf_index((quire_vaddr){from}), last);
		left.start.a = next;
		any = true;
	}
	if (any)
		qr_mm_flush(mm, start, end);
}

bool qr_mm_may_write(const struct quire_vm *vm, const struct quire_area *area,
		     quire_entry e)
{
	if (!qr_is_private(area))
		return !qr_object_at(&vm->objects, area->object)->has_store ||
		       qr_entry_has(e, QUIRE_ENTRY_DIRTY);
	return qr_entry_pfn(e).n != vm->zero.n &&
	       qr_page_is(qr_zone_frame(&vm->zone, qr_entry_pfn(e)),
			  QUIRE_PAGE_EXCLUSIVE);
}

void qr_mm_reprotect(struct quire_mm *mm, const struct quire_area *area, uint64_t start,
		     uint64_t end)
{
	const uint64_t decided = QUIRE_ENTRY_USER | QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_NX;
	uint64_t flags = qr_area_flags(area);
	struct qr_leaf leaf;

	if (mm->nr_large != 0)
		qr_large_reprotect(mm, area, start, end);
	while (start < end &&
	       qr_tables_next_leaf(&mm->tables, (struct quire_range){{start}, {end}},
				   &leaf)) {
		uint64_t va = leaf.base > start ? leaf.base : start;
		uint64_t stop = leaf.base + QUIRE_LEAF_BYTES;

		for (stop = stop < end ? stop : end; va < stop; va += QUIRE_PAGE_BYTES) {
			quire_entry *e = &leaf.entries[qr_leaf_index((quire_vaddr){va})];
			uint64_t now = flags;

			if (!qr_entry_is_present(*e))
				continue;
			if (!qr_mm_may_write(mm->vm, area, *e))
				now &= ~QUIRE_ENTRY_WRITABLE;
			e->bits = (e->bits & ~decided) | now;
		}
		start = stop;
	}
}

void qr_object_truncate(struct quire_vm *vm, struct quire_object *object, uint64_t first,
			uint64_t last)
{
	struct qr_leaf leaf;

	while (first < last &&
	       qr_tables_next_leaf(&object->tables,
				   (struct quire_range){{first << QUIRE_PAGE_SHIFT},
							{last << QUIRE_PAGE_SHIFT}},
				   &leaf)) {
		uint64_t base = qr_pages(leaf.base);

		for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
			quire_entry e = leaf.entries[i];

			if (base + i < first || base + i >= last || qr_entry_is_empty(e))
				continue;
			/* The table goes with its last entry. */
			qr_object_set(object, base + i, (quire_entry){0});
			vm->committed -= object->charges_pages;
			if (object->huge_marks != 0)
				qr_hugetlb_put_object_page(vm, object, qr_entry_pfn(e));
			else if (qr_entry_is_swapped(e))
				qr_vm_drop_slot(vm, (quire_slot){qr_entry_number(e)});
			else
				qr_vm_put(vm, qr_entry_pfn(e));
			if (!qr_tables_leaf(&object->tables, (quire_vaddr){leaf.base},
					    &leaf))
				break;
		}
		first = base + QUIRE_TABLE_ENTRIES;
	}
}

void qr_vm_put_object(struct quire_vm *vm, uint32_t number)
{
	struct quire_object *object = qr_object_at(&vm->objects, number);

	QUIRE_ASSERT(object->nr_areas > 0);
	if (--object->nr_areas > 0)
		return;
	if (object->file != 0) {
		qr_file_settle(vm, qr_object_file(vm, object));
		return;
	}
	qr_object_truncate(vm, object, 0, object->nr_pages);
	if (object->is_charged)
		qr_vm_uncharge(vm, object->nr_pages);
	if (object->huge_marks != 0)
		qr_hugetlb_release_object(vm, object);
	qr_object_free(&vm->objects, number);
}
