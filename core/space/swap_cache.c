/* SPDX-License-Identifier: MIT */
/* swap_cache.c - pages put under their slots, taken by faults, and dropped. */
#include "core/space/swap_cache.h"

#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm.h"

static struct quire_object *pages_of(const struct quire_vm *vm)
{
	return qr_object_at(&vm->objects, vm->swap_cache.object);
}

bool qr_swap_cache_open(struct quire_vm *vm)
{
	/* The place of slot n is page n. */
	if (vm->config.swap == QUIRE_SWAP_NONE)
		return true;
	return qr_object_new(&vm->objects, &vm->zone, 1ull << 32,
			     &vm->swap_cache.object) != NULL;
}

void qr_swap_cache_close(struct quire_vm *vm)
{
	if (vm->swap_cache.object != 0)
		qr_object_free(&vm->objects, vm->swap_cache.object);
}

static bool find(const struct quire_vm *vm, quire_slot slot, quire_pfn *out)
{
	const struct quire_object *pages = pages_of(vm);
	quire_entry e;

	if (pages->nr_resident == 0)
		return false;
	e = qr_object_get(pages, slot.n);
	*out = qr_entry_pfn(e);
	return qr_entry_is_present(e);
}

/* The frame is its finder's. */
static void take_out(struct quire_vm *vm, quire_slot slot, quire_pfn pfn)
{
	bool done = qr_object_set(pages_of(vm), slot.n, (quire_entry){0});

	QUIRE_ASSERT(done && qr_zone_frame(&vm->zone, pfn)->nr_entries == 1);
}

static void drop(struct quire_vm *vm, quire_slot slot, quire_pfn pfn)
{
	take_out(vm, slot, pfn);
	qr_vm_put(vm, pfn);
}

void qr_vm_drop_slot(struct quire_vm *vm, quire_slot slot)
{
	quire_pfn pfn;

	if (qr_swap_drop(&vm->swap, slot) && find(vm, slot, &pfn))
		drop(vm, slot, pfn);
}

bool qr_swap_is_cached(const struct quire_vm *vm, quire_entry e)
{
	quire_pfn pfn;

	return qr_entry_is_swapped(e) && find(vm, (quire_slot){qr_entry_number(e)}, &pfn);
}

static enum qr_swap_found found_as(struct quire_frame *frame)
{
	bool was_ahead = qr_page_has(frame, QUIRE_PAGE_AHEAD);

	frame->slot &= ~QUIRE_PAGE_AHEAD;
	return was_ahead ? QR_SWAP_AHEAD : QR_SWAP_CACHED;
}

/* Whether there was an extent that several pages are taken from. */
static bool forget_extent(struct quire_bounce *bounce)
{
	bool any = false;

	for (uint32_t i = 0; i < bounce->nr; i++) {
		any |= bounce->held[i].is_loaded;
		bounce->held[i].is_loaded = false;
	}
	return any;
}

static enum quire_status load(struct quire_vm *vm, quire_slot slot, bool is_stream,
			      void *bytes)
{
	enum quire_status status =
		qr_space_load(&vm->swap, &vm->lane, slot, bytes, is_stream);

	/* What was transferred badly once may be well on the device. */
	if (status == QUIRE_CORRUPT && forget_extent(&vm->lane.bounce))
		status = qr_space_load(&vm->swap, &vm->lane, slot, bytes, false);
	if (status == QUIRE_OK)
		vm->figures.pages_in++;
	return status;
}

/* Somebody else will want the page in the cache too. */
static bool copy(struct quire_vm *vm, quire_pfn from, quire_pfn *out)
{
	if (!qr_vm_take(vm, out))
		return false;
	memcpy(qr_zone_address(&vm->zone, *out), qr_zone_address(&vm->zone, from),
	       QUIRE_PAGE_BYTES);
	qr_zone_frame(&vm->zone, *out)->nr_entries = 1;
	return true;
}

static enum quire_status read_in(struct quire_vm *vm, quire_slot slot, bool is_stream,
				 quire_pfn *out)
{
	enum quire_status status;

	if (!qr_vm_take(vm, out))
		return QUIRE_NO_MEMORY;
	qr_zone_frame(&vm->zone, *out)->nr_entries = 1;
	status = load(vm, slot, is_stream, qr_zone_address(&vm->zone, *out));
	if (status != QUIRE_OK)
		qr_vm_put(vm, *out);
	return status;
}

enum quire_status qr_swap_in(struct quire_vm *vm, quire_slot slot, bool is_stream,
			     quire_pfn *out, enum qr_swap_found *found)
{
	quire_pfn cached;

	*found = QR_SWAP_OUT;
	if (!find(vm, slot, &cached))
		return read_in(vm, slot, is_stream, out);
	if (qr_swap_is_shared(&vm->swap, slot) && !copy(vm, cached, out))
		return QUIRE_NO_MEMORY;
	*found = found_as(qr_zone_frame(&vm->zone, cached));
	if (!qr_swap_is_shared(&vm->swap, slot)) {
		take_out(vm, slot, cached);
		qr_zone_frame(&vm->zone, cached)->slot = 0;
		*out = cached;
	}
	if (*found == QR_SWAP_AHEAD)
		vm->figures.swap_ahead_hits++;
	return QUIRE_OK;
}

