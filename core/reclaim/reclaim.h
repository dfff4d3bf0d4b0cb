/* SPDX-License-Identifier: MIT */
/* reclaim.h - who goes out, when, and how.
 *
 * Model.  The *hand* of a clock goes round the page tables in order of address, leaf by
 * leaf.  (Corbato's CLOCK, with GCLOCK's counts: Smith, TODS 3:223, 1978; walking tables
 * instead of frames, as Linux's multi-generational LRU does, gives victims that are
 * neighbours, and neighbours go out, and come back, together.)  A page with credit is
 * *active*: the hand takes one credit and passes by.  A page without is *inactive* and
 * goes.  Where the ground has accessed bits a set one renews the credit.
 *
 * A *batch* is what one turn takes out of one leaf: protect, pack, release, commit.  The
 * lock is let go for packing and releasing; the batch's entries are BUSY.
 *
 * The page-out daemon works from the low to the high watermark.  It is a thread of its own
 * while the program leaves processors idle; where it does not, a thread would steal more
 * than it gives, and a lane takes the daemon's turns after its fault.  Lanes also take them
 * when the daemon falls behind: below the least free frames.
 *
 * The writer, where there is one, brings the store down to its share instead of them: a
 * device takes a hundred times as long as a page does.
 *
 * The share of the store.  Frames and store compete for the same memory.  With no device
 * the store takes what compressing gains.  With one, target bounds it: it grows while
 * transfers take too much of the time in faults, and shrinks while they take hardly any.
 *
 * Locking.  The machine's lock on entry and exit; all calls let go of it.
 */
#ifndef QUIRE_CORE_RECLAIM_RECLAIM_H
#define QUIRE_CORE_RECLAIM_RECLAIM_H

#include "core/space/space.h"

struct quire_reclaim {
	struct quire_space *space;
	uint64_t hand;
	uint64_t nr_rounds;
	uint32_t nr_at_work; /* batches in progress */
	bool is_active;	     /* between the low and the high watermark */
	bool is_fixed;	     /* the store's bound was given */
	bool has_writer;     /* a thread brings the store down to its share */
	bool stops_writing;
	bool has_daemon; /* a thread evicts where processors are idle */
	bool stops_paging_out;
	struct quire_event surplus; /* for the writer: the store is above its share */
	struct quire_event
		shortage; /* for the daemon: frames are below the low watermark */
	uint32_t target;  /* frames the store may hold before it spills */
	uint64_t seen_in, seen_swap_ns, seen_fault_ns; /* at the last look at the share */
};

/* store_frames 0: by what pays. */
void qr_reclaim_init(struct quire_reclaim *reclaim, struct quire_space *space,
		     uint32_t store_frames);
/* One turn of evicting, by a lane or the daemon (lane nr_lanes); false when there is nothing
 * to do. */
bool qr_reclaim_balance(struct quire_reclaim *reclaim, uint32_t lane);
/* The same after a fault: one turn, or a call for the daemon. */
void qr_reclaim_after_fault(struct quire_reclaim *reclaim, uint32_t lane);
/* Extents' worth of frames by which the store is above its share. */
uint32_t qr_reclaim_surplus(const struct quire_reclaim *reclaim);
/* Writes some of them, as many as go in one transfer; false where that failed. */
bool qr_reclaim_write(struct quire_reclaim *reclaim);
/* Frames are lacking now: true when it is worth trying again. */
bool qr_reclaim_pressure(void *reclaim, uint32_t lane);
/* Frames that a lane's batch needs. */
uint32_t qr_reclaim_batch_frames(void);

#endif
