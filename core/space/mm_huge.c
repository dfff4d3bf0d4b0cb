/* SPDX-License-Identifier: MIT */
/* mm_huge.c - large pages in the tables: entered, split, dropped, shared, moved. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm_hugetlb.h"

#define IN_HUGE (QUIRE_HUGE_BYTES - 1)

static struct quire_frame *frame_of(const struct quire_vm *vm, quire_entry e)
{
	return qr_zone_frame(&vm->zone, qr_entry_pfn(e));
}

static void deposit(struct quire_mm *mm, quire_pfn table)
{
	qr_zone_frame(&mm->vm->zone, table)->slot = mm->deposit;
	mm->deposit = table.n;
}

static quire_pfn withdraw(struct quire_mm *mm)
{
	quire_pfn table = {mm->deposit};
	struct quire_frame *frame = qr_zone_frame(&mm->vm->zone, table);

	QUIRE_ASSERT(table.n != 0);
	mm->deposit = frame->slot;
	frame->slot = 0;
	return table;
}

void qr_huge_enter(struct quire_mm *mm, const struct qr_large *at, quire_entry e,
		   quire_pfn table)
{
	deposit(mm, table);
	qr_large_set(&mm->tables, at, e);
	mm->nr_large++;
	mm->nr_huge++;
}

/* The entry is none any more; its table is the caller's. */
static quire_pfn leave(struct quire_mm *mm, const struct qr_large *at)
{
	qr_large_set(&mm->tables, at, (quire_entry){0});
	mm->nr_large--;
	mm->nr_huge--;
	return withdraw(mm);
}

static void flush(struct quire_mm *mm, const struct qr_large *at)
{
	qr_mm_flush(mm, at->base, at->base + at->bytes);
}

/* Small entries for what one large entry named. */
static bool split_entry(void *ctx, struct quire_mm *mm, const struct quire_area *area,
			const struct qr_leaf *leaf, uint32_t index)
{
	struct quire_vm *vm = ctx;
	struct qr_large at;
	quire_entry e, *small;
	quire_pfn table;

	(void)area;
	(void)index;
	(void)qr_tables_large(&mm->tables, (quire_vaddr){leaf->base}, &at);
	e = qr_entry_without(*at.entry, QUIRE_ENTRY_LARGE);
	table = leave(mm, &at);
	small = qr_zone_address(&vm->zone, table);
	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++)
		small[i].bits = e.bits + ((uint64_t)i << QUIRE_PAGE_SHIFT);
	qr_zone_frame(&vm->zone, table)->nr_entries = QUIRE_TABLE_ENTRIES;
	qr_large_set_table(&mm->tables, &at, table);
	flush(mm, &at);
	vm->huge.figures.split_pmd++;
	return true;
}

void qr_huge_split(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frames = qr_zone_frame(&vm->zone, pfn);
	uint16_t nr_entries = frames->nr_entries;
	uint64_t owner = frames->owner;
	uint32_t slot = frames->slot;

	QUIRE_ASSERT(frames->order == QUIRE_HUGE_ORDER && !qr_page_is_pooled(frames));
	qr_rmap_walk(vm, pfn, split_entry, vm);
	qr_zone_split_block(&vm->zone, pfn);
	for (uint32_t i = 0; i < QUIRE_HUGE_PAGES; i++) {
		frames[i].nr_entries = nr_entries;
		frames[i].slot = slot;
		frames[i].owner = owner + i;
	}
	vm->huge.figures.anon--;
	vm->huge.figures.split_page++;
}

void qr_huge_cut(struct quire_mm *mm, uint64_t va)
{
	struct qr_large at;

	if (mm->nr_huge == 0 || (va & IN_HUGE) == 0 ||
	    !qr_tables_large(&mm->tables, (quire_vaddr){va}, &at) ||
	    qr_page_is_pooled(frame_of(mm->vm, *at.entry)))
		return;
	qr_huge_split(mm->vm, qr_entry_pfn(*at.entry));
}

