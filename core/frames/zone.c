/* SPDX-License-Identifier: MIT */
/* zone.c - frames handed out by watermark, and the warm list before the buddy system. */
#include "core/frames/zone.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

/* Warm frames are memory that the ground holds for nothing: 1024 (4 MiB) cover the
 * frames that eviction and faults pass to and fro between two batches of either; a small
 * machine gives up an eighth at most. */
#define ZONE_WARM_MAX	1024u
#define ZONE_WARM_SHIFT 3

/* Frames discarded at a time: the cost of a discard is mostly that of the call and of
 * the interrupt to other CPUs, and 64 make either small beside the pages themselves. */
#define ZONE_DISCARD_BATCH 64u

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

static uint32_t warm_max(const struct quire_zone *zone)
{
	uint32_t share = zone->buddy.nr_frames >> ZONE_WARM_SHIFT;

	if (share == 0)
		return 1;
	return share < ZONE_WARM_MAX ? share : ZONE_WARM_MAX;
}

static bool use_is_handed_out(uint32_t use)
{
	return use >= QUIRE_FRAME_TABLE && use < QUIRE_FRAME_USES;
}

/* Whether the ground holds memory at the frame's own address while it has this use. */
static bool use_is_backed(const struct quire_zone *zone, uint32_t use)
{
	return zone->port->discard != NULL &&
	       (zone->port->caps & QUIRE_PORT_COPIES) != 0 && use != QUIRE_FRAME_MAPPED;
}

uint32_t qr_zone_free_frames(const struct quire_zone *zone)
{
	return zone->buddy.nr_free + zone->nr_warm;
}

static void raise_peak(uint64_t *peak, uint64_t now)
{
	if (now > *peak)
		*peak = now;
}

/* Objects are the machine's own records, as tables are. */
static uint32_t frames_table(const struct quire_zone *zone)
{
	return zone->counts[QUIRE_FRAME_TABLE] + zone->counts[QUIRE_FRAME_SLAB];
}

static void account(struct quire_zone *zone)
{
	struct quire_stats *stats = zone->stats;

	zone->counts[QUIRE_FRAME_FREE] = zone->buddy.nr_free;
	zone->counts[QUIRE_FRAME_WARM] = zone->nr_warm;
	stats->frames_free = qr_zone_free_frames(zone);
	stats->frames_mapped = zone->counts[QUIRE_FRAME_MAPPED];
	stats->frames_store = zone->counts[QUIRE_FRAME_STORE];
	stats->frames_table = frames_table(zone);
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

void qr_zone_init(struct quire_zone *zone, const struct quire_port *port,
		  struct quire_stats *stats, uint32_t nr_meta)
{
	QUIRE_ASSERT(nr_meta >= qr_zone_table_frames(port->nr_frames));
	QUIRE_ASSERT(nr_meta <= port->nr_frames);
	*zone = (struct quire_zone){
		.port = port,
		.stats = stats,
		.frames = (struct quire_frame *)(void *)port->direct,
		.warm_head = QUIRE_NO_FRAME,
	};
	for (uint32_t n = 0; n < nr_meta; n++)
		zone->frames[n].use = QUIRE_FRAME_META;
	qr_buddy_init(&zone->buddy, zone->frames, port->nr_frames, nr_meta);
	set_watermarks(zone);
	zone->counts[QUIRE_FRAME_META] = nr_meta;
	stats->nr_frames = port->nr_frames;
	stats->frames_meta = nr_meta;
	account(zone);
}

static void warm_push(struct quire_zone *zone, uint32_t n)
{
	struct quire_frame *frame = &zone->frames[n];

	*frame = (struct quire_frame){.use = QUIRE_FRAME_WARM, .next = zone->warm_head};
	zone->warm_head = n;
	zone->nr_warm++;
}

static uint32_t warm_pop(struct quire_zone *zone)
{
	uint32_t n = zone->warm_head;

	QUIRE_ASSERT(zone->frames[n].use == QUIRE_FRAME_WARM);
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
		qr_buddy_free(&zone->buddy, pfns[i], 0);
}

/* At least one frame is free. */
static quire_pfn take_frame(struct quire_zone *zone, enum quire_frame_use use)
{
	quire_pfn pfn;

	if (zone->nr_warm > 0 && use_is_backed(zone, use))
		return (quire_pfn){warm_pop(zone)};
	if (zone->buddy.nr_free == 0)
		warm_discard(zone);
	if (!qr_buddy_alloc(&zone->buddy, 0, &pfn))
		zone->port->panic(zone->port->ctx, "zone: Z2: free frames are nowhere");
	return pfn;
}

static bool fails_on_command(struct quire_zone *zone)
{
	return zone->fail_in != 0 && --zone->fail_in == 0;
}

bool qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use, uint32_t flags,
		   quire_pfn *out)
{
	uint32_t keep = (flags & QUIRE_ALLOC_RESERVE) != 0 ? 0 : zone->min;
	quire_pfn pfn;

	QUIRE_ASSERT(use_is_handed_out(use));
	if (qr_zone_free_frames(zone) <= keep || fails_on_command(zone))
		return false;
	pfn = take_frame(zone, use);
	zone->frames[pfn.n] = (struct quire_frame){.use = (uint8_t)use};
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(qr_zone_address(zone, pfn), 0, QUIRE_PAGE_BYTES);
	zone->counts[use]++;
	account(zone);
	*out = pfn;
	return true;
}

