/* SPDX-License-Identifier: MIT */
/* zone.c - frames handed out by watermark, and the warm list before the buddy system. */
#include "core/frames/zone.h"

#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/frames/zone_impl.h"

/* Warm frames are memory that the ground holds for nothing: 1024 (4 MiB) cover the
 * frames that eviction and faults pass to and fro between two batches of either; a small
 * machine gives up an eighth at most. */
#define ZONE_WARM_MAX	1024u
#define ZONE_WARM_SHIFT 3

/* Page-out takes frames before it frees any: a leaf and a directory for each of the
 * swap's pools, the map of an area, and a store frame for each incompressible page of a
 * batch.  32 cover that for one lane; a 256th of the frames lets the lanes of a large
 * machine do it side by side, and 4096 (16 MiB) are more than QUIRE_LANES_MAX lanes can
 * take at a time. */
#define ZONE_MIN_LEAST 32u
#define ZONE_MIN_MOST  4096u
#define ZONE_MIN_SHIFT 8

uint32_t qr_zone_table_frames(uint32_t nr_frames)
{
	uint64_t bytes = (uint64_t)nr_frames * sizeof(struct quire_frame);

	return (uint32_t)((bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT);
}

uint32_t qr_zone_warm_max(const struct quire_zone *zone)
{
	uint32_t share = zone->buddy.nr_frames >> ZONE_WARM_SHIFT;

	if (share == 0)
		return 1;
	return share < ZONE_WARM_MAX ? share : ZONE_WARM_MAX;
}

static void raise_peak(uint64_t *peak, uint64_t now)
{
	if (now > *peak)
		*peak = now;
}

void qr_zone_publish(struct quire_zone *zone)
{
	struct quire_stats *stats = zone->stats;

	stats->frames_free = qr_zone_free_frames(zone);
	stats->frames_mapped = zone->counts[QUIRE_FRAME_MAPPED];
	stats->frames_store = zone->counts[QUIRE_FRAME_STORE];
	stats->frames_table = qr_zone_table_count(zone);
	raise_peak(&stats->peak_mapped, stats->frames_mapped);
	raise_peak(&stats->peak_store, stats->frames_store);
	raise_peak(&stats->peak_table, stats->frames_table);
	raise_peak(&stats->peak_used, stats->nr_frames - stats->frames_free);
}

static void set_watermarks(struct quire_zone *zone)
{
	uint32_t min = zone->buddy.nr_frames >> ZONE_MIN_SHIFT;

	if (min < ZONE_MIN_LEAST)
		min = ZONE_MIN_LEAST;
	if (min > ZONE_MIN_MOST)
		min = ZONE_MIN_MOST;
	zone->min = min;
	/* Half of min apart: low leaves the page-out daemon time to wake before callers
	 * meet min, high gives it as much to do as it was woken for. */
	zone->low = min + min / 2;
	zone->high = min * 2;
}

void qr_zone_open(struct quire_zone *zone, const struct quire_zone_config *config)
{
	const struct quire_frame layout = {.use = 5, .order = 9, .tag = 33};

	QUIRE_ASSERT(qr_frame_head(&layout) == (5u | 9u << 4 | 33u << 10));
	*zone = (struct quire_zone){
		.port = config->port,
		.frames = config->frames,
		.base = config->base,
		.warm_head = QUIRE_NO_FRAME,
	};
	qr_buddy_init(&zone->buddy, &config->buddy, config->frames + config->base,
		      config->nr_frames);
	for (uint32_t k = 0; k <= QUIRE_ORDER_MAX; k++)
		zone->orders[k] = (uint8_t)qr_buddy_order(&zone->buddy, 1u << k);
}

static void set_uses(struct quire_zone *zone, uint32_t first, uint32_t end,
		     enum quire_frame_use from, enum quire_frame_use to)
{
	for (uint32_t n = first; n < end; n++) {
		QUIRE_ASSERT(zone->frames[n].use == from);
		zone->frames[n].use = (uint32_t)to & 15u;
	}
	zone->counts[to] += end - first;
}

void qr_zone_set(struct quire_zone *zone, uint32_t first, uint32_t end,
		 enum quire_frame_use use)
{
	QUIRE_ASSERT(use == QUIRE_FRAME_META || use == QUIRE_FRAME_RESERVED);
	set_uses(zone, first, end, QUIRE_FRAME_TAIL, use);
}

void qr_zone_add(struct quire_zone *zone, uint32_t first, uint32_t end)
{
	if (first < end && zone->frames[first].use == QUIRE_FRAME_RESERVED) {
		set_uses(zone, first, end, QUIRE_FRAME_RESERVED, QUIRE_FRAME_TAIL);
		zone->counts[QUIRE_FRAME_RESERVED] -= end - first;
		zone->counts[QUIRE_FRAME_TAIL] = 0;
	}
	qr_buddy_add(&zone->buddy, first - zone->base, end - zone->base);
	qr_zone_account(zone);
}

void qr_zone_init(struct quire_zone *zone, const struct quire_port *port,
		  struct quire_stats *stats, uint32_t nr_meta)
{
	qr_zone_init_grouped(zone, port, stats, nr_meta, NULL);
}

void qr_zone_init_grouped(struct quire_zone *zone, const struct quire_port *port,
			  struct quire_stats *stats, uint32_t nr_meta,
			  _Atomic uint8_t *groups)
{
	QUIRE_ASSERT(nr_meta >= qr_zone_table_frames(port->nr_frames));
	QUIRE_ASSERT(nr_meta <= port->nr_frames);
	qr_zone_open(zone, &(struct quire_zone_config){
				   .port = port,
				   .frames = (struct quire_frame *)(void *)port->direct,
				   .nr_frames = port->nr_frames,
				   .buddy = {.ops = &qr_buddy_binary,
					     .most = 1u << QUIRE_ORDER_MAX,
					     .groups = groups},
			   });
	set_watermarks(zone);
	zone->stats = stats;
	stats->nr_frames = port->nr_frames;
	stats->frames_meta = nr_meta;
	qr_zone_set(zone, 0, nr_meta, QUIRE_FRAME_META);
	qr_zone_add(zone, nr_meta, port->nr_frames);
}

static void warm_push(struct quire_zone *zone, uint32_t n)
{
	struct quire_frame *frame = &zone->frames[n];

	qr_frame_hand_out(frame, qr_frame_head(frame), QUIRE_FRAME_WARM);
	frame->next = zone->warm_head;
	zone->warm_head = n;
	zone->nr_warm++;
}

static uint32_t warm_pop(struct quire_zone *zone)
{
	uint32_t n = zone->warm_head;

	QUIRE_ASSERT((qr_frame_head(&zone->frames[n]) & QUIRE_HEAD_USE) ==
		     QUIRE_FRAME_WARM);
	zone->warm_head = zone->frames[n].next;
	zone->nr_warm--;
	return n;
}

/* Moves a batch of warm frames, their memory gone, to the buddy system. */
static void warm_discard(struct quire_zone *zone)
{
	quire_pfn pfns[ZONE_DISCARD_BATCH];
	uint32_t nr = 0;

	while (nr < ZONE_DISCARD_BATCH && zone->nr_warm > 0)
		pfns[nr++] = (quire_pfn){warm_pop(zone)};
	zone->port->discard(zone->port->ctx, pfns, nr);
	for (uint32_t i = 0; i < nr; i++)
		qr_buddy_free(&zone->buddy, (quire_pfn){pfns[i].n - zone->base});
}

void qr_zone_warm_drain(struct quire_zone *zone)
{
	while (zone->nr_warm > 0)
		warm_discard(zone);
}

void qr_zone_discard(struct quire_zone *zone, uint32_t first, uint32_t nr)
{
	quire_pfn pfns[ZONE_DISCARD_BATCH];

	for (uint32_t i = 0; i < nr;) {
		uint32_t k = 0;

		while (k < ZONE_DISCARD_BATCH && i < nr)
			pfns[k++] = (quire_pfn){first + i++};
		zone->port->discard(zone->port->ctx, pfns, k);
	}
}

/* At least one frame is free. */
static inline quire_pfn take_frame(struct quire_zone *zone, enum quire_frame_use use,
				   uint32_t flags)
{
	quire_pfn pfn;

	if (zone->nr_warm > 0 && qr_zone_is_backed(zone, use))
		return (quire_pfn){warm_pop(zone)};
	if (zone->buddy.nr_free == 0)
		warm_discard(zone);
	if (!qr_buddy_alloc(&zone->buddy, zone->orders[0], qr_zone_group(flags), &pfn))
		zone->port->panic(zone->port->ctx, "zone: Z2: free frames are nowhere");
	return (quire_pfn){pfn.n + zone->base};
}

bool qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use, uint32_t flags,
		   quire_pfn *out)
{
	struct quire_frame *frame;
	quire_pfn pfn;

	QUIRE_ASSERT(qr_use_is_handed_out(use));
	if (!qr_zone_may_take(zone, 1, flags))
		return false;
	pfn = take_frame(zone, use, flags);
	frame = &zone->frames[pfn.n];
	qr_frame_hand_out(frame, qr_frame_head(frame), use);
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(qr_zone_address(zone, pfn), 0, QUIRE_PAGE_BYTES);
	zone->counts[use]++;
	qr_zone_account(zone);
	*out = pfn;
	return true;
}

void qr_zone_free(struct quire_zone *zone, quire_pfn pfn)
{
	uint32_t head, use;

	QUIRE_ASSERT(pfn.n - zone->base < zone->buddy.nr_frames);
	head = qr_frame_head(&zone->frames[pfn.n]);
	use = head & QUIRE_HEAD_USE;
	if (!qr_use_is_handed_out(use))
		zone->port->panic(zone->port->ctx, "zone: a frame is freed twice");
	if (qr_head_order(head) != 0 && qr_zone_block_frames(zone, pfn) != 1)
		zone->port->panic(zone->port->ctx,
				  "zone: a block is freed with another order");
	zone->counts[use]--;
	if (qr_zone_is_backed(zone, use)) {
		if (zone->nr_warm >= qr_zone_warm_max(zone))
			warm_discard(zone);
		warm_push(zone, pfn.n);
	} else {
		qr_buddy_free(&zone->buddy, (quire_pfn){pfn.n - zone->base});
	}
	qr_zone_account(zone);
}