enum quire_status qr_swap_peek(struct quire_vm *vm, quire_slot slot, void *to)
{
	quire_pfn cached;

	if (!find(vm, slot, &cached))
		return load(vm, slot, false, to);
	memcpy(to, qr_zone_address(&vm->zone, cached), QUIRE_PAGE_BYTES);
	if (found_as(qr_zone_frame(&vm->zone, cached)) == QR_SWAP_AHEAD)
		vm->figures.swap_ahead_hits++;
	return QUIRE_OK;
}

bool qr_swap_cache_read(struct quire_vm *vm, quire_slot slot, enum qr_swap_found as)
{
	struct quire_frame *frame;
	quire_pfn pfn;

	if (find(vm, slot, &pfn) ||
	    (as == QR_SWAP_AHEAD && !qr_swap_is_on_device(&vm->swap, slot)))
		return true;
	if (qr_zone_free_frames(&vm->zone) <= vm->zone.low ||
	    read_in(vm, slot, true, &pfn) != QUIRE_OK)
		return false;
	if (!qr_object_set(pages_of(vm), slot.n, qr_entry_present(pfn, 0))) {
		qr_vm_put(vm, pfn);
		return false;
	}
	frame = qr_zone_frame(&vm->zone, pfn);
	frame->owner = qr_page_owner(true, vm->swap_cache.object, slot.n);
	frame->slot = QUIRE_PAGE_CACHED;
	if (as == QR_SWAP_AHEAD) {
		frame->slot |= QUIRE_PAGE_AHEAD;
		vm->figures.swap_ahead++;
	}
	return true;
}

/* Pages of one leaf go, from the hand on. */
static uint32_t shrink_leaf(struct quire_vm *vm, struct qr_leaf leaf, uint32_t nr)
{
	uint32_t left = qr_zone_frame(&vm->zone, leaf.table)->nr_entries, nr_gone = 0;
	uint64_t base = qr_pages(leaf.base);
	uint32_t i =
		vm->swap_cache.hand > base ? (uint32_t)(vm->swap_cache.hand - base) : 0;

	/* The table goes with its last entry. */
	for (; i < QUIRE_TABLE_ENTRIES && nr_gone < nr && nr_gone < left; i++) {
		quire_entry e = leaf.entries[i];

		if (!qr_entry_is_present(e))
			continue;
		drop(vm, (quire_slot){(uint32_t)base + i}, qr_entry_pfn(e));
		nr_gone++;
	}
	vm->swap_cache.hand = base + i;
	return nr_gone;
}

uint32_t qr_swap_cache_shrink(struct quire_vm *vm, uint32_t nr)
{
	const struct quire_object *pages;
	uint32_t nr_gone = 0;

	if (vm->swap_cache.object == 0)
		return 0;
	pages = pages_of(vm);
	while (nr_gone < nr && pages->nr_resident > 0) {
		const struct quire_range left = {
			{vm->swap_cache.hand << QUIRE_PAGE_SHIFT},
			{pages->nr_pages << QUIRE_PAGE_SHIFT}};
		struct qr_leaf leaf;

		if (qr_tables_next_leaf(&pages->tables, left, &leaf))
			nr_gone += shrink_leaf(vm, leaf, nr - nr_gone);
		else
			vm->swap_cache.hand = 0;
	}
	return nr_gone;
}

const char *qr_swap_cache_validate(struct quire_vm *vm)
{
	uint64_t nr = 0;

	for (uint32_t n = 0; n < vm->zone.buddy.nr_frames; n++) {
		const struct quire_frame *frame = &vm->zone.frames[n];

		if (frame->use != QUIRE_FRAME_MAPPED ||
		    !qr_page_has(frame, QUIRE_PAGE_CACHED))
			continue;
		nr++;
		if (!qr_page_is(frame, QUIRE_PAGE_OF_OBJECT) ||
		    qr_page_id(frame) != vm->swap_cache.object ||
		    frame->nr_entries != 1 || qr_page_has(frame, QUIRE_PAGE_ACTIVE))
			return "K1 a page of the swap cache is nobody else's";
		if (!qr_swap_is_used(&vm->swap,
				     (quire_slot){(uint32_t)qr_page_index(frame)}))
			return "K2 the slot of a page in the swap cache is in use";
	}
	if (vm->swap_cache.object != 0 && nr != pages_of(vm)->nr_resident)
		return "K1 pages of the swap cache counted";
	return NULL;
}
