/* SPDX-License-Identifier: MIT */
/* frame_clock.c - a page goes out of all entries that name it, and into swap. */
#include "core/reclaim/frame_clock.h"

#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/reclaim/balance.h"

/* Pages that one call takes out, where they can be had: the fault that waits needs a
 * few, and the walk to the next victims is not free. */
#define BATCH 32u

/* Rounds at the last priority after which nothing goes: one makes active pages inactive,
 * one takes second chances away, one acts, one more for what was written meanwhile. */
#define ROUNDS 4u

/* The store may take this part of all frames before it is written to a device: without
 * a bound it would take all, and leave nothing to write it out with. */
#define STORE_PART 2u

/* What the entries of a page say. */
struct look {
	bool is_locked, is_dirty, is_code;
	uint32_t nr, nr_accessed;
};

static bool look_at(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		    const struct qr_leaf *leaf, uint32_t index)
{
	struct look *look = ctx;
	quire_entry *e = &leaf->entries[index];

	(void)mm;
	look->nr++;
	look->is_locked |= qr_area_is(area, QUIRE_AREA_LOCKED);
	look->is_code |= (area->prot & QUIRE_EXEC) != 0;
	look->nr_accessed += qr_entry_has(*e, QUIRE_ENTRY_ACCESSED);
	look->is_dirty |= qr_entry_has(*e, QUIRE_ENTRY_DIRTY);
	*e = qr_entry_without(*e, QUIRE_ENTRY_ACCESSED);
	return true;
}

struct replacement {
	quire_entry entry;
};

static bool replace(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		    const struct qr_leaf *leaf, uint32_t index)
{
	const struct replacement *with = ctx;
	struct qr_leaf at = *leaf;
	uint64_t va = qr_leaf_address(leaf, index).a;

	(void)area;
	qr_mm_set(mm, &at, va, with->entry);
	qr_mm_flush(mm, va, va + QUIRE_PAGE_BYTES);
	if (qr_entry_is_empty(with->entry))
		qr_tables_prune(&mm->tables, (quire_vaddr){va});
	return true;
}

/* The page's bytes, packed into swap under a slot that one entry names. */
static bool store(struct quire_vm *vm, quire_pfn pfn, quire_slot *slot)
{
	const struct quire_codec *codec = vm->config.codec;
	const void *bytes = qr_zone_address(&vm->zone, pfn), *packed = vm->lane.packed;
	enum quire_status status;
	size_t nr;

	nr = codec->compress(vm->lane.codec_state, bytes, QUIRE_PAGE_BYTES,
			     vm->lane.packed, QUIRE_PACKED_MAX);
	if (nr == 0) {
		if (!vm->swap.has_device)
			return false;
		packed = bytes;
		nr = QUIRE_PAGE_BYTES;
	}
	do
		status = qr_swap_put(&vm->swap, packed, (uint32_t)nr,
				     codec->checksum(packed, nr), slot);
	while (status == QUIRE_NO_MEMORY && qr_swap_spill(&vm->swap, 1) == QUIRE_OK);
	return status == QUIRE_OK;
}

/* As many names for the slot as there will be entries. */
static bool name_slot(struct quire_vm *vm, quire_slot slot, uint32_t nr)
{
	for (uint32_t i = 1; i < nr; i++) {
		if (qr_swap_dup(&vm->swap, slot) == QUIRE_OK)
			continue;
		for (; i > 0; i--)
			qr_swap_drop(&vm->swap, slot);
		return false;
	}
	return true;
}

static void note_swapped(struct quire_vm *vm, const struct quire_frame *frame,
			 quire_slot slot)
{
	struct quire_workingset *ws = &vm->cache.workingset;

	qr_workingset_evicted(ws, frame, qr_ghost_of_slot(slot.n));
	qr_workingset_note_cost(ws, QR_ANON, 1, 0);
	vm->figures.pages_out++;
}

static bool evict_anonymous(struct quire_vm *vm, quire_pfn pfn, uint32_t nr)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct replacement with;
	quire_slot slot;

	if (!store(vm, pfn, &slot) || !name_slot(vm, slot, nr))
		return false;
	with.entry = qr_entry_swapped(slot.n, 0, 0);
	note_swapped(vm, frame, slot);
	qr_rmap_walk(vm, pfn, replace, &with);
	frame->nr_entries = 1;
	qr_vm_put(vm, pfn);
	return true;
}

static bool evict_object(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct quire_object *object = qr_object_at(&vm->objects, qr_page_id(frame));
	struct replacement with = {{0}};
	quire_slot slot;
	bool done;

	if (!store(vm, pfn, &slot))
		return false;
	note_swapped(vm, frame, slot);
	qr_rmap_walk(vm, pfn, replace, &with);
	done = qr_object_set(object, qr_page_index(frame),
			     qr_entry_swapped(slot.n, 0, 0));
	QUIRE_ASSERT(done);
	frame->nr_entries = 1;
	qr_vm_put(vm, pfn);
	return true;
}

