/* SPDX-License-Identifier: MIT */
/* buddy_binary.h - free page runs, kept as power-of-two blocks.
 *
 * Model.  A block of order k is 2^k neighbouring frames whose first frame number is a
 * multiple of 2^k.  Its buddy differs from it in bit k alone; the two merge into one
 * block of order k + 1.  (Knowlton, CACM 8:623, 1965.)
 *
 * Invariants.  qr_buddy_validate() names the first that does not hold.
 *   B1  a free block's head is on the list of its own order, and on no other;
 *   B2  no two free buddies of one order exist below QUIRE_ORDER_MAX;
 *   B3  nr_free is the sum, over every order k, of list length << k.
 *
 * Locking.  The machine's lock.
 * Cost.  O(QUIRE_ORDER_MAX) for each call; building one from n frames O(n >> ORDER_MAX):
 * frames inside a block are not looked at before they are split off.
 */
#ifndef QUIRE_CORE_FRAMES_BUDDY_BINARY_H
#define QUIRE_CORE_FRAMES_BUDDY_BINARY_H

#include "core/frames/frame.h"

#define QUIRE_ORDER_MAX 10u
#define QUIRE_NO_FRAME	UINT32_MAX

struct quire_buddy {
	struct quire_frame *frames;
	uint32_t nr_frames;
	uint32_t nr_free;
	uint32_t heads[QUIRE_ORDER_MAX + 1]; /* QUIRE_NO_FRAME: empty */
};

/* Frames [first, nr_frames) are free at the start; those below are the caller's. */
void qr_buddy_init(struct quire_buddy *buddy, struct quire_frame *frames,
		   uint32_t nr_frames, uint32_t first);
/* A block of 2^order frames, order 0..QUIRE_ORDER_MAX; false when there is none. */
bool qr_buddy_alloc(struct quire_buddy *buddy, uint32_t order, quire_pfn *out);
/* Gives back a block as it was taken. */
void qr_buddy_free(struct quire_buddy *buddy, quire_pfn pfn, uint32_t order);
/* The name of the first invariant that does not hold, or NULL. */
const char *qr_buddy_validate(const struct quire_buddy *buddy);

#endif
