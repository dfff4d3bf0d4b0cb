/* SPDX-License-Identifier: MIT */
/* fault.c - what a fault is, and what it brings in.
 *
 * Model.  A fault brings in its own page, and where faults follow one another (a
 * *stream*) also pages ahead of it: 1, 4, 16, then 64 at a time.  Pages ahead never cost
 * anybody else's page: they are taken only while free frames are above the low
 * watermark.
 *
 * Copies.  A page that is read back may keep its copy in swap, and is then mapped
 * read-only: it goes out again without work, at the price of the copy's memory, of which
 * more pages could be resident, and of a fault at the first write.  Pages of a stream
 * keep theirs: more memory would not help them.  A page by itself keeps it only while
 * packing a page is dear beside a fault.  Either way copies must have paid lately: what
 * they saved in packing, against what they cost in faults of writes (struct
 * quire_copies).
 *
 * Frequency and credit.  A page that comes back before the hand has evicted as many
 * pages as are mapped was wanted too soon to have gone: its frequency rises, otherwise
 * it falls.  Its credit, the rounds for which the hand passes it by, is 2^frequency - 1; a
 * page ahead has none until it is faulted for.  So without any reference bit from the
 * ground pages settle at a credit that fits how often they are used, at the price of one
 * fault in so many rounds.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/space.h"

#define AHEAD_GROWTH 4u

struct fault {
	struct quire_space *space;
	struct quire_lane *lane;
	struct quire_stream *stream;
	struct qr_leaf leaf;
	quire_vaddr va;
	uint32_t index; /* of va in leaf */
	uint32_t access;
	uint32_t nr;	   /* pages that are worked on, from index on */
	bool keeps_copies; /* of the pages that are read back */
	uint32_t prot;	   /* of the area */
	quire_pfn pfns[QUIRE_FILL_MAX];
};

static struct quire_stream *find_stream(struct quire_space *space, quire_vaddr va)
{
	struct quire_stream *oldest = space->streams;

	for (uint32_t i = 0; i < QUIRE_STREAMS; i++) {
		struct quire_stream *s = &space->streams[i];

		if (s->next == va.a) {
			s->ahead = s->ahead * AHEAD_GROWTH < QUIRE_FILL_MAX
					   ? s->ahead * AHEAD_GROWTH
					   : QUIRE_FILL_MAX;
			s->used = ++space->stream_turn;
			return s;
		}
		if (s->used < oldest->used)
			oldest = s;
	}
	*oldest = (struct quire_stream){va.a, 1, ++space->stream_turn};
	return oldest;
}

/* How many entries from index on are like the first, at most max. */
static uint32_t count_alike(const struct fault *f, uint32_t max, uint64_t flags,
			    uint64_t value)
{
	uint32_t nr = 1;

	while (nr < max && f->index + nr < QUIRE_TABLE_ENTRIES &&
	       (f->leaf.entries[f->index + nr].bits & flags) == value)
		nr++;
	return nr;
}

/* Frames for up to nr pages: the first by right, those ahead out of plenty. */
static bool take_frames(struct fault *f, uint32_t nr)
{
	struct quire_zone *zone = f->space->zone;

	if (!qr_zone_alloc(zone, QUIRE_FRAME_MAPPED, 0, &f->pfns[0]))
		return false;
	for (f->nr = 1; f->nr < nr; f->nr++) {
		if (qr_zone_free_frames(zone) <= zone->low ||
		    !qr_zone_alloc(zone, QUIRE_FRAME_MAPPED, 0, &f->pfns[f->nr]))
			break;
	}
	return true;
}

static void set_entry(struct fault *f, uint32_t i, quire_entry e)
{
	qr_leaf_set(&f->space->tables, &f->leaf, f->index + i, e);
}

static quire_entry get_entry(const struct fault *f, uint32_t i)
{
	return f->leaf.entries[f->index + i];
}

static void set_busy(struct fault *f)
{
	for (uint32_t i = 0; i < f->nr; i++)
		set_entry(f, i, qr_entry_with(get_entry(f, i), QUIRE_ENTRY_BUSY));
}

