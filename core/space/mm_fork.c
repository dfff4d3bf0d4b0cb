/* SPDX-License-Identifier: MIT */
/* mm_fork.c - a copy of an address space that copies no page.
 *
 * Every present page of a private area is named once more and loses its right to be
 * written, in both; every slot is named once more.  Pages of objects are not copied at
 * all: the child's first access finds them.  Areas whose anonymous history has not begun
 * have nothing but pages of zeros, and those also come back by themselves.
 */
#include "core/base/assert.h"
#include "core/space/mm.h"

/* The entry for the child; false where it cannot be named once more. */
static bool share_entry(struct quire_mm *parent, quire_entry *e)
{
	struct quire_vm *vm = parent->vm;
	struct quire_frame *frame;

	if (qr_entry_is_swapped(*e))
		return qr_swap_dup(&vm->swap, (quire_slot){qr_entry_number(*e)}) ==
		       QUIRE_OK;
	if (qr_entry_pfn(*e).n == vm->zero.n)
		return true;
	frame = qr_zone_frame(&vm->zone, qr_entry_pfn(*e));
	if (frame->nr_entries == QUIRE_PAGE_MAPS_MAX)
		return false;
	frame->nr_entries++;
	frame->owner &= ~QUIRE_PAGE_EXCLUSIVE;
	*e = qr_entry_without(*e, QUIRE_ENTRY_WRITABLE);
	return true;
}

/* Returns how far it got: up to last, or less where a frame is lacking. */
static uint32_t copy_leaf(struct quire_mm *parent, struct quire_mm *child,
			  struct qr_leaf *from, uint32_t first, uint32_t last)
{
	struct quire_frame *table;
	struct qr_leaf to;
	uint32_t i;

	if (!qr_tables_make_leaf(&child->tables, (quire_vaddr){from->base}, 0, &to))
		return first;
	table = qr_zone_frame(&child->vm->zone, to.table);
	for (i = first; i < last; i++) {
		quire_entry e = from->entries[i];

		/* What the child has already came with a huge page that was split. */
		if (qr_entry_is_empty(e) || !qr_entry_is_empty(to.entries[i]))
			continue;
		if (!share_entry(parent, &e))
			break;
		from->entries[i] = e;
		to.entries[i] = qr_entry_without(e, QUIRE_ENTRY_ACCESSED);
		table->nr_entries++;
		qr_mm_count(child, e, 1);
	}
	if (table->nr_entries == 0)
		qr_tables_prune(&child->tables, (quire_vaddr){from->base});
	return i;
}

/* Where a frame is lacking both spaces are as they should be up to there: what is reclaimed
 * then goes out of both. */
static bool copy_pages(struct quire_mm *parent, struct quire_mm *child,
		       const struct quire_area *area)
{
	struct quire_range left = {{area->start}, {area->end}};
	struct qr_leaf leaf;

	while (left.start.a < left.end.a &&
	       qr_tables_next_leaf(&parent->tables, left, &leaf)) {
		uint64_t from = leaf.base > left.start.a ? leaf.base : left.start.a;
		uint64_t next = leaf.base + QUIRE_LEAF_BYTES;
		uint32_t last = next <= area->end
					? QUIRE_TABLE_ENTRIES
					: qr_leaf_index((quire_vaddr){area->end});
		uint32_t done = copy_leaf(parent, child, &leaf,
					  qr_leaf_index((quire_vaddr){from}), last);

		left.start.a = leaf.base + ((uint64_t)done << QUIRE_PAGE_SHIFT);
		if (done == last)
			left.start.a = next;
		else if (!child->vm->pressure(child->vm))
			return false;
	}
	return true;
}

static bool copy_area(struct quire_mm *parent, struct quire_mm *child,
		      const struct quire_area *area)
{
	uint64_t pages = qr_pages(area->end - area->start);
	bool wipe = qr_area_is(area, QUIRE_AREA_WIPEONFORK);
	struct qr_proposal p = {
		.start = area->start,
		.end = area->end,
		.prot = area->prot,
		.marks = area->marks & ~(QUIRE_AREA_LOCKED | QUIRE_AREA_ONFAULT),
		.offset = area->offset,
		.object = area->object,
	};
	bool done;

	if (area->object == 0)
		p.marks &= ~QUIRE_AREA_PROMISED;
	/* Its own history goes on from its parent's, and is nobody else's. */
	if (area->anon != 0 && !wipe) {
		p.anon = ++child->vm->next_anon;
		p.is_forked = true;
	}
	if (!qr_mm_reserve(child, 1))
		return false;
	if (qr_area_is(area, QUIRE_AREA_CHARGED) && !qr_vm_charge(child->vm, pages))
		return false;
	qr_mm_account(child, p.prot, p.marks, (int64_t)pages);
	qr_mm_copy_in(child, &p);
	if (area->anon == 0 || wipe)
		return true;
	/* Large ones first: one that is split meanwhile is split in both. */
	done = (parent->nr_large == 0 || qr_large_copy(parent, child, area)) &&
	       copy_pages(parent, child, area);
	qr_mm_flush(parent, area->start, area->end);
	return done;
}

enum quire_status quire_mm_fork(struct quire_mm *parent, struct quire_mm **out)
{
	struct quire_mm *child;
	bool done = true;

	qr_mm_enter(parent);
	do
		child = qr_mm_new(parent->vm, &parent->config, parent->family);
	while (child == NULL && parent->vm->pressure(parent->vm));
	if (child == NULL) {
		qr_mm_leave(parent);
		return QUIRE_NO_MEMORY;
	}
	child->brk = parent->brk;
	child->parent = parent->asid;
	child->has_moved = parent->has_moved;
	for (const struct quire_area *a = qr_mm_from(parent, 0); a != NULL && done;
	     a = qr_mm_from(parent, a->end))
		if (!qr_area_is(a, QUIRE_AREA_DONTFORK))
			done = copy_area(parent, child, a);
	if (!done)
		qr_mm_delete(child);
	qr_mm_leave(parent);
	if (done)
		*out = child;
	return done ? QUIRE_OK : QUIRE_NO_MEMORY;
}
