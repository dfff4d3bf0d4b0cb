/* SPDX-License-Identifier: MIT */
/* spill.c - zspages to a device, as they stand.
 *
 * Everything that can fail comes first: the extent is taken and the bytes are written
 * while slots still find them in RAM; only then does the record turn over.  Several go in
 * one transfer to neighbouring extents: a device takes hardly longer for four.
 */
#include "core/base/assert.h"
#include "core/swap/zspage.h"

/* How many open zspages of a class are looked at for the one with the most in it. */
#define LOOK_MAX 16u

/* Where nothing is full, live data is spread over a few zspages of every class. */
static uint32_t richest_open(const struct quire_swap *swap)
{
	uint32_t best = 0;
	uint32_t best_bytes = 0;

	for (uint32_t c = 0; c < qr_class_count(); c++) {
		uint32_t number = swap->open[c].last;

		for (uint32_t i = 0; number != 0 && i < LOOK_MAX; i++) {
			const struct qr_zspage *z = qr_zspage_at(swap, number);

			if (z->live_bytes > best_bytes) {
				best = number;
				best_bytes = z->live_bytes;
			}
			number = z->prev;
		}
	}
	return best;
}

/* Raw pages first: they cost the most RAM, and gain nothing from staying.  0: none. */
static uint32_t full_victim(const struct quire_swap *swap)
{
	return swap->full_raw.first != 0 ? swap->full_raw.first : swap->full.first;
}

static uint32_t victim(const struct quire_swap *swap)
{
	uint32_t number = full_victim(swap);

	return number != 0 ? number : richest_open(swap);
}

/* An extent is written whole, so that all of it can be read; where a frame is missing
 * another stands in for it, since nothing that lives is there. */
static void list_frames(const struct qr_zspage *z, quire_pfn *pfns)
{
	uint32_t any = 0;

	while (z->frames[any] == QUIRE_NO_FRAME)
		any++;
	QUIRE_EXPECT(any < QUIRE_EXTENT_FRAMES);
	for (uint32_t i = 0; i < QUIRE_EXTENT_FRAMES; i++) {
		bool is_there = z->frames[i] != QUIRE_NO_FRAME;

		pfns[i] = (quire_pfn){z->frames[is_there ? i : any]};
	}
}

/* Zspages on their way to neighbouring extents. */
struct spill {
	struct quire_swap *swap;
	uint32_t numbers[QUIRE_TRANSFER_EXTENTS];
	uint32_t nr_live[QUIRE_TRANSFER_EXTENTS]; /* when they were sealed */
	uint32_t nr;
	uint32_t area, extent;
};

static void add(struct spill *s, uint32_t number)
{
	s->nr_live[s->nr] = qr_zspage_at(s->swap, number)->nr_live;
	s->numbers[s->nr++] = number;
	qr_zspage_seal(s->swap, number);
}

/* Lets go of the lock. */
static enum quire_status transfer(struct spill *s)
{
	struct quire_swap *swap = s->swap;
	const struct quire_port *port = swap->port;
	quire_pfn pfns[QUIRE_TRANSFER_FRAMES];
	enum quire_status status;
	uint32_t writer;
	uint64_t start;

	for (uint32_t i = 0; i < s->nr; i++)
		list_frames(qr_zspage_at(swap, s->numbers[i]),
			    pfns + i * QUIRE_EXTENT_FRAMES);
	writer = qr_extents_begin_write(swap, s->area, s->extent, s->nr);
	qr_unlock(swap->lock);
	start = port->clock(port->ctx);
	status = port->swap_write(port->ctx, s->area, s->extent, pfns,
				  s->nr * QUIRE_EXTENT_FRAMES);
	start = port->clock(port->ctx) - start;
	qr_lock(swap->lock);
	qr_extents_end_write(swap, writer);
	swap->stats->swap_ns += start;
	swap->stats->extents_out += status == QUIRE_OK ? s->nr : 0;
	return status;
}

static void turn_over(struct quire_swap *swap, struct qr_zspage *z, uint32_t area,
		      uint32_t extent)
{
	qr_zspage_free_frames(swap, z);
	swap->stats->stored_pages -= z->nr_live;
	swap->stats->stored_bytes -= z->live_bytes;
	swap->stats->spilled_pages += z->nr_live;
	z->state = QUIRE_ZSPAGE_ON_DEVICE;
	z->live_bytes = 0;
	z->area = area;
	z->extent = extent;
	z->turn = swap->turn;
}

/* What becomes of zspage i, and of its extent, after a transfer. */
static void settle(struct spill *s, uint32_t i, enum quire_status status)
{
	struct quire_swap *swap = s->swap;
	uint32_t number = s->numbers[i];
	struct qr_zspage *z = qr_zspage_at(swap, number);

	if (status != QUIRE_OK)
		qr_extent_failed(swap, s->area, s->extent + i, status);
	else if (z->nr_live == 0)
		qr_extent_give(swap, s->area, s->extent + i);
	else
		turn_over(swap, z, s->area, s->extent + i);

	if (z->nr_live == 0)
		qr_zspage_dispose(swap, number);
	else if (status != QUIRE_OK)
		qr_zspage_unseal(swap, number, z->nr_live != s->nr_live[i]);
}

static enum quire_status write_out(struct spill *s)
{
	enum quire_status status = transfer(s);

	/* One may find the room that several did not. */
	if (status == QUIRE_NO_SPACE && s->nr > 1) {
		while (s->nr > 1)
			settle(s, --s->nr, QUIRE_IO);
		status = transfer(s);
	}
	for (uint32_t i = 0; i < s->nr; i++)
		settle(s, i, status);
	return status == QUIRE_OK || status == QUIRE_NO_SPACE ? status : QUIRE_IO;
}

enum quire_status qr_swap_spill(struct quire_swap *swap, uint32_t max)
{
	struct spill s = {.swap = swap};
	enum quire_status status;
	uint32_t number, nr_extents;

	QUIRE_ASSERT(max >= 1 && max <= QUIRE_TRANSFER_EXTENTS);
	if (!swap->has_device || victim(swap) == 0)
		return QUIRE_INVALID;
	status = qr_extents_take(swap, max, &s.area, &s.extent, &nr_extents);
	if (status != QUIRE_OK)
		return status;
	/* Chosen anew: the lock may have been free meanwhile. */
	for (number = victim(swap); number != 0 && s.nr < nr_extents;
	     number = full_victim(swap))
		add(&s, number);
	for (uint32_t i = s.nr; i < nr_extents; i++)
		qr_extent_give(swap, s.area, s.extent + i);
	return s.nr == 0 ? QUIRE_INVALID : write_out(&s);
}
