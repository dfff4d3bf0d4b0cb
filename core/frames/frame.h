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

#include "quire/frames.h"

#include <stdatomic.h>

/* The order of a frame inside a taken block: it heads none. */
#define QUIRE_ORDER_PART 63u

/* References past this many are no longer counted, and the frame is never freed: a leak
 * where a wrap would be a use after free. */
#define QUIRE_REFS_MAX 0xffffu

struct quire_frame {
	union {
		struct {
			uint16_t use : 4;   /* enum quire_frame_use */
			uint16_t order : 6; /* of the block it heads, free or taken */
			uint16_t tag : 6;   /* its place among its buddies */
		};
		_Atomic uint16_t head; /* the three: see qr_frame_peek() */
	};
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

/* A head as one number: bit-fields lie from the lowest bit up, as the ABIs of all little
 * endian processors have it (qr_zone_open() sees to it), and arithmetic on the number spares
 * the way through memory that compilers take otherwise. */
#define QUIRE_HEAD_USE	 0x000fu
#define QUIRE_HEAD_ORDER 0x03f0u

static inline uint32_t qr_frame_head(const struct quire_frame *frame)
{
	return atomic_load_explicit(&frame->head, memory_order_relaxed);
}

/* A CPU changes the head of a frame on its own lists without the zone's lock, while a holder
 * of the lock looks whether the frame is somebody's free buddy.  Either way it is not, but
 * both have to be one access: what qr_frame_peek() gives has a head only. */
static inline struct quire_frame qr_frame_peek(const struct quire_frame *frame)
{
	uint32_t head = qr_frame_head(frame);

	return (struct quire_frame){
		.use = head & QUIRE_HEAD_USE,
		.order = (head & QUIRE_HEAD_ORDER) >> 4,
		.tag = head >> 10 & 63u,
	};
}

static inline void qr_frame_set_head(struct quire_frame *frame, uint32_t head)
{
	atomic_store_explicit(&frame->head, (uint16_t)head, memory_order_relaxed);
}

/* Changes the use alone. */
static inline void qr_frame_set_use(struct quire_frame *frame, uint32_t use)
{
	qr_frame_set_head(frame, (qr_frame_head(frame) & ~QUIRE_HEAD_USE) | use);
}

static inline bool qr_frame_is_handed_out(const struct quire_frame *frame)
{
	return frame->use >= QUIRE_FRAME_TABLE && frame->use <= QUIRE_FRAME_SLAB;
}

#endif
