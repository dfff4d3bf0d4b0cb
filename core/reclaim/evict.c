/* SPDX-License-Identifier: MIT */
/* evict.c - a batch goes out: protect, pack, isolate, release, commit.
 *
 * Invariants.
 *   E1  a page's bytes are read only after protect() has returned: what is packed is
 *       what the page held until it was released, for a write in between makes the entry
 *       WANTED and the page stays;
 *   E2  an entry is not present from before release() on, so that a ground that walks
 *       the tables does not find it again;
 *   E3  an entry stops being BUSY only after its page is gone or is writable again, so
 *       nobody fills a page that is still to be released;
 *   E4  a page that is not released keeps its frame, and loses what was stored for it.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/reclaim/batch.h"

/* With several CPUs running, protecting run by run interrupts them once for each; from
 * so many runs on one over all of them, gaps included, is cheaper. */
#define RUNS_APART 2u

/* An interrupt costs what it takes to pack some pages again: so many copies are given up
 * for one run less. */
#define COPIES_GIVEN 3u

/* So many pages are settled before others get the lock. */
#define COMMIT_PAGES 16u

static quire_entry entry_of(const struct qr_batch *batch, const struct qr_victim *victim)
{
	return batch->leaf.entries[victim->index];
}

static void add_run(struct qr_batch *batch, uint32_t index)
{
	batch->runs[batch->nr_runs++] =
		(struct quire_run){qr_leaf_address(&batch->leaf, index), 1};
}

/* The last run goes on to the page at index, and with it. */
static void extend_run(struct qr_batch *batch, uint32_t index)
{
	struct quire_run *last = &batch->runs[batch->nr_runs - 1];

	last->nr = index + 1 - qr_leaf_index(last->start);
}

static void add_to_runs(struct qr_batch *batch, uint32_t index)
{
	const struct quire_run *last = batch->runs + batch->nr_runs - 1;

	if (batch->nr_runs > 0 && qr_leaf_index(last->start) + last->nr == index)
		extend_run(batch, index);
	else
		add_run(batch, index);
}

static bool is_going(const struct qr_victim *victim)
{
	return victim->state == QUIRE_VICTIM_CLEAN ||
	       victim->state == QUIRE_VICTIM_ZERO || victim->state == QUIRE_VICTIM_PACKED;
}

static void set_entry(const struct quire_space *space, const struct qr_batch *batch,
		      const struct qr_victim *victim, quire_entry e)
{
	qr_leaf_set(&space->tables, &batch->leaf, victim->index, e);
}

static void wake(struct quire_space *space, const struct qr_batch *batch, uint32_t index)
{
	space->port->wake(space->port->ctx,
			  (struct quire_run){qr_leaf_address(&batch->leaf, index), 1});
}

/* Takes the right to write out of the entry; true when it was there. */
static bool make_readonly(const struct quire_space *space, const struct qr_batch *batch,
			  struct qr_victim *victim)
{
	quire_entry e = entry_of(batch, victim);

	if (victim->state != QUIRE_VICTIM_DIRTY || !qr_entry_has(e, QUIRE_ENTRY_WRITABLE))
		return false;
	victim->was_writable = true;
	set_entry(space, batch, victim, qr_entry_without(e, QUIRE_ENTRY_WRITABLE));
	return true;
}

static struct quire_range range_of(struct quire_run run)
{
	return (struct quire_range){run.start,
				    {run.start.a + (run.nr << QUIRE_PAGE_SHIFT)}};
}

/* Whether to protect a batch interrupts a processor that runs the program. */
static bool is_heard(const struct quire_space *space, const struct qr_batch *batch)
{
	return space->port->nr_running > 1 ||
	       batch == space->lanes[space->nr_lanes].batch;
}

/* Whether one call over all of span is better than one for each run. */
static bool is_better_whole(struct quire_space *space, const struct qr_batch *batch,
			    struct quire_run span)
{
	return batch->nr_runs > RUNS_APART &&
	       (space->port->caps & QUIRE_PORT_COPIES) != 0 && is_heard(space, batch) &&
	       qr_space_is_covered(space, range_of(span));
}