/* Ends the work on page i: its entry is e from now on. */
static void settle(struct fault *f, uint32_t i, quire_entry e)
{
	struct quire_space *space = f->space;
	bool wanted = qr_entry_has(get_entry(f, i), QUIRE_ENTRY_WANTED);

	set_entry(f, i, qr_entry_without(e, QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WANTED));
	if (wanted)
		space->port->wake(
			space->port->ctx,
			(struct quire_run){qr_leaf_address(&f->leaf, f->index + i), 1});
}

/* Gives up on pages [from, nr): frames go back, entries are as before. */
static void give_up(struct fault *f, uint32_t from)
{
	for (uint32_t i = from; i < f->nr; i++) {
		qr_zone_free(f->space->zone, f->pfns[i]);
		settle(f, i, get_entry(f, i));
	}
	f->nr = from;
}

/* Where the ground walks the tables the entry itself must say what the area forbids. */
static bool is_for_writing(const struct fault *f)
{
	return (f->space->port->caps & QUIRE_PORT_COPIES) != 0 ||
	       (f->prot & QUIRE_WRITE) != 0;
}

static void map_page(struct fault *f, uint32_t i, uint32_t slot, uint32_t frequency)
{
	struct quire_frame *frame = qr_zone_frame(f->space->zone, f->pfns[i]);
	uint64_t flags = slot == 0 ? QUIRE_ENTRY_DIRTY : 0;
	quire_entry e;

	if (slot == 0 && is_for_writing(f))
		flags |= QUIRE_ENTRY_WRITABLE;
	e = qr_entry_present(f->pfns[i], flags);

	frame->slot = slot;
	frame->owner = qr_leaf_address(&f->leaf, f->index + i).a;
	e = qr_entry_set_frequency(e, frequency);
	settle(f, i, qr_entry_set_credit(e, i == 0 ? (1u << frequency) - 1 : 0));
}

static enum quire_status zero_fill(struct fault *f)
{
	struct quire_space *space = f->space;
	const struct quire_port *port = space->port;
	enum quire_status status;

	set_busy(f);
	qr_unlock(space->lock);
	if ((port->caps & QUIRE_PORT_COPIES) == 0)
		for (uint32_t i = 0; i < f->nr; i++)
			memset(qr_zone_address(space->zone, f->pfns[i]), 0,
			       QUIRE_PAGE_BYTES);
	status = port->fill(port->ctx, f->va, f->nr, NULL, 0);
	qr_lock(space->lock);
	if (status != QUIRE_OK) {
		give_up(f, 0);
		return status;
	}
	for (uint32_t i = 0; i < f->nr; i++)
		map_page(f, i, 0, 0);
	space->stats->faults_zero++;
	space->stats->pages_zeroed += f->nr;
	space->stats->touched_pages += f->nr;
	return QUIRE_OK;
}

/* Where the bytes of page i are put together. */
static void *target(const struct fault *f, uint32_t i)
{
	if ((f->space->port->caps & QUIRE_PORT_COPIES) == 0)
		return qr_zone_address(f->space->zone, f->pfns[i]);
	return f->lane->staging + i * QUIRE_PAGE_BYTES;
}

static enum quire_status load_all(struct fault *f)
{
	for (uint32_t i = 0; i < f->nr; i++) {
		quire_slot slot = {qr_entry_number(get_entry(f, i))};
		enum quire_status status = qr_space_load(f->space->swap, f->lane, slot,
							 target(f, i), f->nr > 1);

		if (status == QUIRE_OK)
			continue;
		give_up(f, i);
		return i == 0 ? status : QUIRE_OK;
	}
	return QUIRE_OK;
}

/* Fills pages [from, to) from staging. */
static enum quire_status fill_part(struct fault *f, uint32_t from, uint32_t to,
				   uint32_t flags)
{
	const struct quire_port *port = f->space->port;
	bool copies = (port->caps & QUIRE_PORT_COPIES) != 0;

	if (from == to)
		return QUIRE_OK;
	return port->fill(port->ctx, qr_leaf_address(&f->leaf, f->index + from),
			  to - from, copies ? target(f, from) : NULL, flags);
}

