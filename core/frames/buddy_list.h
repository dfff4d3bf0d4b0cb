/* SPDX-License-Identifier: MIT */
/* buddy_list.h - the free lists of a buddy system, threaded through the frame table. */
#ifndef QUIRE_CORE_FRAMES_BUDDY_LIST_H
#define QUIRE_CORE_FRAMES_BUDDY_LIST_H

#include "core/frames/buddy.h"

/* A tag is a block's kind and, above it, what the block keeps for the one it was split
 * from: the first part keeps that one's kind, the second what that one kept itself.  Two
 * words of three bits thus bring back the tags of all blocks up to the root.  (Cranston
 * and Thomas 1975, whose two bits are these for two kinds.) */
#define QUIRE_KIND_BITS 3u
#define QUIRE_KIND_MASK ((1u << QUIRE_KIND_BITS) - 1)

static inline uint32_t qr_tag_kind(uint32_t tag)
{
	return tag & QUIRE_KIND_MASK;
}

static inline uint32_t qr_tag_kept(uint32_t tag)
{
	return tag >> QUIRE_KIND_BITS;
}

/* The tag of part i of a block with this tag. */
static inline uint32_t qr_part_tag(uint32_t tag, const struct quire_part *parts,
				   uint32_t i)
{
	uint32_t kept = 0;

	if (parts[i].kind == 0)
		return 0;
	if (i == 0)
		kept = qr_tag_kind(tag);
	if (i == 1)
		kept = qr_tag_kept(tag);
	return parts[i].kind | kept << QUIRE_KIND_BITS;
}

/* The tag of the block whose first two parts have these. */
static inline uint32_t qr_merged_tag(uint32_t first, uint32_t second)
{
	return qr_tag_kept(first) | qr_tag_kept(second) << QUIRE_KIND_BITS;
}

static inline uint32_t qr_group_of(const struct quire_buddy *buddy, uint32_t n)
{
	return buddy->groups == NULL
		       ? 0
		       : atomic_load_explicit(&buddy->groups[n >> QUIRE_GROUP_SHIFT],
					      memory_order_relaxed);
}

static inline void qr_list_push(struct quire_buddy *buddy, uint32_t n, uint32_t order,
				uint32_t tag)
{
	struct quire_frame *frame = &buddy->frames[n];
	uint32_t group = qr_group_of(buddy, n);
	uint32_t next = buddy->heads[group][order];

	/* The group lies above the head. */
	qr_frame_set_state(frame, qr_head_of(QUIRE_FRAME_FREE, order, tag) | group << 16);
	frame->next = next;
	frame->prev = QUIRE_NO_FRAME;
	if (next != QUIRE_NO_FRAME)
		buddy->frames[next].prev = n;
	else
		buddy->filled[group] |= 1ull << order;
	buddy->heads[group][order] = n;
}

/* The frame is TAIL afterwards; its order and tag are as they were. */
static inline void qr_list_remove(struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	struct quire_frame *frame = &buddy->frames[n];
	uint32_t group = frame->group;
	uint32_t next = frame->next, prev = frame->prev;

	if (next != QUIRE_NO_FRAME)
		buddy->frames[next].prev = prev;
	if (prev != QUIRE_NO_FRAME) {
		buddy->frames[prev].next = next;
	} else {
		buddy->heads[group][order] = next;
		if (next == QUIRE_NO_FRAME)
			buddy->filled[group] &= ~(1ull << order);
	}
	qr_frame_set_use(frame, QUIRE_FRAME_TAIL);
}

/* The first block of a list that is not empty, off it; its record is the caller's to write. */
static inline uint32_t qr_list_pop(struct quire_buddy *buddy, uint32_t group,
				   uint32_t order)
{
	uint32_t n = buddy->heads[group][order];
	uint32_t next = buddy->frames[n].next;

	buddy->heads[group][order] = next;
	if (next != QUIRE_NO_FRAME)
		buddy->frames[next].prev = QUIRE_NO_FRAME;
	else
		buddy->filled[group] &= ~(1ull << order);
	return n;
}

static inline bool qr_is_free_block(const struct quire_buddy *buddy, uint32_t n,
				    uint32_t order)
{
	return n < buddy->nr_frames &&
	       (qr_frame_head(&buddy->frames[n]) & (QUIRE_HEAD_USE | QUIRE_HEAD_ORDER)) ==
		       (QUIRE_FRAME_FREE | order << 4);
}

/* The lowest order from order on that has a free block in the group. */
static inline uint32_t qr_list_find(const struct quire_buddy *buddy, uint32_t group,
				    uint32_t order)
{
	uint64_t filled = buddy->filled[group] >> order;

	return filled == 0 ? QUIRE_NO_ORDER : order + (uint32_t)__builtin_ctzll(filled);
}

/* A free block of at least that order, off its list, where the group has none: from
 * another group, with the frames around it where most of them are free.  QUIRE_NO_FRAME:
 * there is none. */
uint32_t qr_buddy_borrow(struct quire_buddy *buddy, uint32_t order, uint32_t group);

#endif