/* Called with the lock held; lets go of it. */
static void protect(struct quire_space *space, struct qr_batch *batch)
{
	const struct quire_port *port = space->port;
	uint32_t first = QUIRE_TABLE_ENTRIES, last = 0;
	struct quire_run span;

	batch->nr_runs = 0;
	batch->span_first = batch->span_end = 0;
	for (uint32_t i = 0; i < batch->nr; i++) {
		if (!make_readonly(space, batch, &batch->victims[i]))
			continue;
		last = batch->victims[i].index;
		first = first < last ? first : last;
		add_to_runs(batch, last);
	}
	span = (struct quire_run){qr_leaf_address(&batch->leaf, first), last - first + 1};
	if (is_better_whole(space, batch, span)) {
		batch->span_first = first;
		batch->span_end = last + 1;
		batch->runs[0] = span;
		batch->nr_runs = 1;
	}
	qr_unlock(space->lock);
	if (batch->nr_runs > 0)
		port->protect(port->ctx, batch->runs, batch->nr_runs, true);
}

static bool is_readonly(quire_entry e)
{
	return qr_entry_is_present(e) && !qr_entry_has(e, QUIRE_ENTRY_WRITABLE);
}

/* Gives up the copies of the pages [first, end) of the leaf, which may be written to from
 * now on. */
static void make_writable(struct quire_space *space, struct qr_batch *batch,
			  uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		quire_entry e = batch->leaf.entries[i];

		if (!is_readonly(e))
			continue;
		qr_space_drop_copy(space, qr_entry_pfn(e));
		qr_leaf_set(&space->tables, &batch->leaf, i,
			    qr_entry_with(e, QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_DIRTY));
	}
}

/* Adds the writable page at index to the runs: to the last one if only so many pages lie
 * between that must not be written to unseen. */
static void add_gap(struct quire_space *space, struct qr_batch *batch, uint32_t index,
		    uint32_t nr_between)
{
	const struct quire_run *last = batch->runs + batch->nr_runs - 1;

	if (batch->nr_runs == 0 || nr_between > COPIES_GIVEN) {
		add_run(batch, index);
		return;
	}
	make_writable(space, batch, qr_leaf_index(last->start), index);
	extend_run(batch, index);
}

/* Makes runs of the pages that were protected only because they lie between victims.  A
 * write that came before was a fault that unprotected its page.  The victims are gone, so
 * that few runs are left. */
static void find_gaps(struct quire_space *space, struct qr_batch *batch)
{
	uint32_t nr_between = 0;

	batch->nr_runs = 0;
	for (uint32_t i = batch->span_first; i < batch->span_end; i++) {
		quire_entry e = batch->leaf.entries[i];

		if (qr_entry_is_busy(e)) {
			nr_between = UINT32_MAX / 2;
		} else if (is_readonly(e)) {
			nr_between++;
		} else if (qr_entry_is_present(e)) {
			add_gap(space, batch, i, nr_between);
			nr_between = 0;
		}
	}
}

/* All entries of the run are BUSY: nobody else protects or fills a page there. */
static void take_gap(struct quire_space *space, struct qr_batch *batch,
		     struct quire_run run)
{
	uint32_t first = qr_leaf_index(run.start);

	for (uint32_t i = first; i < first + run.nr; i++)
		qr_leaf_set(&space->tables, &batch->leaf, i,
			    qr_entry_with(batch->leaf.entries[i], QUIRE_ENTRY_BUSY));
}

static void leave_gap(struct quire_space *space, struct qr_batch *batch,
		      struct quire_run run)
{
	uint32_t first = qr_leaf_index(run.start);

	for (uint32_t i = first; i < first + run.nr; i++) {
		quire_entry e = batch->leaf.entries[i];

		qr_leaf_set(&space->tables, &batch->leaf, i,
			    qr_entry_without(e, QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WANTED));
		if (qr_entry_has(e, QUIRE_ENTRY_WANTED))
			wake(space, batch, i);
	}
}

/* Gives the pages between the victims their right to write back.  Called and returns with
 * the lock held, lets go of it meanwhile. */
static void unprotect_gaps(struct quire_space *space, struct qr_batch *batch)
{
	const struct quire_port *port = space->port;

	find_gaps(space, batch);
	if (batch->nr_runs == 0)
		return;
	for (uint32_t i = 0; i < batch->nr_runs; i++)
		take_gap(space, batch, batch->runs[i]);
	qr_unlock(space->lock);
	port->protect(port->ctx, batch->runs, batch->nr_runs, false);
	qr_lock(space->lock);
	for (uint32_t i = 0; i < batch->nr_runs; i++)
		leave_gap(space, batch, batch->runs[i]);
}

/* bytes need not be aligned: on some grounds they are somebody's buffer. */
static bool is_zero(const unsigned char *bytes)
{
	uint64_t words[4];

	for (size_t i = 0; i < QUIRE_PAGE_BYTES; i += sizeof(words)) {
		memcpy(words, bytes + i, sizeof(words));
		if ((words[0] | words[1] | words[2] | words[3]) != 0)
			return false;
	}
	return true;
}

