/* SPDX-License-Identifier: MIT */
/* pages.c - what calls do with the pages of a range: settle them, drop them, visit them. */
#include "core/base/assert.h"
#include "core/space/space.h"

void qr_space_each(struct quire_space *space, struct quire_range range,
		   void (*visit)(void *ctx, const struct qr_leaf *leaf, uint32_t index),
		   void *ctx)
{
	struct qr_leaf leaf;

	while (range.start.a < range.end.a &&
	       qr_tables_next_leaf(&space->tables, range, &leaf)) {
		uint64_t leaf_end = leaf.base + QUIRE_LEAF_BYTES;
		uint64_t end = leaf_end < range.end.a ? leaf_end : range.end.a;
		uint64_t va = leaf.base > range.start.a ? leaf.base : range.start.a;

		for (; va < end; va += QUIRE_PAGE_BYTES) {
			uint32_t index = qr_leaf_index((quire_vaddr){va});

			if (!qr_entry_is_empty(leaf.entries[index]))
				visit(ctx, &leaf, index);
		}
		range.start.a = leaf_end;
	}
}

static void see_busy(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	bool *busy = ctx;

	*busy |= qr_entry_is_busy(leaf->entries[index]);
}

void qr_space_settle(struct quire_space *space, struct quire_range range)
{
	for (;;) {
		bool busy = false;

		qr_space_each(space, range, see_busy, &busy);
		if (!busy)
			return;
		qr_event_wait(&space->settled, space->lock);
	}
}

void qr_space_settle_turn(struct quire_space *space, struct quire_range range)
{
	do {
		qr_space_wait_turn(space);
		qr_space_settle(space, range);
	} while (space->is_changing);
}

void qr_space_drop_copy(struct quire_space *space, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(space->zone, pfn);

	if (frame->slot != 0)
		qr_swap_drop(space->swap, (quire_slot){frame->slot});
	frame->slot = 0;
}

void qr_space_release_frame(struct quire_space *space, quire_pfn pfn)
{
	qr_space_drop_copy(space, pfn);
	qr_zone_free(space->zone, pfn);
}

static void drop_entry(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct quire_space *space = ctx;
	quire_entry e = leaf->entries[index];

	QUIRE_ASSERT(!qr_entry_is_busy(e));
	if (qr_entry_is_swapped(e))
		qr_swap_drop(space->swap, (quire_slot){qr_entry_number(e)});
	else
		qr_space_release_frame(space, qr_entry_pfn(e));
	qr_leaf_set(&space->tables, leaf, index, (quire_entry){0});
	space->stats->touched_pages--;
}

void qr_space_prune(struct quire_space *space, struct quire_range range)
{
	struct qr_leaf leaf;

	while (range.start.a < range.end.a &&
	       qr_tables_next_leaf(&space->tables, range, &leaf)) {
		qr_tables_prune(&space->tables, (quire_vaddr){leaf.base});
		range.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
}

static void hide_entry(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct quire_space *space = ctx;
	quire_entry e = leaf->entries[index];

	if (!qr_entry_is_swapped(e))
		qr_leaf_set(&space->tables, leaf, index,
			    qr_entry_without(e, QUIRE_ENTRY_PRESENT));
}

static void show_entry(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct quire_space *space = ctx;
	quire_entry e = leaf->entries[index];

	if (!qr_entry_is_swapped(e))
		qr_leaf_set(&space->tables, leaf, index,
			    qr_entry_with(e, QUIRE_ENTRY_PRESENT));
}

void qr_space_hide(struct quire_space *space, struct quire_range range, bool on)
{
	if ((space->port->caps & QUIRE_PORT_COPIES) == 0)
		qr_space_each(space, range, on ? hide_entry : show_entry, space);
}

void qr_space_forget(struct quire_space *space, struct quire_range range)
{
	qr_space_each(space, range, drop_entry, space);
	qr_space_prune(space, range);
}

void qr_space_drop(struct quire_space *space, struct quire_range range)
{
	struct quire_run run = {range.start,
				(range.end.a - range.start.a) >> QUIRE_PAGE_SHIFT};
	struct qr_leaf leaf;

	if (!qr_tables_next_leaf(&space->tables, range, &leaf))
		return;
	qr_space_hide(space, range, true);
	space->port->release(space->port->ctx, &run, 1, QUIRE_RELEASE_FORCE, NULL);
	qr_space_forget(space, range);
}

bool qr_space_is_covered(struct quire_space *space, struct quire_range range)
{
	uint64_t va = range.start.a;

	while (va < range.end.a) {
		const struct quire_area *a = qr_areas_find(&space->areas, va);

		if (a == NULL || (a->marks & QUIRE_AREA_FOREIGN) != 0)
			return false;
		va = a->end;
	}
	return true;
}
