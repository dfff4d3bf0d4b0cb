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
			union {
				struct {
					uint16_t use : 4;   /* enum quire_frame_use */
					uint16_t order : 6; /* of the block it heads */
					uint16_t
						tag : 6; /* its place among its buddies */
				};
				_Atomic uint16_t head; /* the three: qr_frame_peek() */
			};
			union {
				/* TABLE: entries in use, for page tables */
				uint16_t nr_entries;
				uint16_t group; /* FREE: whose list it is on */
				/* Handed out: references beyond the first. */
				_Atomic uint16_t refs;
			};
			/* MAPPED: the good copy's slot, or 0; SLAB: its own */
			uint32_t slot;
		};
		_Atomic uint64_t state; /* all of these, from head upwards */
	};
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
		.order = head >> 4 & 63u,
		.tag = head >> 10 & 63u,
	};
}

static inline void qr_frame_set_head(struct quire_frame *frame, uint32_t head)
{
	atomic_store_explicit(&frame->head, (uint16_t)head, memory_order_relaxed);
}

/* Writes the head and clears what lies beside it, at once. */
static inline void qr_frame_set_state(struct quire_frame *frame, uint64_t state)
{
	atomic_store_explicit(&frame->state, state, memory_order_relaxed);
}

/* The head, and above it references or entries. */
static inline uint32_t qr_frame_state(const struct quire_frame *frame)
{
	return (uint32_t)atomic_load_explicit(&frame->state, memory_order_relaxed);
}

/* A block's head. */
static inline uint32_t qr_head_of(uint32_t use, uint32_t order, uint32_t tag)
{
	return use | order << 4 | tag << 10;
}

static inline uint32_t qr_head_order(uint32_t head)
{
	return (head & QUIRE_HEAD_ORDER) >> 4;
}

/* The head of the same block with another use. */
static inline uint32_t qr_head_with_use(uint32_t head, uint32_t use)
{
	return (head & ~QUIRE_HEAD_USE) | use;
}

/* Changes the use alone. */
static inline void qr_frame_set_use(struct quire_frame *frame, uint32_t use)
{
	qr_frame_set_head(frame, qr_head_with_use(qr_frame_head(frame), use));
}

/* The block, whose head this is, has the use from now on, and nothing is known of it. */
static inline void qr_frame_hand_out(struct quire_frame *frame, uint32_t head,
				     uint32_t use)
{
	qr_frame_set_state(frame, qr_head_with_use(head, use));
	frame->owner = 0;
}

static inline bool qr_use_is_handed_out(uint32_t use)
{
	return use - QUIRE_FRAME_TABLE <= QUIRE_FRAME_SLAB - QUIRE_FRAME_TABLE;
}

static inline bool qr_frame_is_handed_out(const struct quire_frame *frame)
{
	return qr_use_is_handed_out(qr_frame_head(frame) & QUIRE_HEAD_USE);
}

#endif
