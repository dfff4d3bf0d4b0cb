/* SPDX-License-Identifier: MIT */
/* reclaim.c - the page-out daemon's turns, and how much of memory the store gets. */
#include "core/reclaim/reclaim.h"

#include "core/base/assert.h"
#include "core/reclaim/batch.h"

/* Pages a turn takes out: enough to share one flush, few enough that a fault behind it
 * does not wait long. */
#define BATCH_PAGES 64u

/* Leaves that one turn of the daemon looks through. */
#define TURN_LEAVES 64u

/* The share of the store is looked at each time so many pages came in. */
#define SHARE_PERIOD 1024u

/* The store grows when transfers took more than one part in DEAR of the time in faults,
 * and shrinks when they took less than one in CHEAP: then what is written out is hardly
 * read again, and frames are worth more.  It grows fast and shrinks slowly, for a page
 * that has to be read back from a device costs up to fifty times one from the store. */
#define DEAR  10u
#define CHEAP 40u

/* Steps and bounds of the store's share of all frames. */
#define SHARE_UP(n)    ((n) / 16)
#define SHARE_DOWN(n)  ((n) / 128)
#define SHARE_LEAST(n) ((n) / 16)
#define SHARE_MOST(n)  ((n) - (n) / 6)

/* Extents that may wait for a writer before lanes write as well: 4 MiB, a few tens of
 * milliseconds of a slow device. */
#define BACKLOG_EXTENTS 128u

/* Frames of uncompressed pages that may wait for a full transfer. */
#define RAW_WAITING (4u * QUIRE_EXTENT_FRAMES)

uint32_t qr_reclaim_batch_frames(void)
{
	return (uint32_t)((sizeof(struct qr_batch) + QUIRE_PAGE_BYTES - 1) >>
			  QUIRE_PAGE_SHIFT);
}

void qr_reclaim_init(struct quire_reclaim *reclaim, struct quire_space *space,
		     uint32_t store_frames)
{
	reclaim->space = space;
	reclaim->hand = space->areas.floor;
	reclaim->is_fixed = store_frames != 0;
	reclaim->target = reclaim->is_fixed ? store_frames
					    : SHARE_MOST(space->zone->buddy.nr_frames);
}

static void adjust_share(struct quire_reclaim *reclaim)
{
	const struct quire_stats *stats = reclaim->space->stats;
	uint32_t nr_frames = reclaim->space->zone->buddy.nr_frames;
	uint64_t swap_ns = stats->swap_ns - reclaim->seen_swap_ns;
	uint64_t fault_ns = stats->fault_ns - reclaim->seen_fault_ns;

	if (reclaim->is_fixed || stats->pages_in - reclaim->seen_in < SHARE_PERIOD)
		return;
	if (swap_ns * DEAR > fault_ns && reclaim->target < SHARE_MOST(nr_frames))
		reclaim->target += SHARE_UP(nr_frames);
	else if (swap_ns * CHEAP < fault_ns && reclaim->target > SHARE_LEAST(nr_frames))
		reclaim->target -= SHARE_DOWN(nr_frames);
	reclaim->seen_in = stats->pages_in;
	reclaim->seen_swap_ns = stats->swap_ns;
	reclaim->seen_fault_ns = stats->fault_ns;
}

bool qr_reclaim_store_is_full(const struct quire_reclaim *reclaim)
{
	return reclaim->is_fixed &&
	       reclaim->space->stats->frames_store >= reclaim->target;
}

enum quire_status qr_reclaim_spill(struct quire_reclaim *reclaim, uint32_t nr)
{
	enum quire_status status;

	reclaim->nr_at_work++;
	status = qr_swap_spill(reclaim->space->swap, nr);
	reclaim->nr_at_work--;
	qr_event_raise(&reclaim->space->settled, reclaim->space->lock);
	return status;
}

uint32_t qr_reclaim_surplus(const struct quire_reclaim *reclaim)
{
	uint64_t store = reclaim->space->stats->frames_store;
	uint32_t raw = reclaim->space->swap->frames_raw, frames = 0;

	if (!reclaim->space->swap->has_device)
		return 0;
	if (store > reclaim->target)
		frames = (uint32_t)(store - reclaim->target);
	if (raw > RAW_WAITING && frames < raw - RAW_WAITING)
		frames = raw - RAW_WAITING;
	return (frames + QUIRE_EXTENT_FRAMES - 1) / QUIRE_EXTENT_FRAMES;
}

bool qr_reclaim_write(struct quire_reclaim *reclaim)
{
	uint32_t nr = qr_reclaim_surplus(reclaim);

	if (nr > QUIRE_TRANSFER_EXTENTS)
		nr = QUIRE_TRANSFER_EXTENTS;
	return nr > 0 && qr_reclaim_spill(reclaim, nr) == QUIRE_OK;
}