static uint32_t drop_lazy(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct replacement with = {{0}};

	if (qr_page_is_large(frame)) {
		qr_huge_drop(vm, pfn);
		return QUIRE_HUGE_PAGES;
	}
	qr_rmap_walk(vm, pfn, replace, &with);
	frame->nr_entries = 1;
	qr_vm_put(vm, pfn);
	return 1;
}

/* A page of a store just goes when it is clean, and is written before when it is not:
 * together with its neighbours, for whose turn it will soon be. */
static bool evict_file(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct quire_object *object = qr_object_at(&vm->objects, qr_page_id(frame));
	struct quire_file *file = qr_object_file(vm, object);
	uint64_t index = qr_page_index(frame), first = index & ~(QUIRE_FILE_RUN - 1ull);
	uint64_t nr_dirty = file->nr_dirty;
	struct replacement with = {{0}};

	if (qr_page_has(frame, QUIRE_PAGE_WRITEBACK))
		return false;
	if (qr_entry_has(qr_object_get(object, index), QUIRE_ENTRY_DIRTY)) {
		(void)qr_file_write_back(file, first, first + QUIRE_FILE_RUN,
					 QUIRE_FILE_RUN);
		qr_workingset_note_cost(&vm->cache.workingset, QR_FILE,
					nr_dirty - file->nr_dirty, 0);
		if (qr_entry_has(qr_object_get(object, index), QUIRE_ENTRY_DIRTY))
			return false;
	}
	qr_rmap_walk(vm, pfn, replace, &with);
	frame->nr_entries = 1;
	qr_file_drop(file, index);
	if (qr_file_is_unused(file))
		qr_file_free(file);
	return true;
}

/* Returns how many pages went.  A large one that is to be stored is split: the pages behind
 * its first come under the hand next. */
static uint32_t evict(struct quire_vm *vm, quire_pfn pfn, const struct look *look)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	bool of_object = qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);

	if (qr_page_has(frame, QUIRE_PAGE_FILE))
		return evict_file(vm, pfn);
	if (qr_page_is(frame, QUIRE_PAGE_LAZY) && !of_object) {
		if (!look->is_dirty)
			return drop_lazy(vm, pfn);
		frame->owner &= ~QUIRE_PAGE_LAZY;
	}
	if (vm->config.swap == QUIRE_SWAP_NONE)
		return 0;
	if (qr_page_is_large(frame))
		qr_huge_split(vm, pfn);
	return of_object ? evict_object(vm, pfn) : evict_anonymous(vm, pfn, look->nr);
}

/* The hand that a page is looked at by: one that may just go is as good as a file's. */
static enum qr_kind hand_of(const struct quire_frame *frame)
{
	if (qr_page_is(frame, QUIRE_PAGE_LAZY) &&
	    !qr_page_is(frame, QUIRE_PAGE_OF_OBJECT))
		return QR_FILE;
	return qr_page_kind(frame);
}

/* As Linux's folio_check_references(): true where an inactive page goes.  The fault that
 * brought it in has left its mark, so it takes a second one to make it active. */
static bool may_go(struct quire_vm *vm, struct quire_frame *frame,
		   const struct look *look)
{
	bool was_referenced = qr_page_has(frame, QUIRE_PAGE_REFERENCED);

	if (look->is_locked) {
		qr_page_activate(&vm->cache.workingset, frame);
		return false;
	}
	frame->slot &= ~QUIRE_PAGE_REFERENCED;
	if (look->nr_accessed == 0)
		return true;
	frame->slot |= QUIRE_PAGE_REFERENCED;
	if (was_referenced || look->nr_accessed > 1 ||
	    (look->is_code && qr_page_kind(frame) == QR_FILE))
		qr_page_activate(&vm->cache.workingset, frame);
	return false;
}

/* Code that is in use and what is locked stays active. */
static void age(struct quire_vm *vm, struct quire_frame *frame, const struct look *look)
{
	if (look->is_locked ||
	    (look->nr_accessed > 0 && look->is_code && qr_page_kind(frame) == QR_FILE))
		return;
	qr_page_deactivate(&vm->cache.workingset, frame);
}

/* One way round for the hand of a kind. */
struct turn {
	struct quire_vm *vm;
	enum qr_kind kind;
	bool ages; /* active pages are to become inactive */
	uint32_t nr_looked, nr_gone;
};

static void meet(struct turn *turn, quire_pfn pfn)
{
	struct quire_vm *vm = turn->vm;
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	bool is_active = qr_page_has(frame, QUIRE_PAGE_ACTIVE);
	struct look look = {0};

	if (frame->use != QUIRE_FRAME_MAPPED || hand_of(frame) != turn->kind ||
	    (is_active && !turn->ages) || qr_page_is_pooled(frame) ||
	    qr_page_has(frame, QUIRE_PAGE_CACHED))
		return;
	turn->nr_looked += qr_page_size(frame);
	qr_rmap_walk(vm, pfn, look_at, &look);
	if (is_active)
		age(vm, frame, &look);
	else if (may_go(vm, frame, &look))
		turn->nr_gone += evict(vm, pfn, &look);
}

