/* SPDX-License-Identifier: MIT */
/* zone_impl.h - what the files of a zone share. */
#ifndef QUIRE_CORE_FRAMES_ZONE_IMPL_H
#define QUIRE_CORE_FRAMES_ZONE_IMPL_H

#include "core/frames/zone.h"

/* Frames discarded at a time: the cost of a discard is mostly that of the call and of
 * the interrupt to other CPUs, and 64 make either small beside the pages themselves. */
#define ZONE_DISCARD_BATCH 64u

/* Brings the stats, which there are, up to date. */
void qr_zone_publish(struct quire_zone *zone);
/* All warm frames go to the buddy system. */
void qr_zone_warm_drain(struct quire_zone *zone);
/* The frames' memory goes to the ground: they are of a use that it holds any for. */
void qr_zone_discard(struct quire_zone *zone, uint32_t first, uint32_t nr);

/* Ends every call that took or freed frames. */
static inline void qr_zone_account(struct quire_zone *zone)
{
	if (zone->stats != NULL)
		qr_zone_publish(zone);
}

/* What a caller with these rights must leave. */
static inline uint32_t qr_zone_kept_back(const struct quire_zone *zone, uint32_t flags)
{
	if ((flags & QUIRE_ALLOC_RESERVE) != 0)
		return 0;
	return (flags & QUIRE_ALLOC_URGENT) != 0 ? zone->min / 2 : zone->min;
}

/* Whether nr frames may be taken: by the watermark, and by fail_in. */
static inline bool qr_zone_may_take(struct quire_zone *zone, uint32_t nr, uint32_t flags)
{
	if (qr_zone_free_frames(zone) < (uint64_t)qr_zone_kept_back(zone, flags) + nr) {
		zone->was_short = true;
		return false;
	}
	return zone->fail_in == 0 || --zone->fail_in != 0;
}

/* Whether the ground holds memory at the frame's own address while it has this use. */
static inline bool qr_zone_is_backed(const struct quire_zone *zone, uint32_t use)
{
	return zone->port->discard != NULL &&
	       (zone->port->caps & QUIRE_PORT_COPIES) != 0 && use != QUIRE_FRAME_MAPPED;
}

static inline uint32_t qr_zone_group(uint32_t flags)
{
	return (flags & QUIRE_ALLOC_MOVABLE) != 0 ? 1 : 0;
}

/* The most frames that wait on the warm list. */
uint32_t qr_zone_warm_max(const struct quire_zone *zone);

#endif