/* The use of a block that is given back; stops the machine when it was not taken so. */
static uint32_t used_block(const struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	const struct quire_frame *frame = &zone->frames[pfn.n];

	if (!use_is_handed_out(frame->use))
		zone->port->panic(zone->port->ctx, "zone: a frame is freed twice");
	if (frame->order != order)
		zone->port->panic(zone->port->ctx,
				  "zone: a block is freed with another order");
	return frame->use;
}

void qr_zone_free(struct quire_zone *zone, quire_pfn pfn)
{
	uint32_t use;

	QUIRE_ASSERT(pfn.n < zone->buddy.nr_frames);
	use = used_block(zone, pfn, 0);
	zone->counts[use]--;
	if (use_is_backed(zone, use)) {
		if (zone->nr_warm >= warm_max(zone))
			warm_discard(zone);
		warm_push(zone, pfn.n);
	} else {
		qr_buddy_free(&zone->buddy, pfn, 0);
	}
	account(zone);
}

static void warm_discard_all(struct quire_zone *zone)
{
	while (zone->nr_warm > 0)
		warm_discard(zone);
}

/* Each frame of a slab says so: an object's slab is found from any of its frames. */
static void mark_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order,
		       enum quire_frame_use use)
{
	zone->frames[pfn.n] =
		(struct quire_frame){.use = (uint8_t)use, .order = (uint8_t)order};
	for (uint32_t i = 1; use == QUIRE_FRAME_SLAB && i < 1u << order; i++)
		zone->frames[pfn.n + i] = (struct quire_frame){.use = QUIRE_FRAME_SLAB,
							       .order = QUIRE_ORDER_PART};
}

static void unmark_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	for (uint32_t i = 1; i < 1u << order; i++)
		zone->frames[pfn.n + i].use = QUIRE_FRAME_TAIL;
}

bool qr_zone_alloc_block(struct quire_zone *zone, enum quire_frame_use use,
			 uint32_t order, uint32_t flags, quire_pfn *out)
{
	uint64_t keep = (flags & QUIRE_ALLOC_RESERVE) != 0 ? 0 : zone->min;
	uint32_t nr = 1u << order;
	quire_pfn pfn;

	if (order == 0)
		return qr_zone_alloc(zone, use, flags, out);
	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX && use_is_handed_out(use));
	if (qr_zone_free_frames(zone) < keep + nr || fails_on_command(zone))
		return false;
	if (!qr_buddy_alloc(&zone->buddy, order, &pfn)) {
		warm_discard_all(zone);
		if (!qr_buddy_alloc(&zone->buddy, order, &pfn)) {
			account(zone);
			return false;
		}
	}
	mark_block(zone, pfn, order, use);
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(qr_zone_address(zone, pfn), 0, (size_t)nr << QUIRE_PAGE_SHIFT);
	zone->counts[use] += nr;
	account(zone);
	*out = pfn;
	return true;
}