static bool keeps_copy(const struct fault *f, uint32_t i)
{
	if (i == 0 && (f->access & QUIRE_WRITE) != 0)
		return false;
	return f->keeps_copies;
}

/* Pages without a copy are writable at once: all of them, or only the one written to. */
static enum quire_status fill_loaded(struct fault *f)
{
	uint32_t bare = !f->keeps_copies ? f->nr : !keeps_copy(f, 0);
	enum quire_status status, rest = QUIRE_OK;

	qr_unlock(f->space->lock);
	status = fill_part(f, 0, bare, 0);
	if (status == QUIRE_OK)
		rest = fill_part(f, bare, f->nr, QUIRE_FILL_READONLY);
	qr_lock(f->space->lock);
	if (rest == QUIRE_OK || bare == 0)
		return status == QUIRE_OK ? rest : status;
	/* The page that was asked for is mapped; those ahead of it can wait. */
	give_up(f, bare);
	return QUIRE_OK;
}

/* True when the page was evicted too soon. */
static bool is_soon(const struct quire_space *space, quire_entry e)
{
	uint64_t units = (qr_space_stamp(space) - qr_entry_credit(e)) & QUIRE_CREDIT_MAX;

	return units << space->stamp_shift <= space->stats->frames_mapped;
}

static uint32_t new_frequency(struct quire_space *space, quire_entry e)
{
	uint32_t frequency = qr_entry_frequency(e);

	if (is_soon(space, e)) {
		space->stats->refaults_soon++;
		return frequency < QUIRE_FREQUENCY_MAX ? frequency + 1 : frequency;
	}
	return frequency > 0 ? frequency - 1 : 0;
}

static void map_loaded(struct fault *f, uint32_t i)
{
	struct quire_space *space = f->space;
	quire_entry e = get_entry(f, i);
	uint32_t slot = qr_entry_number(e);
	uint32_t frequency = i == 0 ? new_frequency(space, e) : qr_entry_frequency(e);

	if (!keeps_copy(f, i)) {
		qr_swap_drop(space->swap, (quire_slot){slot});
		slot = 0;
	}
	map_page(f, i, slot, frequency);
}

static enum quire_status swap_in(struct fault *f)
{
	struct quire_space *space = f->space;
	enum quire_status status;

	set_busy(f);
	f->keeps_copies = qr_copies_pay(&space->copies, f->nr > 1);
	status = load_all(f);
	if (status == QUIRE_OK)
		status = fill_loaded(f);
	if (status != QUIRE_OK) {
		give_up(f, 0);
		return status;
	}
	for (uint32_t i = 0; i < f->nr; i++)
		map_loaded(f, i);
	space->stats->faults_major++;
	space->stats->pages_in += f->nr;
	space->stats->pages_ahead += f->nr - 1;
	return QUIRE_OK;
}

/* Writes pass from now on, and the copies in swap are stale. */
static void make_writable(struct fault *f)
{
	struct quire_space *space = f->space;
	struct quire_run run = {f->va, f->nr};

	for (uint32_t i = 0; i < f->nr; i++) {
		quire_entry e = get_entry(f, i);

		qr_space_drop_copy(space, qr_entry_pfn(e));
		set_entry(f, i,
			  qr_entry_with(e, QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_DIRTY));
	}
	space->port->protect(space->port->ctx, &run, 1, false);
}

/* How many pages a fault in area may work on, from va on. */
static uint32_t ahead_limit(const struct fault *f, const struct quire_area *area)
{
	uint64_t left = (area->end - f->va.a) >> QUIRE_PAGE_SHIFT;
	uint32_t ahead = f->stream->ahead;

	if ((area->marks & QUIRE_AREA_RANDOM) != 0)
		return 1;
	if ((area->marks & QUIRE_AREA_SEQUENTIAL) != 0)
		ahead = QUIRE_FILL_MAX;
	return left < ahead ? (uint32_t)left : ahead;
}

static enum quire_status touch_present(struct fault *f, const struct quire_area *area)
{
	struct quire_space *space = f->space;
	const uint64_t like =
		QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WRITABLE;
	quire_entry e = get_entry(f, 0);

