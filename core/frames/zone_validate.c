/* SPDX-License-Identifier: MIT */
/* zone_validate.c - the invariants of zone.h, and F1 for the blocks that are taken. */
#include "core/frames/zone_impl.h"

/* The block at n, whose record says that it is in use. */
static bool block_is_whole(const struct quire_zone *zone, uint32_t n)
{
	const struct quire_frame *head = &zone->buddy.frames[n];
	bool is_slab = head->use == QUIRE_FRAME_SLAB;
	uint32_t size;

	if (head->order >= zone->buddy.nr_orders)
		return false;
	size = zone->buddy.sizes[head->order];
	if (zone->buddy.nr_frames - n < size)
		return false;
	for (uint32_t i = 1; i < size; i++) {
		const struct quire_frame *part = &head[i];

		if (is_slab ? part->use != QUIRE_FRAME_SLAB ||
				      part->order != QUIRE_ORDER_PART
			    : part->use != QUIRE_FRAME_TAIL)
			return false;
	}
	return true;
}

static bool has_order(const struct quire_frame *frame)
{
	return qr_frame_is_handed_out(frame) || frame->use == QUIRE_FRAME_FREE;
}

static const char *validate_counts(const struct quire_zone *zone)
{
	uint32_t counts[QUIRE_FRAME_USES] = {0};

	for (uint32_t n = 0, nr; n < zone->buddy.nr_frames; n += nr) {
		const struct quire_frame *frame = &zone->buddy.frames[n];

		if (frame->use == QUIRE_FRAME_TAIL || frame->use >= QUIRE_FRAME_USES)
			return "Z1: a frame's use is none";
		if (has_order(frame) && !block_is_whole(zone, n))
			return "F1: a block's frames are not its own";
		nr = has_order(frame) ? zone->buddy.sizes[frame->order] : 1;
		counts[frame->use] += nr;
	}
	for (uint32_t use = QUIRE_FRAME_FREE; use < QUIRE_FRAME_USES; use++)
		if (counts[use] != qr_zone_count(zone, (enum quire_frame_use)use))
			return "Z1: counts are not what the frame table says";
	return NULL;
}

static const char *validate_stats(const struct quire_zone *zone)
{
	const struct quire_stats *stats = zone->stats;

	if (stats == NULL)
		return NULL;
	if (stats->nr_frames != zone->buddy.nr_frames ||
	    stats->frames_free != qr_zone_free_frames(zone) ||
	    stats->frames_mapped != zone->counts[QUIRE_FRAME_MAPPED] ||
	    stats->frames_store != zone->counts[QUIRE_FRAME_STORE] ||
	    stats->frames_table != qr_zone_table_count(zone) ||
	    stats->frames_meta != zone->counts[QUIRE_FRAME_META])
		return "Z1: stats are not the zone's counts";
	if (stats->nr_frames != stats->frames_free + stats->frames_mapped +
					stats->frames_store + stats->frames_table +
					stats->frames_meta)
		return "Z1: the frames do not add up";
	return NULL;
}

static const char *validate_warm(const struct quire_zone *zone)
{
	uint32_t nr = 0;

	for (uint32_t n = zone->warm_head; n != QUIRE_NO_FRAME;
	     n = zone->frames[n].next) {
		if (n - zone->base >= zone->buddy.nr_frames || nr++ >= zone->nr_warm)
			return "Z2: the warm list leads astray";
		if (zone->frames[n].use != QUIRE_FRAME_WARM)
			return "Z2: a frame on the warm list is not warm";
	}
	if (nr != zone->nr_warm)
		return "Z2: nr_warm is not the length of the warm list";
	if (zone->nr_warm > qr_zone_warm_max(zone))
		return "Z3: the warm list is too long";
	return NULL;
}

const char *qr_zone_validate(const struct quire_zone *zone)
{
	const char *wrong = qr_buddy_validate(&zone->buddy);

	if (wrong == NULL)
		wrong = validate_counts(zone);
	if (wrong == NULL)
		wrong = validate_warm(zone);
	if (wrong == NULL)
		wrong = validate_stats(zone);
	return wrong;
}
