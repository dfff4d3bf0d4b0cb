/* SPDX-License-Identifier: MIT */
/* frame.h - the frame table: one record for each frame.
 *
 * Invariants.
 *   F1  the first frame of a block has the block's order, and FREE or what the block is
 *       used for; the block's other frames are TAIL, but in a taken block of SLAB, where
 *       each frame is SLAB, those after the first with order QUIRE_ORDER_PART;
 *   F2  a MAPPED frame is named by exactly one present entry, at owner;
 *   F3  the slot of a MAPPED frame is not 0 only while its copy in swap is still good:
 *       the swap cache.
 */
#ifndef QUIRE_CORE_FRAMES_FRAME_H
#define QUIRE_CORE_FRAMES_FRAME_H

#include "quire/types.h"

enum quire_frame_use {
	QUIRE_FRAME_TAIL,   /* inside a block, or never used; 0: the table starts so */
	QUIRE_FRAME_FREE,   /* heads a free block */
	QUIRE_FRAME_WARM,   /* free, but the ground still holds memory for it */
	QUIRE_FRAME_META,   /* the frame table, lanes, the machine itself */
	QUIRE_FRAME_TABLE,  /* page tables, pools of records */
	QUIRE_FRAME_STORE,  /* compressed pages */
	QUIRE_FRAME_MAPPED, /* a page of the program */
	QUIRE_FRAME_SLAB,   /* objects; slot and owner are the slab allocator's */
	QUIRE_FRAME_TAKEN,  /* heads a block that the buddy system gave, of no use yet */
	QUIRE_FRAME_CACHED, /* free, on a CPU's own list */
	QUIRE_FRAME_RESERVED, /* a hole of the memory map, or somebody else's */
	QUIRE_FRAME_BAD,      /* found faulty, and never given again */
	QUIRE_FRAME_USES,
};

/* The order of a frame inside a taken block: it heads none. */
#define QUIRE_ORDER_PART 63u

/* References past this many are no longer counted, and the frame is never freed: a leak
 * where a wrap would be a use after free. */
#define QUIRE_REFS_MAX 0xffffu

struct quire_frame {
	uint16_t use : 4;   /* enum quire_frame_use */
	uint16_t order : 6; /* of the block it heads, free or taken */
	uint16_t tag : 6;   /* of the same block: its place among its buddies */
	union {
		uint16_t nr_entries;   /* TABLE: entries in use, for page tables */
		uint16_t group;	       /* FREE: whose list it is on */
		_Atomic uint16_t refs; /* handed out: references beyond the first */
	};
	uint32_t slot; /* MAPPED: the good copy's slot, or 0; SLAB: its own */
	union {
		struct {
			uint32_t next, prev; /* FREE, WARM: neighbours on the list */
		};
		uint64_t owner; /* MAPPED: the page's address; SLAB: the slab's own */
	};
};

_Static_assert(sizeof(struct quire_frame) == 16, "0.4 % of a 4 KiB frame");

static inline bool qr_frame_is_handed_out(const struct quire_frame *frame)
{
	return frame->use >= QUIRE_FRAME_TABLE && frame->use <= QUIRE_FRAME_SLAB;
}

#endif
