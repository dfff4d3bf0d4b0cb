/* SPDX-License-Identifier: MIT */
/* compact.c - a large free block made of scattered free frames, by moving the pages that
 * lie between them.
 *
 * Of all aligned runs of the wanted size in which only single movable pages are in use,
 * the one with the fewest is emptied: its free blocks are taken first, so that no page
 * moves into it; then page after page goes to a frame outside.  Freed together the run's
 * frames merge into one block.  Only the binary system aligns its blocks so that any
 * aligned run can become one. */
#include "core/frames/compact.h"
#include "core/base/assert.h"
#include "core/frames/zone_impl.h"

/* Single pages in use in the run, or UINT32_MAX where something else is. */
static uint32_t pages_to_move(const struct quire_buddy *buddy, uint32_t first,
			      uint32_t end, qr_may_move_fn *may_move)
{
	uint32_t nr = 0;

	/* A block that begins before the run holds all of it. */
	if (qr_frame_peek(&buddy->frames[first]).use == QUIRE_FRAME_TAIL)
		return UINT32_MAX;
	for (uint32_t n = first; n < end;) {
		struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);

		if (frame.use == QUIRE_FRAME_FREE) {
			n += buddy->sizes[frame.order];
			continue;
		}
		if (frame.use != QUIRE_FRAME_MAPPED || frame.order != 0 ||
		    !may_move(&buddy->frames[n]))
			return UINT32_MAX;
		nr++;
		n++;
	}
	return nr;
}

/* The first frame of the run that is cheapest to empty. */
static uint32_t cheapest_run(const struct quire_buddy *buddy, uint32_t size,
			     qr_may_move_fn *may_move)
{
	uint32_t best = QUIRE_NO_FRAME;
	uint32_t least = UINT32_MAX;

	for (uint32_t n = 0; n + size <= buddy->nr_frames; n += size) {
		uint32_t nr = pages_to_move(buddy, n, n + size, may_move);

		if (nr < least) {
			least = nr;
			best = n;
		}
	}
	/* Each page needs a frame outside the run. */
	return least != UINT32_MAX && buddy->nr_free - (size - least) >= least
		       ? best
		       : QUIRE_NO_FRAME;
}

static void take_free(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	for (uint32_t n = first; n < end;) {
		struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);
		uint32_t size = buddy->sizes[frame.order];

		if (frame.use == QUIRE_FRAME_FREE)
			qr_buddy_take(buddy, n, n + size);
		n += size;
	}
}

/* Frees what is TAKEN in the run: all of it when every page has gone. */
static void give_taken(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	for (uint32_t n = first; n < end;) {
		struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);
		uint32_t size = buddy->sizes[frame.order];

		if (frame.use == QUIRE_FRAME_TAKEN)
			qr_buddy_free(buddy, (quire_pfn){n});
		n += size;
	}
}

static bool move_page(struct quire_zone *zone, uint32_t n, qr_move_fn *move, void *ctx)
{
	struct quire_buddy *buddy = &zone->buddy;
	struct quire_frame *from = &buddy->frames[n];
	quire_pfn to;

	if (!qr_buddy_alloc(buddy, 0, buddy->groups != NULL ? 1 : 0, &to))
		return false;
	if (!move(ctx, (quire_pfn){n + zone->base}, (quire_pfn){to.n + zone->base})) {
		qr_buddy_free(buddy, to);
		return false;
	}
	/* Where the page lies and what it is follow it; the rest is a single frame's. */
	buddy->frames[to.n].use = QUIRE_FRAME_MAPPED;
	buddy->frames[to.n].nr_entries = from->nr_entries;
	buddy->frames[to.n].slot = from->slot;
	buddy->frames[to.n].owner = from->owner;
	qr_frame_set_use(from, QUIRE_FRAME_TAKEN);
	return true;
}

bool qr_frame_has_one_user(const struct quire_frame *frame)
{
	return atomic_load_explicit(&frame->refs, memory_order_relaxed) == 0;
}

bool qr_zone_compact(struct quire_zone *zone, uint32_t order, qr_may_move_fn *may_move,
		     qr_move_fn *move, void *ctx)
{
	struct quire_buddy *buddy = &zone->buddy;
	uint32_t size = 1u << order;
	uint32_t first = QUIRE_NO_FRAME;
	bool is_done = true;

	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX);
	for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
		if (buddy->filled[group] >> order != 0)
			return true;
	if (move != NULL && buddy->ops == &qr_buddy_binary)
		first = cheapest_run(buddy, size, may_move);
	if (first == QUIRE_NO_FRAME)
		return false;
	take_free(buddy, first, first + size);
	for (uint32_t n = first; n < first + size && is_done; n++)
		if (qr_frame_peek(&buddy->frames[n]).use == QUIRE_FRAME_MAPPED)
			is_done = move_page(zone, n, move, ctx);
	give_taken(buddy, first, first + size);
	qr_zone_account(zone);
	return is_done;
}
