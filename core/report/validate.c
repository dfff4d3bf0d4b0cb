/* SPDX-License-Identifier: MIT */
/* validate.c - entries against frames, areas, counts and the account. */
#include "core/report/validate.h"

struct walk {
	struct quire_space *space;
	const char *wrong;
	uint64_t nr_present, nr_swapped;
};

static void blame(struct walk *walk, bool holds, const char *name)
{
	if (!holds && walk->wrong == NULL)
		walk->wrong = name;
}

static void see_present(struct walk *walk, quire_entry e, uint64_t va)
{
	const struct quire_zone *zone = walk->space->zone;
	const struct quire_frame *frame;

	walk->nr_present++;
	blame(walk, qr_entry_pfn(e).n < zone->buddy.nr_frames, "V1 entry names a frame");
	if (walk->wrong != NULL)
		return;
	frame = qr_zone_frame(zone, qr_entry_pfn(e));
	blame(walk, frame->use == QUIRE_FRAME_MAPPED, "V1 frame is mapped");
	blame(walk, frame->owner == va, "V1 frame's owner");
	blame(walk, frame->slot == 0 || !qr_entry_has(e, QUIRE_ENTRY_WRITABLE),
	      "V3 a page with a good copy is not writable");
}

static void see(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct walk *walk = ctx;
	quire_entry e = leaf->entries[index];
	uint64_t va = qr_leaf_address(leaf, index).a;
	const struct quire_area *area = qr_areas_find(&walk->space->areas, va);

	blame(walk, area != NULL && (area->marks & QUIRE_AREA_FOREIGN) == 0,
	      "V2 entry lies in an area");
	blame(walk, (e.bits & (QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WANTED)) == 0,
	      "V4 nobody is at work");
	if (qr_entry_is_present(e))
		see_present(walk, e, va);
	else
		walk->nr_swapped++;
	blame(walk, qr_entry_is_present(e) || qr_entry_is_swapped(e),
	      "V4 entry is empty, present or swapped");
}

static void count_entries(struct walk *walk, const struct qr_leaf *leaf)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++)
		nr += !qr_entry_is_empty(leaf->entries[i]);
	blame(walk, nr == qr_zone_frame(walk->space->zone, leaf->table)->nr_entries,
	      "T1 entries of a table counted");
	blame(walk, nr > 0, "T2 no empty table");
}

static void see_tables(struct walk *walk, struct quire_range range)
{
	struct qr_leaf leaf;

	while (range.start.a < range.end.a &&
	       qr_tables_next_leaf(&walk->space->tables, range, &leaf)) {
		count_entries(walk, &leaf);
		range.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
}

const char *qr_report_validate(struct quire_space *space)
{
	struct quire_range all = {{space->areas.floor}, {space->areas.ceiling}};
	struct walk walk = {.space = space};

	see_tables(&walk, all);
	qr_space_each(space, all, see, &walk);
	blame(&walk, walk.nr_present == space->zone->counts[QUIRE_FRAME_MAPPED],
	      "V1 each mapped frame is named once");
	blame(&walk, walk.nr_present + walk.nr_swapped == space->stats->touched_pages,
	      "touched pages counted");
	return walk.wrong;
}
