/* SPDX-License-Identifier: MIT */
/* workingset.h - what is remembered of pages that went out: refault distance.
 *
 * Model.  Pages are *inactive* or *active*, anonymous or of a file with a store; reclaim
 * takes inactive ones.  The *age* counts evictions and activations.  When a page goes out
 * its *ghost* stays: the age at that time.  When the page comes back, age minus ghost is
 * its *refault distance*: so many more inactive frames would have kept it.  Where that is no
 * more than the active pages there are, taking frames from them would have kept it, and the
 * page starts active.  One that was active when it went out is then a sign of thrashing.
 * (Linux, mm/workingset.c.)
 *
 * Ghosts live in a table of a word each, as many as there are frames: a page's place
 * is a hash of its name, and whoever comes later takes it.  A page that went out longer
 * ago than that would not be activated anyway.
 *
 * Invariants.
 *   W1  nr_active of a kind is the number of its MAPPED frames that are ACTIVE, where a
 *       large page counts as many as it has;
 *   W2  nr_pooled is the number of frames that pools have, which no hand looks at.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_FILES_WORKINGSET_H
#define QUIRE_CORE_FILES_WORKINGSET_H

#include "core/files/page.h"

enum qr_kind { QR_ANON, QR_FILE, QR_KINDS };

struct quire_workingset {
	struct quire_zone *zone;
	uint64_t *ghosts;
	uint32_t mask; /* of places */
	uint32_t age;
	bool has_swap;
	uint64_t nr_file; /* pages of files that have a store */
	uint64_t nr_pooled;
	uint64_t nr_active[QR_KINDS];
	/* What reclaim of each kind cost lately: pages that were written or came back, and
	 * pages that were looked at in vain. */
	uint64_t cost[QR_KINDS];
	/* vmstat's workingset_* */
	uint64_t refaults[QR_KINDS], activated[QR_KINDS], restored[QR_KINDS];
};

/* Frames that the ghosts of a machine take. */
uint32_t qr_workingset_frames(uint32_t nr_frames);
/* at: so many frames. */
void qr_workingset_init(struct quire_workingset *ws, struct quire_zone *zone, void *at,
			bool has_swap);

static inline enum qr_kind qr_page_kind(const struct quire_frame *frame)
{
	return qr_page_has(frame, QUIRE_PAGE_FILE) ? QR_FILE : QR_ANON;
}

/* Pages of a kind in memory, those of pools not among them. */
uint64_t qr_workingset_pages(const struct quire_workingset *ws, enum qr_kind kind);
static inline uint64_t qr_workingset_inactive(const struct quire_workingset *ws,
					      enum qr_kind kind)
{
	return qr_workingset_pages(ws, kind) - ws->nr_active[kind];
}

void qr_page_activate(struct quire_workingset *ws, struct quire_frame *frame);
void qr_page_deactivate(struct quire_workingset *ws, struct quire_frame *frame);
/* Somebody used the page other than through an entry: the second time it is active.
 * (Linux, folio_mark_accessed().) */
void qr_page_touch(struct quire_workingset *ws, struct quire_frame *frame);
/* The frame is about to be freed. */
void qr_page_forget(struct quire_workingset *ws, struct quire_frame *frame);

/* A page's name for as long as it is out: a slot, or a file's and the place in it. */
static inline uint64_t qr_ghost_of_slot(uint32_t slot)
{
	return slot;
}

static inline uint64_t qr_ghost_of_file(uint32_t life, uint64_t index)
{
	return ((uint64_t)life << 32 ^ index) | 1ull << 63;
}

/* The page of frame goes out under that name. */
void qr_workingset_evicted(struct quire_workingset *ws, const struct quire_frame *frame,
			   uint64_t name);
/* It came back into frame, whose kind is set. */
void qr_workingset_refault(struct quire_workingset *ws, struct quire_frame *frame,
			   uint64_t name);
/* Reclaim of a kind cost nr_io pages of transfer and looked at nr_rotated in vain. */
void qr_workingset_note_cost(struct quire_workingset *ws, enum qr_kind kind,
			     uint64_t nr_io, uint64_t nr_rotated);

#endif