void qr_huge_split_range(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	struct quire_range left = {{start}, {end}};
	struct qr_large at;

	while (left.start.a < end && qr_tables_next_large(&mm->tables, left, &at)) {
		left.start.a = at.base + at.bytes;
		qr_huge_split(mm->vm, qr_entry_pfn(*at.entry));
	}
}

/* One name less for the page. */
static void put(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);

	QUIRE_ASSERT(frame->nr_entries > 0);
	if (--frame->nr_entries > 0)
		return;
	qr_page_forget(&vm->cache.workingset, frame);
	qr_zone_free_block(&vm->zone, pfn, QUIRE_HUGE_ORDER);
	vm->huge.figures.anon--;
}

static void zap_one(struct quire_mm *mm, const struct qr_large *at)
{
	quire_pfn pfn = qr_entry_pfn(*at->entry);

	qr_tables_give_spare(&mm->tables, leave(mm, at));
	qr_mm_count_rss(mm, -(int64_t)QUIRE_HUGE_PAGES);
	put(mm->vm, pfn);
}

void qr_large_zap(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	struct quire_range left = {{start}, {end}};
	struct qr_large at;

	while (left.start.a < end && qr_tables_next_large(&mm->tables, left, &at)) {
		if (qr_page_is_pooled(frame_of(mm->vm, *at.entry)))
			qr_hugetlb_zap(mm, &at);
		else
			zap_one(mm, &at);
		qr_tables_prune(&mm->tables, (quire_vaddr){at.base});
		left.start.a = at.base + at.bytes;
	}
}

static bool drop_entry(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		       const struct qr_leaf *leaf, uint32_t index)
{
	struct qr_large at;

	(void)ctx;
	(void)area;
	(void)index;
	(void)qr_tables_large(&mm->tables, (quire_vaddr){leaf->base}, &at);
	zap_one(mm, &at);
	flush(mm, &at);
	qr_tables_prune(&mm->tables, (quire_vaddr){at.base});
	return true;
}

void qr_huge_drop(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);

	/* It must not be freed while the walk goes by its record. */
	frame->nr_entries++;
	qr_rmap_walk(vm, pfn, drop_entry, NULL);
	put(vm, pfn);
}

void qr_large_reprotect(struct quire_mm *mm, const struct quire_area *area,
			uint64_t start, uint64_t end)
{
	const uint64_t decided = QUIRE_ENTRY_USER | QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_NX;
	struct quire_range left = {{start}, {end}};
	uint64_t flags = qr_area_flags(area);
	struct qr_large at;

	while (left.start.a < end && qr_tables_next_large(&mm->tables, left, &at)) {
		uint64_t now = flags;

		/* As on Linux a page of a pool waits for the write. */
		if (!qr_mm_may_write(mm->vm, area, *at.entry) ||
		    (qr_area_is_hugetlb(area) && qr_is_private(area)))
			now &= ~QUIRE_ENTRY_WRITABLE;
		at.entry->bits = (at.entry->bits & ~decided) | now;
		left.start.a = at.base + at.bytes;
	}
}

/* One more name for the page, in the child; without the right to write in either. */
static bool copy_one(struct quire_mm *parent, struct quire_mm *child,
		     const struct qr_large *from)
{
	struct quire_frame *frame = frame_of(parent->vm, *from->entry);
	quire_entry e = qr_entry_without(*from->entry, QUIRE_ENTRY_WRITABLE);
	quire_pfn table = {0};
	struct qr_large to;

	if (frame->nr_entries == QUIRE_PAGE_MAPS_MAX ||
	    !qr_tables_take_spare(&child->tables, 0, &table))
		return false;
	if (!qr_tables_make_large(&child->tables, (quire_vaddr){from->base}, 1, 0, &to)) {
		qr_tables_give_spare(&child->tables, table);
		return false;
	}
	frame->nr_entries++;
	frame->owner &= ~QUIRE_PAGE_EXCLUSIVE;
	*from->entry = e;
	qr_huge_enter(child, &to, qr_entry_without(e, QUIRE_ENTRY_ACCESSED), table);
	qr_mm_count_rss(child, QUIRE_HUGE_PAGES);
	return true;
}

