/* SPDX-License-Identifier: MIT */
/* buddy.h - free frames kept as blocks of certain sizes that split and merge again: what
 * the binary, Fibonacci, weighted and tertiary systems have in common.
 *
 * Model.  An *order* numbers the sizes of blocks, ascending.  A block of some order splits
 * into two or three *buddies* of lower orders, always the same ones; when all of them are
 * free they merge.  A block that no other was split into is a *root*.  What a system must
 * remember of a block to find its buddies is its *tag*, kept in the frame table in the
 * record of the block's first frame, as its order is, whether the block is free or taken.
 * Frame numbers count from the zone's base.
 *
 * A *group* is a set of free lists of its own: frames of one mobility are taken from one
 * group while there are any.  Runs of QUIRE_GROUP_FRAMES frames belong to a group, and a
 * free block is on the lists of the group that its first frame belongs to.
 *
 * Invariants.  qr_buddy_validate() names the first that does not hold.
 *   B1  a free block's head is on the list of its own order and group, and on no other;
 *   B2  no block exists whose buddies are all free, unless it is of the highest order;
 *   B3  nr_free is the sum, over every order, of list length * size;
 *   B4  the tags lead from the blocks back to the roots.
 *
 * Locking.  The zone's.
 * Cost.  Taking and giving back are O(nr_orders); building is O(frames / largest block):
 * frames inside a block are not looked at before they are split off.
 */
#ifndef QUIRE_CORE_FRAMES_BUDDY_H
#define QUIRE_CORE_FRAMES_BUDDY_H

#include "core/frames/frame.h"

#define QUIRE_NO_FRAME UINT32_MAX
#define QUIRE_NO_ORDER UINT32_MAX

/* Orders fit the frame record beside QUIRE_ORDER_PART. */
#define QUIRE_ORDERS_MAX 62u

#define QUIRE_GROUPS	   2u
#define QUIRE_GROUP_SHIFT  9u
#define QUIRE_GROUP_FRAMES (1u << QUIRE_GROUP_SHIFT)

#define QUIRE_PARTS_MAX 3u

struct quire_buddy;

/* One of the blocks that a block splits into, in order of address. */
struct quire_part {
	uint32_t order;
	uint32_t kind; /* 1..7: the part's place among its buddies; roots have 0 */
};

struct quire_buddy_ops {
	const char *name;
	/* Frames of a block, for orders from 0; sizes never fall. */
	uint32_t (*size)(const struct quire_buddy *buddy, uint32_t order);
	/* How many parts it splits into; 0: it does not split. */
	uint32_t (*split)(const struct quire_buddy *buddy, uint32_t order,
			  struct quire_part parts[QUIRE_PARTS_MAX]);
	/* The order that a part of this order and kind was split from. */
	uint32_t (*parent)(const struct quire_buddy *buddy, uint32_t order,
			   uint32_t kind);
	/* As qr_buddy_alloc() and qr_buddy_free(). */
	bool (*alloc)(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		      quire_pfn *out);
	void (*free)(struct quire_buddy *buddy, quire_pfn pfn);
	/* Puts a run of frames, all TAIL, under the system. */
	void (*add)(struct quire_buddy *buddy, uint32_t first, uint32_t end);
	/* B2 and B4. */
	const char *(*validate)(const struct quire_buddy *buddy);
};

/* Powers of two; a block's buddy differs from it in one bit of its number alone.
 * (Knowlton, CACM 8:623, 1965.) */
extern const struct quire_buddy_ops qr_buddy_binary;
/* Each size the sum of the one before it and the one lag before it: with lag 2 Fibonacci
 * numbers.  (Hirschberg, CACM 16:615, 1973; Cranston and Thomas, CACM 18:331, 1975; Hinds,
 * CACM 18:221, 1975.) */
extern const struct quire_buddy_ops qr_buddy_fibonacci;
/* 2^k and 3 * 2^k, halves unequal.  (Shen and Peterson, CACM 17:558, 1974.) */
extern const struct quire_buddy_ops qr_buddy_weighted;
/* The same sizes, three buddies.  (Yadav and Sharma, 2008.) */
extern const struct quire_buddy_ops qr_buddy_tertiary;

struct quire_buddy {
	const struct quire_buddy_ops *ops;
	struct quire_frame *frames;
	uint32_t nr_frames; /* spanned, holes included */
	uint32_t nr_free;
	uint32_t nr_orders;
	uint32_t lag; /* Fibonacci: see above */
	/* Of each QUIRE_GROUP_FRAMES frames; NULL: all are in group 0.  Read without the
	 * lock by CPUs that free a frame. */
	_Atomic uint8_t *groups;
	uint64_t filled[QUIRE_GROUPS]; /* bit k: list k is not empty */
	uint32_t sizes[QUIRE_ORDERS_MAX];
	uint32_t heads[QUIRE_GROUPS][QUIRE_ORDERS_MAX]; /* QUIRE_NO_FRAME: empty */
};

struct quire_buddy_config {
	const struct quire_buddy_ops *ops;
	uint32_t most; /* frames of the largest block, at least 1 */
	uint32_t lag;  /* Fibonacci: 2 or more; else ignored */
	_Atomic uint8_t
		*groups; /* one byte for each started QUIRE_GROUP_FRAMES, or NULL */
};

/* No frame is free at the start. */
void qr_buddy_init(struct quire_buddy *buddy, const struct quire_buddy_config *config,
		   struct quire_frame *frames, uint32_t nr_frames);
/* Frames [first, end), which are TAIL, are free from now on. */
void qr_buddy_add(struct quire_buddy *buddy, uint32_t first, uint32_t end);
/* The lowest order whose blocks have nr frames, or QUIRE_NO_ORDER. */
uint32_t qr_buddy_order(const struct quire_buddy *buddy, uint32_t nr);
/* A block of at least that order, TAKEN; its record says which; false when there is none.
 * A system whose blocks split unevenly may have only a larger one to give. */
bool qr_buddy_alloc(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		    quire_pfn *out);
/* Gives back a block as it was taken; its record has the order and the tag still. */
void qr_buddy_free(struct quire_buddy *buddy, quire_pfn pfn);

/* The number of the first frame of the block, free or taken, that frame n lies in. */
uint32_t qr_buddy_head(const struct quire_buddy *buddy, uint32_t n);
/* Takes the frames [first, end), each free, from the middle of whatever blocks they are
 * in.  They are TAKEN blocks from then on, and together exactly those frames. */
void qr_buddy_take(struct quire_buddy *buddy, uint32_t first, uint32_t end);
/* The lowest run of nr free frames whose number is a multiple of align (a power of two);
 * QUIRE_NO_FRAME: there is none. */
uint32_t qr_buddy_find_run(const struct quire_buddy *buddy, uint32_t nr, uint32_t align);
/* The frames [first, end) belong to the group from now on; the bounds are multiples of
 * QUIRE_GROUP_FRAMES, or the end of the zone. */
void qr_buddy_regroup(struct quire_buddy *buddy, uint32_t first, uint32_t end,
		      uint32_t group);
/* Blocks on the list. */
uint32_t qr_buddy_count(const struct quire_buddy *buddy, uint32_t group, uint32_t order);

/* The name of the first invariant that does not hold, or NULL. */
const char *qr_buddy_validate(const struct quire_buddy *buddy);

#endif
