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
 *   Z1  nr_frames = the sum of counts over all uses = what stats says, where there are
 *       any;
 *   Z2  free = buddy.nr_free + nr_warm;
 *   Z3  nr_warm <= ZONE_WARM_MAX.
 *
 * Watermarks.  A caller with no special right gets nothing that leaves free below min;
 * URGENT leaves half of that, RESERVE nothing.  The page-out daemon starts below low and
 * stops at high.
 *
 * Locking.  All calls are made with the machine's lock held.
 */
#ifndef QUIRE_CORE_FRAMES_ZONE_H
#define QUIRE_CORE_FRAMES_ZONE_H

#include "core/frames/buddy.h"
#include "quire/port.h"
#include "quire/stats.h"

/* The largest block that a zone gives has 2^QUIRE_ORDER_MAX frames: 4 MiB. */
#define QUIRE_ORDER_MAX 10u

struct quire_zone {
	const struct quire_port *port;
	struct quire_stats *stats; /* NULL: counts alone are kept */
	struct quire_frame
		*frames; /* of the whole machine: a frame's number is its index */
	uint32_t base;	 /* the zone's first frame; the buddy system's 0 */
	struct quire_buddy buddy;
	uint32_t warm_head, nr_warm;
	uint32_t min, low, high; /* frames */
	/* Of each use but FREE and WARM: qr_zone_count() knows all. */
	uint32_t counts[QUIRE_FRAME_USES];
	uint8_t orders[QUIRE_ORDER_MAX + 1]; /* of the buddy system, for 2^i frames */
	/* Failures on command: so many allocations till one fails; 0 none. */
	uint64_t fail_in;
	bool was_short; /* a watermark forbade a frame; callers who care clear it first */
};

/* Frames that the frame table of nr_frames frames takes. */
uint32_t qr_zone_table_frames(uint32_t nr_frames);
/* The one zone of a machine.  The first nr_meta frames, which the frame table starts, are
 * META; the other frames of the port are free. */
void qr_zone_init(struct quire_zone *zone, const struct quire_port *port,
		  struct quire_stats *stats, uint32_t nr_meta);

/* The same with pages that can move (QUIRE_ALLOC_MOVABLE) kept apart from the rest: groups
 * has a byte for each started QUIRE_GROUP_FRAMES, 1 at the beginning. */
void qr_zone_init_grouped(struct quire_zone *zone, const struct quire_port *port,
			  struct quire_stats *stats, uint32_t nr_meta,
			  _Atomic uint8_t *groups);

/* One of several zones: frames [base, base + nr_frames) of a table that is all zero.  The
 * watermarks are 0. */
struct quire_zone_config {
	const struct quire_port *port;
	struct quire_frame *frames;
	uint32_t base, nr_frames;
	struct quire_buddy_config buddy;
};
void qr_zone_open(struct quire_zone *zone, const struct quire_zone_config *config);
/* Says what the frames [first, end) are: free, or META or RESERVED.  To be called for each
 * frame once before the first is taken; RESERVED frames may be freed later. */
void qr_zone_add(struct quire_zone *zone, uint32_t first, uint32_t end);
void qr_zone_set(struct quire_zone *zone, uint32_t first, uint32_t end,
		 enum quire_frame_use use);

/* One frame for use (TABLE, STORE, MAPPED or SLAB); false when the watermark forbids it. */
bool qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use, uint32_t flags,
		   quire_pfn *out);
void qr_zone_free(struct quire_zone *zone, quire_pfn pfn);
/* 2^order neighbouring frames, the first a multiple of 2^order; order is
 * 0..QUIRE_ORDER_MAX.  flags as above; ZERO clears them all.  Given back as taken: order
 * and all.  (Only the binary system aligns; the others may give a larger block.) */
bool qr_zone_alloc_block(struct quire_zone *zone, enum quire_frame_use use,
			 uint32_t order, uint32_t flags, quire_pfn *out);
void qr_zone_free_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order);
/* The block of the binary system that is in use becomes as many single frames in use; their
 * records but for use and order are the caller's to fill. */
void qr_zone_split_block(struct quire_zone *zone, quire_pfn pfn);
/* nr neighbouring frames, any number of them, from the middle of larger blocks where need
 * be; the first is a multiple of align frames from the zone's base.  A walk over the
 * zone's blocks. */
bool qr_zone_alloc_run(struct quire_zone *zone, enum quire_frame_use use, uint32_t nr,
		       uint32_t align, uint32_t flags, quire_pfn *out);
void qr_zone_free_run(struct quire_zone *zone, quire_pfn pfn, uint32_t nr);
/* The frame's memory is faulty: it is never given again.  It is free, or a frame of its
 * own whose owner gives it up by this; false where it is part of something else. */
bool qr_zone_retire(struct quire_zone *zone, quire_pfn pfn);
const char *qr_zone_validate(const struct quire_zone *zone);

static inline uint32_t qr_zone_free_frames(const struct quire_zone *zone)
{
	return zone->buddy.nr_free + zone->nr_warm;
}

/* Frames of a use; those on CPUs' lists are the lists' owner's to know. */
static inline uint32_t qr_zone_count(const struct quire_zone *zone,
				     enum quire_frame_use use)
{
	if (use == QUIRE_FRAME_FREE)
		return zone->buddy.nr_free;
	return use == QUIRE_FRAME_WARM ? zone->nr_warm : zone->counts[use];
}

/* Objects are the machine's own records, as tables are: the account has them as one. */
static inline uint32_t qr_zone_table_count(const struct quire_zone *zone)
{
	return zone->counts[QUIRE_FRAME_TABLE] + zone->counts[QUIRE_FRAME_SLAB];
}

/* Frames of the block that this frame heads, free or taken; 0 inside a slab's. */
uint32_t qr_zone_block_frames(const struct quire_zone *zone, quire_pfn pfn);

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
