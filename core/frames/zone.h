/* SPDX-License-Identifier: MIT */
/* zone.h - the machine's frames: handed out, taken back, counted.
 *
 * Model.  A zone is a frame table, a buddy system over it and three watermarks.  On a
 * ground that copies pages out (QUIRE_PORT_COPIES) a frame that held a table or
 * compressed data is *warm* when it is freed: the ground still holds memory behind it.
 * Warm frames wait on a list of their own: they are the first choice for the next table
 * or store frame, and are discarded, a batch at a time, before they can stand for a
 * mapped page.  So the ground's memory never exceeds the frames in use plus the warm
 * list, and the warm list is bounded.
 *
 * Invariants.
 *   Z1  nr_frames = the sum of counts over all uses = what stats says;
 *   Z2  free = buddy.nr_free + nr_warm;
 *   Z3  nr_warm <= ZONE_WARM_MAX.
 *
 * Watermarks.  A caller with no special right gets nothing that leaves free below min;
 * RESERVE may use all.  The page-out daemon starts below low and stops at high.
 *
 * Locking.  All calls are made with the machine's lock held.
 */
#ifndef QUIRE_CORE_FRAMES_ZONE_H
#define QUIRE_CORE_FRAMES_ZONE_H

#include "core/frames/buddy_binary.h"
#include "quire/port.h"
#include "quire/stats.h"

struct quire_zone {
	const struct quire_port *port;
	struct quire_stats *stats;
	struct quire_frame *frames; /* in the zone's own first frames */
	struct quire_buddy buddy;
	uint32_t warm_head, nr_warm;
	uint32_t min, low, high; /* frames */
	uint32_t counts[QUIRE_FRAME_USES];
	uint64_t
		fail_in; /* failures on command: so many allocations till one fails; 0 none */
};

/* Frames that the frame table of nr_frames frames takes. */
uint32_t qr_zone_table_frames(uint32_t nr_frames);
/* The first nr_meta frames, which the frame table starts, are META. */
void qr_zone_init(struct quire_zone *zone, const struct quire_port *port,
		  struct quire_stats *stats, uint32_t nr_meta);

#define QUIRE_ALLOC_RESERVE 1u /* may go below min: the caller is freeing memory */
#define QUIRE_ALLOC_ZERO    2u /* the frame's bytes are zero */

/* One frame for use (TABLE, STORE, MAPPED or SLAB); false when the watermark forbids it. */
bool qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use, uint32_t flags,
		   quire_pfn *out);
void qr_zone_free(struct quire_zone *zone, quire_pfn pfn);
/* 2^order neighbouring frames, the first a multiple of 2^order; order is
 * 0..QUIRE_ORDER_MAX.  flags as above; ZERO clears them all.  Given back as taken: order
 * and all. */
bool qr_zone_alloc_block(struct quire_zone *zone, enum quire_frame_use use,
			 uint32_t order, uint32_t flags, quire_pfn *out);
void qr_zone_free_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order);
uint32_t qr_zone_free_frames(const struct quire_zone *zone);
const char *qr_zone_validate(const struct quire_zone *zone);

static inline void *qr_zone_address(const struct quire_zone *zone, quire_pfn pfn)
{
	return zone->port->direct + ((size_t)pfn.n << QUIRE_PAGE_SHIFT);
}

static inline struct quire_frame *qr_zone_frame(const struct quire_zone *zone,
						quire_pfn pfn)
{
	return &zone->frames[pfn.n];
}

#endif