/* Brings the store down to its share, or has that done; true when something was written. */
static bool trim_store(struct quire_reclaim *reclaim)
{
	uint32_t nr;
	bool wrote = false;

	adjust_share(reclaim);
	nr = qr_reclaim_surplus(reclaim);
	if (reclaim->has_writer && !reclaim->stops_writing && nr <= BACKLOG_EXTENTS) {
		if (nr > 0)
			qr_event_raise(&reclaim->surplus, reclaim->space->lock);
		return false;
	}
	while (qr_reclaim_write(reclaim))
		wrote = true;
	return wrote;
}

/* Whether pages are to go out, by the watermarks. */
static bool is_wanted(struct quire_reclaim *reclaim)
{
	const struct quire_zone *zone = reclaim->space->zone;
	uint32_t free = qr_zone_free_frames(zone);

	if (free < zone->low)
		reclaim->is_active = true;
	else if (free >= zone->high)
		reclaim->is_active = false;
	return reclaim->is_active && reclaim->space->swap->codec != NULL;
}

static bool is_left_to_daemon(const struct quire_reclaim *reclaim)
{
	const struct quire_space *space = reclaim->space;

	return reclaim->has_daemon && !reclaim->stops_paging_out &&
	       space->port->nr_running < space->nr_lanes &&
	       qr_zone_free_frames(space->zone) > space->zone->min;
}

static bool take_turn(struct quire_reclaim *reclaim, uint32_t lane)
{
	struct quire_space *space = reclaim->space;
	struct qr_batch *batch = space->lanes[lane].batch;
	uint64_t started = space->port->clock(space->port->ctx);
	bool worked;

	worked = trim_store(reclaim);
	if (qr_clock_pick(reclaim, batch, BATCH_PAGES, TURN_LEAVES, false))
		worked |= qr_batch_evict(reclaim, &space->lanes[lane]) > 0;
	space->stats->reclaim_ns += space->port->clock(space->port->ctx) - started;
	return worked;
}

bool qr_reclaim_balance(struct quire_reclaim *reclaim, uint32_t lane)
{
	return is_wanted(reclaim) && take_turn(reclaim, lane);
}

void qr_reclaim_after_fault(struct quire_reclaim *reclaim, uint32_t lane)
{
	if (!is_wanted(reclaim))
		return;
	if (is_left_to_daemon(reclaim))
		qr_event_raise(&reclaim->shortage, reclaim->space->lock);
	else
		(void)take_turn(reclaim, lane);
}

/* Takes out whatever goes, credit or not; a walk once round finds the last page. */
static bool evict_any(struct quire_reclaim *reclaim, struct quire_lane *lane)
{
	uint64_t last_round = reclaim->nr_rounds + 1;

	while (reclaim->nr_rounds <= last_round) {
		if (!qr_clock_pick(reclaim, lane->batch, BATCH_PAGES, UINT32_MAX, true))
			return false;
		if (qr_batch_evict(reclaim, lane) > 0)
			return true;
	}
	return false;
}

static bool make_room(struct quire_reclaim *reclaim, struct quire_lane *lane)
{
	struct quire_space *space = reclaim->space;
	bool wrote = trim_store(reclaim);
	uint64_t evicted;
	uint32_t free;

	if (qr_clock_pick(reclaim, lane->batch, BATCH_PAGES, TURN_LEAVES, false) &&
	    qr_batch_evict(reclaim, lane) > 0)
		return true;
	if (evict_any(reclaim, lane))
		return true;
	if (wrote || qr_reclaim_spill(reclaim, QUIRE_TRANSFER_EXTENTS) == QUIRE_OK)
		return true;
	evicted = space->nr_evicted;
	free = qr_zone_free_frames(space->zone);
	while (reclaim->nr_at_work > 0 && space->nr_evicted == evicted)
		qr_event_wait(&space->settled, space->lock);
	if (space->nr_evicted != evicted || qr_zone_free_frames(space->zone) > free)
		return true;
	return qr_swap_compact(space->swap, 1) > 0;
}

bool qr_reclaim_pressure(void *ctx, uint32_t lane)
{
	struct quire_reclaim *reclaim = ctx;
	struct quire_space *space = reclaim->space;
	uint64_t started = space->port->clock(space->port->ctx);
	bool more = space->swap->codec != NULL && make_room(reclaim, &space->lanes[lane]);

	space->stats->reclaim_ns += space->port->clock(space->port->ctx) - started;
	return more;
}