/* The hand of a kind looks at so many pages, but goes round once at most; returns how many
 * went. */
static uint32_t turn_hand(struct quire_vm *vm, enum qr_kind kind, uint64_t nr, bool ages)
{
	struct quire_workingset *ws = &vm->cache.workingset;
	uint32_t nr_frames = vm->zone.buddy.nr_frames;
	struct turn turn = {.vm = vm, .kind = kind};

	turn.ages = ages || qr_inactive_is_low(qr_workingset_inactive(ws, kind),
					       ws->nr_active[kind]);
	for (uint32_t left = nr_frames;
	     left > 0 && turn.nr_looked < nr && turn.nr_gone < BATCH; left--) {
		quire_pfn pfn = {vm->hands[kind]};

		vm->hands[kind] = pfn.n + 1 == nr_frames ? 0 : pfn.n + 1;
		meet(&turn, pfn);
	}
	qr_workingset_note_cost(ws, kind, 0, turn.nr_looked - turn.nr_gone);
	vm->figures.scanned[vm->is_daemon] += turn.nr_looked;
	vm->figures.stolen[vm->is_daemon] += turn.nr_gone;
	return turn.nr_gone;
}

static uint32_t look_round(struct quire_vm *vm, uint32_t priority)
{
	struct quire_workingset *ws = &vm->cache.workingset;
	struct qr_balance b = {
		.swappiness = vm->config.swappiness,
		.has_swap = vm->config.swap != QUIRE_SWAP_NONE,
	};
	uint64_t scan[QR_KINDS];
	uint32_t nr_gone = 0;

	for (uint32_t kind = 0; kind < QR_KINDS; kind++) {
		b.pages[kind] = qr_workingset_pages(ws, kind);
		b.cost[kind] = ws->cost[kind];
	}
	qr_balance_shares(&b, priority, scan);
	/* The last resort leaves nothing out. */
	if (priority == 0)
		scan[QR_FILE] = vm->zone.buddy.nr_frames;
	nr_gone += turn_hand(vm, QR_FILE, scan[QR_FILE], priority == 0);
	if (nr_gone < BATCH)
		nr_gone += turn_hand(vm, QR_ANON, scan[QR_ANON], priority == 0);
	return nr_gone;
}

/* Takes out BATCH pages where they can be had; returns how many went. */
static uint32_t shrink(struct quire_vm *vm)
{
	uint32_t nr_gone = qr_swap_cache_shrink(vm, BATCH);

	for (uint32_t priority = QR_PRIORITY_DEFAULT; priority > 0 && nr_gone < BATCH;
	     priority--)
		nr_gone += look_round(vm, priority);
	for (uint32_t round = 0; round < ROUNDS && nr_gone == 0; round++)
		nr_gone += look_round(vm, 0);
	return nr_gone;
}

/* Brings the store down to its part, and sees to it that packing finds frames. */
static void trim_store(struct quire_vm *vm)
{
	const struct quire_zone *zone = &vm->zone;

	while (vm->swap.has_device &&
	       (vm->stats->frames_store > zone->buddy.nr_frames / STORE_PART ||
		qr_zone_free_frames(zone) < zone->min / 2))
		if (qr_swap_spill(&vm->swap, 1) != QUIRE_OK)
			return;
}

/* Whether the store gives something. */
static bool squeeze(struct quire_vm *vm)
{
	return vm->config.swap != QUIRE_SWAP_NONE &&
	       (qr_swap_spill(&vm->swap, 1) == QUIRE_OK ||
		qr_swap_compact(&vm->swap, 1) > 0);
}

bool qr_frames_reclaim(struct quire_vm *vm)
{
	vm->figures.stalls++;
	trim_store(vm);
	return shrink(vm) > 0 || squeeze(vm);
}

bool qr_frames_evict(struct quire_vm *vm, quire_pfn pfn)
{
	struct look look = {0};

	qr_rmap_walk(vm, pfn, look_at, &look);
	return !look.is_locked && evict(vm, pfn, &look) > 0;
}

bool quire_vm_balance(struct quire_vm *vm)
{
	bool worked = false;

	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	if (qr_zone_free_frames(&vm->zone) < vm->zone.low) {
		vm->is_daemon = true;
		vm->figures.daemon_runs++;
		trim_store(vm);
		while (qr_zone_free_frames(&vm->zone) < vm->zone.high &&
		       (shrink(vm) > 0 || squeeze(vm)))
			worked = true;
		vm->is_daemon = false;
	}
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
	return worked;
}