/* The bytes of a victim, or NULL. */
static const void *victim_bytes(const struct quire_space *space, struct quire_lane *lane,
				const struct qr_victim *victim)
{
	const struct quire_port *port = space->port;
	const struct qr_batch *batch = lane->batch;

	if ((port->caps & QUIRE_PORT_COPIES) == 0)
		return qr_zone_address(space->zone,
				       qr_entry_pfn(entry_of(batch, victim)));
	return port->look(port->ctx, qr_leaf_address(&batch->leaf, victim->index),
			  victim->prot, lane->staging);
}

/* Stores packed bytes; makes room in the store by spilling where it is full. */
static enum quire_status store(struct quire_reclaim *reclaim, const void *packed,
			       uint32_t bytes, uint32_t checksum, quire_slot *slot)
{
	struct quire_swap *swap = reclaim->space->swap;
	enum quire_status status = qr_swap_put(swap, packed, bytes, checksum, slot);

	while (status == QUIRE_NO_MEMORY &&
	       qr_reclaim_spill(reclaim, QUIRE_TRANSFER_EXTENTS) == QUIRE_OK)
		status = qr_swap_put(swap, packed, bytes, checksum, slot);
	return status;
}

/* Called with the lock held, once the bytes are packed. */
static void keep_packed(struct quire_reclaim *reclaim, const struct qr_batch *batch,
			struct qr_victim *victim, const void *packed, uint32_t bytes,
			uint32_t checksum)
{
	struct quire_space *space = reclaim->space;
	quire_slot slot;

	victim->state = QUIRE_VICTIM_STAYS;
	if (qr_entry_has(entry_of(batch, victim), QUIRE_ENTRY_WANTED))
		return;
	victim->state = QUIRE_VICTIM_FULL;
	if (!space->swap->has_device &&
	    (bytes == QUIRE_PAGE_BYTES || qr_reclaim_store_is_full(reclaim)))
		return;
	if (store(reclaim, packed, bytes, checksum, &slot) != QUIRE_OK)
		return;
	victim->state = QUIRE_VICTIM_PACKED;
	victim->slot = slot.n;
	space->stats->packed_in += QUIRE_PAGE_BYTES;
	space->stats->packed_out += bytes;
}

static void pack(struct quire_reclaim *reclaim, struct quire_lane *lane,
		 struct qr_victim *victim)
{
	const struct quire_space *space = reclaim->space;
	const struct quire_codec *codec = space->swap->codec;
	const void *bytes = victim_bytes(space, lane, victim);
	const void *packed = lane->packed;
	uint32_t nr, checksum;

	if (bytes == NULL) {
		victim->state = QUIRE_VICTIM_STAYS;
		return;
	}
	if (is_zero(bytes)) {
		victim->state = QUIRE_VICTIM_ZERO;
		return;
	}
	nr = (uint32_t)codec->compress(lane->codec_state, bytes, QUIRE_PAGE_BYTES,
				       lane->packed, QUIRE_PACKED_MAX);
	if (nr == 0) {
		packed = bytes;
		nr = QUIRE_PAGE_BYTES;
	}
	checksum = codec->checksum(packed, nr);
	qr_lock(space->lock);
	keep_packed(reclaim, lane->batch, victim, packed, nr, checksum);
	qr_unlock(space->lock);
}

/* Returns how many were packed. */
static uint32_t pack_all(struct quire_reclaim *reclaim, struct quire_lane *lane)
{
	struct qr_batch *batch = lane->batch;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < batch->nr; i++) {
		if (batch->victims[i].state != QUIRE_VICTIM_DIRTY)
			continue;
		pack(reclaim, lane, &batch->victims[i]);
		nr++;
	}
	return nr;
}

/* The last look at who is wanted; the others are not present from now on. */
static void isolate(struct quire_space *space, struct qr_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr; i++) {
		struct qr_victim *victim = &batch->victims[i];
		quire_entry e = entry_of(batch, victim);

		if (!is_going(victim))
			continue;
		if (!qr_entry_has(e, QUIRE_ENTRY_WANTED)) {
			set_entry(space, batch, victim,
				  qr_entry_without(e, QUIRE_ENTRY_PRESENT));
			continue;
		}
		if (victim->state == QUIRE_VICTIM_PACKED)
			qr_swap_drop(space->swap, (quire_slot){victim->slot});
		victim->state = QUIRE_VICTIM_STAYS;
	}
}

