/* SPDX-License-Identifier: MIT */
/* zone_block.c - blocks and runs of a zone's frames. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/frames/zone_impl.h"

uint32_t qr_zone_block_frames(const struct quire_zone *zone, quire_pfn pfn)
{
	uint32_t order = zone->frames[pfn.n].order;

	return order < zone->buddy.nr_orders ? zone->buddy.sizes[order] : 0;
}

/* The block at pfn is in use from now on.  Each frame of a slab says so: an object's slab
 * is found from any of its frames. */
static void hand_out(struct quire_zone *zone, quire_pfn pfn, enum quire_frame_use use,
		     uint32_t flags)
{
	struct quire_frame *frame = &zone->frames[pfn.n];
	uint32_t nr = qr_zone_block_frames(zone, pfn);

	qr_frame_hand_out(frame, qr_frame_head(frame), use);
	for (uint32_t i = 1; use == QUIRE_FRAME_SLAB && i < nr; i++)
		zone->frames[pfn.n + i] = (struct quire_frame){.use = QUIRE_FRAME_SLAB,
							       .order = QUIRE_ORDER_PART};
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(qr_zone_address(zone, pfn), 0, (size_t)nr << QUIRE_PAGE_SHIFT);
	zone->counts[use] += nr;
}

static void take_back(struct quire_zone *zone, quire_pfn pfn)
{
	uint32_t nr = qr_zone_block_frames(zone, pfn);
	uint32_t use = zone->frames[pfn.n].use;

	zone->counts[use] -= nr;
	for (uint32_t i = 1; use == QUIRE_FRAME_SLAB && i < nr; i++)
		zone->frames[pfn.n + i].use = QUIRE_FRAME_TAIL;
	/* Blocks do not wait on the warm list: there they would fall to single frames. */
	if (qr_zone_is_backed(zone, use))
		qr_zone_discard(zone, pfn.n, nr);
	qr_buddy_free(&zone->buddy, (quire_pfn){pfn.n - zone->base});
}

bool qr_zone_alloc_block(struct quire_zone *zone, enum quire_frame_use use,
			 uint32_t order, uint32_t flags, quire_pfn *out)
{
	uint32_t group = qr_zone_group(flags);
	quire_pfn pfn;

	if (order == 0)
		return qr_zone_alloc(zone, use, flags, out);
	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX);
	QUIRE_ASSERT(qr_use_is_handed_out(use));
	if (zone->orders[order] >= zone->buddy.nr_orders ||
	    !qr_zone_may_take(zone, 1u << order, flags))
		return false;
	if (!qr_buddy_alloc(&zone->buddy, zone->orders[order], group, &pfn)) {
		qr_zone_warm_drain(zone);
		if (!qr_buddy_alloc(&zone->buddy, zone->orders[order], group, &pfn)) {
			qr_zone_account(zone);
			return false;
		}
	}
	pfn.n += zone->base;
	hand_out(zone, pfn, use, flags);
	qr_zone_account(zone);
	*out = pfn;
	return true;
}

/* Uneven systems may have given more than was asked for. */
static bool was_taken_as(const struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	uint32_t given = zone->frames[pfn.n].order;

	return given == zone->orders[order] ||
	       (zone->buddy.ops != &qr_buddy_binary && given > zone->orders[order] &&
		given != QUIRE_ORDER_PART);
}

void qr_zone_free_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX);
	QUIRE_ASSERT(pfn.n - zone->base < zone->buddy.nr_frames);
	if (order == 0 && qr_zone_block_frames(zone, pfn) <= 1) {
		qr_zone_free(zone, pfn);
		return;
	}
	if (!qr_frame_is_handed_out(&zone->frames[pfn.n]))
		zone->port->panic(zone->port->ctx, "zone: a block is freed twice");
	if (!was_taken_as(zone, pfn, order))
		zone->port->panic(zone->port->ctx,
				  "zone: a block is freed with another order");
	take_back(zone, pfn);
	qr_zone_account(zone);
}

void qr_zone_split_block(struct quire_zone *zone, quire_pfn pfn)
{
	struct quire_frame *frames = &zone->frames[pfn.n];
	uint32_t nr = qr_zone_block_frames(zone, pfn), use = frames->use;

	QUIRE_ASSERT(zone->buddy.ops == &qr_buddy_binary &&
		     qr_frame_is_handed_out(frames) && use != QUIRE_FRAME_SLAB);
	for (uint32_t i = 0; i < nr; i++)
		qr_frame_set_head(&frames[i], qr_head_of(use, 0, 0));
}

bool qr_zone_alloc_run(struct quire_zone *zone, enum quire_frame_use use, uint32_t nr,
		       uint32_t align, uint32_t flags, quire_pfn *out)
{
	uint32_t first;

	QUIRE_ASSERT(qr_use_is_handed_out(use));
	if (nr == 0 || !qr_zone_may_take(zone, nr, flags))
		return false;
	qr_zone_warm_drain(zone);
	first = qr_buddy_find_run(&zone->buddy, nr, align);
	if (first != QUIRE_NO_FRAME) {
		qr_buddy_take(&zone->buddy, first, first + nr);
		first += zone->base;
		for (uint32_t n = first; n < first + nr;) {
			hand_out(zone, (quire_pfn){n}, use, flags);
			n += qr_zone_block_frames(zone, (quire_pfn){n});
		}
		*out = (quire_pfn){first};
	}
	qr_zone_account(zone);
	return first != QUIRE_NO_FRAME;
}

void qr_zone_free_run(struct quire_zone *zone, quire_pfn pfn, uint32_t nr)
{
	uint32_t end = pfn.n + nr;

	QUIRE_ASSERT(pfn.n - zone->base < zone->buddy.nr_frames);
	for (uint32_t n = pfn.n; n < end;) {
		uint32_t size = qr_zone_block_frames(zone, (quire_pfn){n});

		if (!qr_frame_is_handed_out(&zone->frames[n]) || size == 0 ||
		    size > end - n)
			zone->port->panic(zone->port->ctx,
					  "zone: a run is freed that was not taken");
		take_back(zone, (quire_pfn){n});
		n += size;
	}
	qr_zone_account(zone);
}

bool qr_zone_retire(struct quire_zone *zone, quire_pfn pfn)
{
	uint32_t n = pfn.n - zone->base;
	struct quire_frame *frame = &zone->frames[pfn.n];
	uint32_t head;

	QUIRE_ASSERT(n < zone->buddy.nr_frames);
	qr_zone_warm_drain(zone);
	head = qr_buddy_head(&zone->buddy, n);
	if (zone->buddy.frames[head].use == QUIRE_FRAME_FREE) {
		qr_buddy_take(&zone->buddy, n, n + 1);
	} else if (qr_frame_is_handed_out(frame) && head == n &&
		   qr_zone_block_frames(zone, pfn) == 1) {
		/* Its owner gives it up instead of freeing it. */
		zone->counts[frame->use]--;
	} else {
		qr_zone_account(zone);
		return false;
	}
	qr_frame_hand_out(frame, qr_frame_head(frame), QUIRE_FRAME_BAD);
	zone->counts[QUIRE_FRAME_BAD]++;
	qr_zone_account(zone);
	return true;
}
