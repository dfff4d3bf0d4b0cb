/* SPDX-License-Identifier: MIT */
/* frame_clock.c - a page goes out of all entries that name it, and into swap. */
#include "core/reclaim/frame_clock.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

/* Pages that one call takes out, where they can be had: the fault that waits needs a
 * few, and the walk to the next victims is not free. */
#define BATCH 32u

/* Rounds after which nothing goes: one to take the second chances away, one to act. */
#define ROUNDS 2u

/* The store may take this part of all frames before it is written to a device: without
 * a bound it would take all, and leave nothing to write it out with. */
#define STORE_PART 2u

struct look {
	bool is_locked, is_accessed, is_dirty;
	uint32_t nr;
};

static bool look_at(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		    const struct qr_leaf *leaf, uint32_t index)
{
	struct look *look = ctx;
	quire_entry *e = &leaf->entries[index];

	(void)mm;
	look->nr++;
	look->is_locked |= qr_area_is(area, QUIRE_AREA_LOCKED);
	look->is_accessed |= qr_entry_has(*e, QUIRE_ENTRY_ACCESSED);
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

static bool evict_anonymous(struct quire_vm *vm, quire_pfn pfn, uint32_t nr)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct replacement with;
	quire_slot slot;

	if (!store(vm, pfn, &slot) || !name_slot(vm, slot, nr))
		return false;
	with.entry = qr_entry_swapped(slot.n, 0, 0);
	qr_rmap_walk(vm, pfn, replace, &with);
	vm->figures.pages_out++;
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
	qr_rmap_walk(vm, pfn, replace, &with);
	done = qr_object_set(object, qr_page_index(frame),
			     qr_entry_swapped(slot.n, 0, 0));
	QUIRE_ASSERT(done);
	vm->figures.pages_out++;
	frame->nr_entries = 1;
	qr_vm_put(vm, pfn);
	return true;
}

static bool drop_lazy(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	struct replacement with = {{0}};

	qr_rmap_walk(vm, pfn, replace, &with);
	frame->nr_entries = 1;
	qr_vm_put(vm, pfn);
	return true;
}

static bool drop_huge(struct quire_vm *vm, quire_pfn pfn)
{
	qr_huge_drop(vm, pfn);
	return true;
}

static bool try_frame(struct quire_vm *vm, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);
	bool of_object = qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);
	struct look look = {0};

	if (qr_page_is_pooled(frame))
		return false;
	qr_rmap_walk(vm, pfn, look_at, &look);
	if (look.is_locked || look.is_accessed)
		return false;
	if (qr_page_is(frame, QUIRE_PAGE_LAZY) && !of_object) {
		if (!look.is_dirty && qr_page_is_large(frame))
			return drop_huge(vm, pfn);
		if (!look.is_dirty)
			return drop_lazy(vm, pfn);
		frame->owner &= ~QUIRE_PAGE_LAZY;
	}
	if (vm->config.swap == QUIRE_SWAP_NONE)
		return false;
	/* The pages behind come under the hand next. */
	if (qr_page_is_large(frame))
		qr_huge_split(vm, pfn);
	return of_object ? evict_object(vm, pfn) : evict_anonymous(vm, pfn, look.nr);
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

bool qr_frames_reclaim(struct quire_vm *vm)
{
	uint32_t nr_frames = vm->zone.buddy.nr_frames, nr_gone = 0;
	uint64_t left = (uint64_t)nr_frames * ROUNDS;

	trim_store(vm);
	for (; left > 0 && nr_gone < BATCH; left--) {
		quire_pfn pfn = {vm->hand};

		vm->hand = vm->hand + 1 == nr_frames ? 0 : vm->hand + 1;
		if (qr_zone_frame(&vm->zone, pfn)->use == QUIRE_FRAME_MAPPED)
			nr_gone += try_frame(vm, pfn);
	}
	if (nr_gone > 0)
		return true;
	return vm->config.swap != QUIRE_SWAP_NONE &&
	       (qr_swap_spill(&vm->swap, 1) == QUIRE_OK ||
		qr_swap_compact(&vm->swap, 1) > 0);
}