	/* The area allows it: also what an earlier protection took away from the page. */
	e = qr_entry_with(e, QUIRE_ENTRY_USER);
	set_entry(f, 0, e);
	if ((f->access & QUIRE_WRITE) == 0) {
		space->stats->faults_minor++;
		space->port->wake(space->port->ctx, (struct quire_run){f->va, 1});
		return QUIRE_OK;
	}
	f->nr = 1;
	if (qr_entry_has(e, QUIRE_ENTRY_WRITABLE)) {
		space->stats->faults_minor++;
	} else {
		space->stats->faults_protect++;
		qr_copies_note_written(&space->copies);
		f->nr = count_alike(f, ahead_limit(f, area), like,
				    QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_USER);
		f->stream->next = f->va.a + ((uint64_t)f->nr << QUIRE_PAGE_SHIFT);
	}
	make_writable(f);
	return QUIRE_OK;
}

static enum quire_status bring_in(struct fault *f, const struct quire_area *area)
{
	quire_entry e = get_entry(f, 0);
	uint32_t max = ahead_limit(f, area);
	uint32_t nr;

	if (qr_entry_is_empty(e)) {
		nr = count_alike(f, max, UINT64_MAX, 0);
		return take_frames(f, nr) ? zero_fill(f) : QUIRE_NO_MEMORY;
	}
	if (max > f->lane->nr_staging)
		max = f->lane->nr_staging;
	nr = count_alike(f, max,
			 QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_SWAPPED | QUIRE_ENTRY_BUSY,
			 QUIRE_ENTRY_SWAPPED);
	return take_frames(f, nr) ? swap_in(f) : QUIRE_NO_MEMORY;
}

static enum quire_status resolve(struct fault *f)
{
	struct quire_space *space = f->space;
	const struct quire_area *area = qr_areas_find(&space->areas, f->va.a);
	enum quire_status status;
	quire_entry e;

	if (area == NULL || (area->marks & QUIRE_AREA_FOREIGN) != 0 || area->prot == 0 ||
	    ((f->access & QUIRE_WRITE) != 0 && (area->prot & QUIRE_WRITE) == 0))
		return QUIRE_FAULT;
	f->prot = area->prot;
	if (!qr_tables_make_leaf(&space->tables, f->va, 0, &f->leaf))
		return QUIRE_NO_MEMORY;
	e = get_entry(f, 0);
	if (qr_entry_is_busy(e)) {
		set_entry(f, 0, qr_entry_with(e, QUIRE_ENTRY_WANTED));
		space->stats->faults_minor++;
		return QUIRE_BUSY;
	}
	if (qr_entry_is_present(e))
		return touch_present(f, area);
	status = bring_in(f, area);
	if (status == QUIRE_OK)
		f->stream->next = f->va.a + ((uint64_t)f->nr << QUIRE_PAGE_SHIFT);
	else
		qr_tables_prune(&space->tables, f->va);
	if (space->settled.nr_waiters != 0)
		qr_event_raise(&space->settled, space->lock);
	return status;
}

/* Whether a move is about to put pages there. */
static bool is_destination(const struct quire_space *space, quire_vaddr va)
{
	const struct quire_range *kept = &space->tables.kept;

	return va.a >= kept->start.a && va.a < kept->end.a;
}

enum quire_status qr_space_fault(struct quire_space *space, uint32_t lane, quire_vaddr va,
				 uint32_t access)
{
	const struct quire_port *port = space->port;
	uint64_t started = port->clock(port->ctx);
	struct fault f = {.space = space, .lane = &space->lanes[lane], .access = access};
	enum quire_status status;

	f.va.a = va.a & ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
	f.index = qr_leaf_index(f.va);
	f.stream = find_stream(space, f.va);
	do {
		while (is_destination(space, f.va))
			qr_event_wait(&space->settled, space->lock);
		status = resolve(&f);
	} while (status == QUIRE_NO_MEMORY && space->pressure(space->pressure_ctx, lane));
	space->stats->faults++;
	space->stats->fault_ns += port->clock(port->ctx) - started;
	return status;
}