/* The lock is not held. */
static void release(struct quire_space *space, struct qr_batch *batch)
{
	batch->nr_runs = 0;
	memset(batch->kept, 0, sizeof(batch->kept));
	for (uint32_t i = 0; i < batch->nr; i++)
		if (is_going(&batch->victims[i]))
			add_to_runs(batch, batch->victims[i].index);
	if (batch->nr_runs > 0)
		space->port->release(space->port->ctx, batch->runs, batch->nr_runs, 0,
				     batch->kept);
}

static void commit_stay(struct quire_space *space, struct qr_batch *batch,
			const struct qr_victim *victim)
{
	quire_entry e = entry_of(batch, victim);
	bool wanted = qr_entry_has(e, QUIRE_ENTRY_WANTED);
	struct quire_run run = {qr_leaf_address(&batch->leaf, victim->index), 1};

	if (victim->state == QUIRE_VICTIM_PACKED)
		qr_swap_drop(space->swap, (quire_slot){victim->slot});
	e = qr_entry_without(e, QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WANTED);
	e = qr_entry_with(e, QUIRE_ENTRY_PRESENT |
				     (victim->was_writable ? QUIRE_ENTRY_WRITABLE : 0));
	e = qr_entry_set_credit(e, victim->state == QUIRE_VICTIM_FULL ? QUIRE_CREDIT_MAX
								      : 1);
	set_entry(space, batch, victim, e);
	if (victim->was_writable)
		space->port->protect(space->port->ctx, &run, 1, false);
	if (wanted)
		wake(space, batch, victim->index);
}

static void commit_gone(struct quire_space *space, struct qr_batch *batch,
			const struct qr_victim *victim)
{
	quire_entry e = entry_of(batch, victim), out = {0};
	quire_pfn pfn = qr_entry_pfn(e);

	if (victim->state == QUIRE_VICTIM_ZERO) {
		space->stats->zero_drops++;
		space->stats->touched_pages--;
	} else {
		out = qr_entry_swapped(victim->slot, qr_entry_frequency(e),
				       qr_space_stamp(space));
		space->stats->pages_out += victim->state == QUIRE_VICTIM_PACKED;
		if (victim->state == QUIRE_VICTIM_CLEAN) {
			space->stats->clean_drops++;
			qr_copies_note_saved(&space->copies);
		}
	}
	qr_zone_frame(space->zone, pfn)->slot = 0;
	qr_zone_free(space->zone, pfn);
	set_entry(space, batch, victim, out);
	if (qr_entry_has(e, QUIRE_ENTRY_WANTED))
		wake(space, batch, victim->index);
}

/* Settles every victim; returns how many went.  Lets go of the lock now and then. */
static uint32_t commit(struct quire_space *space, struct qr_batch *batch)
{
	uint32_t nr_released = 0, nr_gone = 0;

	for (uint32_t i = 0; i < batch->nr; i++) {
		const struct qr_victim *victim = &batch->victims[i];
		bool gone = is_going(victim);

		if (gone) {
			uint32_t bit = nr_released++;

			gone = (batch->kept[bit / 64] >> (bit % 64) & 1) == 0;
			space->stats->pages_kept += !gone;
		}
		if (gone)
			commit_gone(space, batch, victim);
		else
			commit_stay(space, batch, victim);
		nr_gone += gone;
		/* The leaf stays while there is a victim in it. */
		if (i % COMMIT_PAGES == COMMIT_PAGES - 1 && i + 1 < batch->nr) {
			qr_unlock(space->lock);
			qr_lock(space->lock);
		}
	}
	return nr_gone;
}

uint32_t qr_batch_evict(struct quire_reclaim *reclaim, struct quire_lane *lane)
{
	struct quire_space *space = reclaim->space;
	struct qr_batch *batch = lane->batch;
	uint32_t nr_gone, nr_packed;
	uint64_t started;

	reclaim->nr_at_work++;
	protect(space, batch);
	started = space->port->clock(space->port->ctx);
	nr_packed = pack_all(reclaim, lane);
	started = space->port->clock(space->port->ctx) - started;
	qr_lock(space->lock);
	qr_copies_note_packing(&space->copies, nr_packed, started);
	isolate(space, batch);
	qr_unlock(space->lock);
	release(space, batch);
	qr_lock(space->lock);
	nr_gone = commit(space, batch);
	unprotect_gaps(space, batch);
	reclaim->nr_at_work--;
	space->nr_evicted += nr_gone;
	qr_tables_prune(&space->tables, (quire_vaddr){batch->leaf.base});
	qr_event_raise(&space->settled, space->lock);
	return nr_gone;
}