static void discard_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	quire_pfn pfns[ZONE_DISCARD_BATCH];
	uint32_t nr = 1u << order;

	for (uint32_t i = 0; i < nr;) {
		uint32_t k = 0;

		while (k < ZONE_DISCARD_BATCH && i < nr)
			pfns[k++] = (quire_pfn){pfn.n + i++};
		zone->port->discard(zone->port->ctx, pfns, k);
	}
}

void qr_zone_free_block(struct quire_zone *zone, quire_pfn pfn, uint32_t order)
{
	uint32_t use;

	if (order == 0) {
		qr_zone_free(zone, pfn);
		return;
	}
	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX && pfn.n < zone->buddy.nr_frames);
	use = used_block(zone, pfn, order);
	zone->counts[use] -= 1u << order;
	if (use == QUIRE_FRAME_SLAB)
		unmark_block(zone, pfn, order);
	/* Blocks do not wait on the warm list: there they would fall to single frames. */
	if (use_is_backed(zone, use))
		discard_block(zone, pfn, order);
	qr_buddy_free(&zone->buddy, pfn, order);
	account(zone);
}

static bool block_is_whole(const struct quire_zone *zone, uint32_t n)
{
	const struct quire_frame *head = &zone->frames[n];
	bool is_slab = head->use == QUIRE_FRAME_SLAB;

	if (head->order > QUIRE_ORDER_MAX ||
	    zone->buddy.nr_frames - n < 1u << head->order)
		return false;
	for (uint32_t i = 1; i < 1u << head->order; i++) {
		const struct quire_frame *part = &zone->frames[n + i];

		if (is_slab ? part->use != QUIRE_FRAME_SLAB ||
				      part->order != QUIRE_ORDER_PART
			    : part->use != QUIRE_FRAME_TAIL)
			return false;
	}
	return true;
}

static const char *validate_counts(const struct quire_zone *zone)
{
	uint32_t counts[QUIRE_FRAME_USES] = {0};

	for (uint32_t n = 0, nr; n < zone->buddy.nr_frames; n += nr) {
		uint32_t use = zone->frames[n].use;

		if (use >= QUIRE_FRAME_USES)
			return "Z1: a frame's use is none";
		if (use_is_handed_out(use) && !block_is_whole(zone, n))
			return "F1: a taken block's frames are not its own";
		nr = use_is_handed_out(use) ? 1u << zone->frames[n].order : 1;
		counts[use] += nr;
	}
	for (uint32_t use = QUIRE_FRAME_WARM; use < QUIRE_FRAME_USES; use++) {
		if (counts[use] != zone->counts[use])
			return "Z1: counts are not what the frame table says";
	}
	/* The buddy's own walk has bound TAIL and FREE to nr_free, provided that no
	 * frame is TAIL outside a free block. */
	if (counts[QUIRE_FRAME_TAIL] + counts[QUIRE_FRAME_FREE] != zone->buddy.nr_free)
		return "Z1: a frame is neither free nor in use";
	return NULL;
}

static const char *validate_stats(const struct quire_zone *zone)
{
	const struct quire_stats *stats = zone->stats;

	if (stats->nr_frames != zone->buddy.nr_frames ||
	    stats->frames_free != qr_zone_free_frames(zone) ||
	    stats->frames_mapped != zone->counts[QUIRE_FRAME_MAPPED] ||
	    stats->frames_store != zone->counts[QUIRE_FRAME_STORE] ||
	    stats->frames_table != frames_table(zone) ||
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
		if (n >= zone->buddy.nr_frames || nr++ >= zone->nr_warm)
			return "Z2: the warm list leads astray";
		if (zone->frames[n].use != QUIRE_FRAME_WARM)
			return "Z2: a frame on the warm list is not warm";
	}
	if (nr != zone->nr_warm)
		return "Z2: nr_warm is not the length of the warm list";
	if (zone->nr_warm > warm_max(zone))
		return "Z3: the warm list is too long";
	if (zone->counts[QUIRE_FRAME_FREE] != zone->buddy.nr_free)
		return "Z2: free is not the buddy system's and the warm frames";
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
