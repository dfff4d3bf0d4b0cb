/* SPDX-License-Identifier: MIT */
/* clock.c - the hand: goes round the leaves and picks who has no credit left. */
#include "core/base/assert.h"
#include "core/reclaim/batch.h"

/* From this frequency on a page stays so long that its copy in the store is better given
 * up than kept for the day it leaves. */
#define HOT_FREQUENCY 3u

struct scan {
	struct quire_space *space;
	struct qr_batch *batch;
	const struct quire_area *area; /* of the address last looked at */
	bool any;
};

/* Pages of locked and foreign areas are not for the taking. */
static bool may_evict(struct scan *scan, quire_vaddr va)
{
	if (scan->area == NULL || va.a < scan->area->start || va.a >= scan->area->end)
		scan->area = qr_areas_find(&scan->space->areas, va.a);
	QUIRE_ASSERT(scan->area != NULL);
	return (scan->area->marks & (QUIRE_AREA_LOCKED | QUIRE_AREA_FOREIGN)) == 0;
}

/* The entry after the hand has passed; true when the page is a victim. */
static bool pass(struct scan *scan, quire_entry *e)
{
	uint32_t credit = qr_entry_credit(*e), frequency = qr_entry_frequency(*e);

	if (scan->any)
		return true;
	if (qr_entry_has(*e, QUIRE_ENTRY_ACCESSED)) {
		*e = qr_entry_without(*e, QUIRE_ENTRY_ACCESSED);
		*e = qr_entry_set_credit(*e, 1u << frequency);
		return false;
	}
	if (credit == 0)
		return true;
	*e = qr_entry_set_credit(*e, credit - 1);
	if (frequency >= HOT_FREQUENCY)
		qr_space_drop_copy(scan->space, qr_entry_pfn(*e));
	return false;
}

static void add_victim(struct scan *scan, uint32_t index, quire_entry e)
{
	struct qr_batch *batch = scan->batch;
	const struct quire_frame *frame =
		qr_zone_frame(scan->space->zone, qr_entry_pfn(e));
	bool is_clean = frame->slot != 0 && !qr_entry_has(e, QUIRE_ENTRY_DIRTY);

	batch->victims[batch->nr++] = (struct qr_victim){
		.slot = is_clean ? frame->slot : 0,
		.index = (uint16_t)index,
		.state = is_clean ? QUIRE_VICTIM_CLEAN : QUIRE_VICTIM_DIRTY,
		.prot = scan->area->prot,
	};
}

/* Looks at the leaf's entries from index on; returns where it stopped. */
static uint32_t scan_leaf(struct scan *scan, uint32_t index, uint32_t goal)
{
	const struct quire_tables *tables = &scan->space->tables;
	const struct qr_leaf *leaf = &scan->batch->leaf;

	for (; index < QUIRE_TABLE_ENTRIES && scan->batch->nr < goal; index++) {
		quire_entry e = leaf->entries[index];

		if (!qr_entry_is_present(e) || qr_entry_is_busy(e) ||
		    !may_evict(scan, qr_leaf_address(leaf, index)))
			continue;
		if (pass(scan, &e)) {
			add_victim(scan, index, e);
			e = qr_entry_with(e, QUIRE_ENTRY_BUSY);
		}
		qr_leaf_set(tables, leaf, index, e);
	}
	return index;
}

static bool next_leaf(struct quire_reclaim *reclaim, struct qr_leaf *leaf)
{
	const struct quire_areas *areas = &reclaim->space->areas;
	const struct quire_tables *tables = &reclaim->space->tables;
	struct quire_range rest = {{reclaim->hand}, {areas->ceiling}};

	if (qr_tables_next_leaf(tables, rest, leaf))
		return true;
	reclaim->hand = areas->floor;
	reclaim->nr_rounds++;
	rest.start.a = areas->floor;
	return qr_tables_next_leaf(tables, rest, leaf);
}

bool qr_clock_pick(struct quire_reclaim *reclaim, struct qr_batch *batch, uint32_t goal,
		   uint32_t nr_leaves, bool any)
{
	struct scan scan = {.space = reclaim->space, .batch = batch, .any = any};
	uint64_t last_round = reclaim->nr_rounds + (any ? 1 : QUIRE_CREDIT_MAX);

	batch->nr = 0;
	for (; nr_leaves > 0 && reclaim->nr_rounds <= last_round; nr_leaves--) {
		uint32_t index = 0;

		if (!next_leaf(reclaim, &batch->leaf))
			return false;
		if (batch->leaf.base < reclaim->hand)
			index = qr_leaf_index((quire_vaddr){reclaim->hand});
		index = scan_leaf(&scan, index, goal);
		reclaim->hand = batch->leaf.base + ((uint64_t)index << QUIRE_PAGE_SHIFT);
		if (batch->nr > 0)
			return true;
	}
	return false;
}
