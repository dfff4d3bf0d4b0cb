/* SPDX-License-Identifier: MIT */
/* compact.h - a free block made by moving the pages that lie in its way. */
#ifndef QUIRE_CORE_FRAMES_COMPACT_H
#define QUIRE_CORE_FRAMES_COMPACT_H

#include "core/frames/zone.h"

/* Whether the page in this single MAPPED frame can be asked to move. */
typedef bool qr_may_move_fn(const struct quire_frame *frame);
/* Brings the page's bytes, and all that leads to them, to another frame; the record
 * follows by itself.  False: everything is as it was. */
typedef bool qr_move_fn(void *ctx, quire_pfn from, quire_pfn to);

/* No reference is held beyond the first. */
bool qr_frame_has_one_user(const struct quire_frame *frame);

/* Makes a free block of that order, where there is none, by moving pages; the lock is
 * held.  Afterwards there is one, or it is false. */
bool qr_zone_compact(struct quire_zone *zone, uint32_t order, qr_may_move_fn *may_move,
		     qr_move_fn *move, void *ctx);

#endif