bool qr_large_copy(struct quire_mm *parent, struct quire_mm *child,
		   const struct quire_area *area)
{
	struct quire_range left = {{area->start}, {area->end}};
	struct qr_large at;

	while (left.start.a < area->end &&
	       qr_tables_next_large(&parent->tables, left, &at)) {
		bool pooled = qr_page_is_pooled(frame_of(parent->vm, *at.entry));

		if (pooled ? qr_hugetlb_copy(parent, child, &at)
			   : copy_one(parent, child, &at))
			left.start.a = at.base + at.bytes;
		else if (!child->vm->pressure(child->vm))
			return false;
	}
	return true;
}

static void move_one(struct quire_mm *mm, const struct qr_large *from, uint64_t to)
{
	quire_entry e = *from->entry;
	struct qr_large at;
	quire_pfn table;
	bool done;

	done = qr_tables_make_large(&mm->tables, (quire_vaddr){to}, from->level, 0, &at);
	QUIRE_ASSERT(done);
	/* The leaf that was made for small pages is not needed. */
	if (qr_entry_is_table(*at.entry)) {
		table = qr_entry_pfn(*at.entry);
		qr_large_set(&mm->tables, &at, (quire_entry){0});
		qr_tables_give_spare(&mm->tables, table);
	}
	qr_large_set(&mm->tables, from, (quire_entry){0});
	qr_large_set(&mm->tables, &at, e);
}

void qr_large_move(struct quire_mm *mm, uint64_t from, uint64_t to, uint64_t bytes)
{
	struct quire_range left = {{from}, {from + bytes}};
	struct qr_large at;

	if (((from ^ to) & IN_HUGE) != 0) {
		qr_huge_split_range(mm, from, from + bytes);
		return;
	}
	qr_huge_cut(mm, from);
	qr_huge_cut(mm, from + bytes);
	while (left.start.a < left.end.a &&
	       qr_tables_next_large(&mm->tables, left, &at)) {
		move_one(mm, &at, at.base - from + to);
		left.start.a = at.base + at.bytes;
	}
}

/* Calls visit for each large page that lies in the range whole. */
static void each_large(struct quire_mm *mm, uint64_t start, uint64_t end,
		       void (*visit)(struct quire_vm *vm, quire_entry *entry))
{
	struct quire_range left = {{start}, {end}};
	struct qr_large at;

	if (mm->nr_large == 0)
		return;
	qr_huge_cut(mm, start);
	qr_huge_cut(mm, end);
	while (left.start.a < end && qr_tables_next_large(&mm->tables, left, &at)) {
		visit(mm->vm, at.entry);
		left.start.a = at.base + at.bytes;
	}
}

static void age(struct quire_vm *vm, quire_entry *entry)
{
	struct quire_frame *frame = frame_of(vm, *entry);

	*entry = qr_entry_without(*entry, QUIRE_ENTRY_ACCESSED);
	qr_page_deactivate(&vm->cache.workingset, frame);
	frame->slot &= ~QUIRE_PAGE_REFERENCED;
}

void qr_large_age(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	each_large(mm, start, end, age);
}

static void free_lazily(struct quire_vm *vm, quire_entry *entry)
{
	struct quire_frame *frame = frame_of(vm, *entry);

	if (frame->nr_entries > 1)
		return;
	frame->owner |= QUIRE_PAGE_LAZY;
	qr_page_deactivate(&vm->cache.workingset, frame);
	*entry = qr_entry_without(*entry, QUIRE_ENTRY_DIRTY | QUIRE_ENTRY_ACCESSED);
}

void qr_large_free_lazily(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	each_large(mm, start, end, free_lazily);
}
