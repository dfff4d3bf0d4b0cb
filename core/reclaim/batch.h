/* SPDX-License-Identifier: MIT */
/* batch.h - one batch of pages on its way out of one leaf. */
#ifndef QUIRE_CORE_RECLAIM_BATCH_H
#define QUIRE_CORE_RECLAIM_BATCH_H

#include "core/reclaim/reclaim.h"

enum qr_victim_state {
	QUIRE_VICTIM_DIRTY,  /* to be packed */
	QUIRE_VICTIM_CLEAN,  /* its copy is good */
	QUIRE_VICTIM_ZERO,   /* nothing to keep */
	QUIRE_VICTIM_PACKED, /* stored under slot */
	QUIRE_VICTIM_STAYS,  /* wanted, or cannot go */
	QUIRE_VICTIM_FULL,   /* stays: packing it gains nothing */
};

struct qr_victim {
	uint32_t slot;
	uint16_t index;	   /* in the leaf */
	uint8_t state;	   /* enum qr_victim_state */
	uint8_t prot;	   /* of its area */
	bool was_writable; /* before it was protected for this batch */
};

struct qr_batch {
	struct qr_leaf leaf;
	uint32_t nr;
	uint32_t nr_runs;
	/* Entries protected together, those between the victims included; none: 0, 0. */
	uint32_t span_first, span_end;
	struct qr_victim victims[QUIRE_TABLE_ENTRIES];
	struct quire_run runs[QUIRE_TABLE_ENTRIES];
	uint64_t kept[QUIRE_TABLE_ENTRIES / 64];
};

/* Fills batch with up to goal victims of the next leaf that has any, marks them BUSY;
 * false when a walk over nr_leaves leaves found none.  any: credit does not help. */
bool qr_clock_pick(struct quire_reclaim *reclaim, struct qr_batch *batch, uint32_t goal,
		   uint32_t nr_leaves, bool any);
/* Writes a part of the store to a device; who lacks frames waits for it. */
enum quire_status qr_reclaim_spill(struct quire_reclaim *reclaim, uint32_t nr);
/* True when a bound was given for the store and it is reached. */
bool qr_reclaim_store_is_full(const struct quire_reclaim *reclaim);
/* Takes the batch out; returns how many pages went. */
uint32_t qr_batch_evict(struct quire_reclaim *reclaim, struct quire_lane *lane);

#endif
