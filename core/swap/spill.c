/* SPDX-License-Identifier: MIT */
/* spill.c - one zspage to a device, as it stands.
 *
 * Everything that can fail comes first: the extent is taken and the bytes are written
 * while slots still find them in RAM; only then does the record turn over.
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

/* Raw pages first: they cost the most RAM, and gain nothing from staying. */
static uint32_t victim(const struct quire_swap *swap)
{
	if (swap->full_raw.first != 0)
		return swap->full_raw.first;
	if (swap->full.first != 0)
		return swap->full.first;
	return richest_open(swap);
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

/* Lets go of the lock. */
static enum quire_status transfer(struct quire_swap *swap, const struct qr_zspage *z,
				  uint32_t area, uint32_t extent)
{
	const struct quire_port *port = swap->port;
	quire_pfn pfns[QUIRE_EXTENT_FRAMES];
	enum quire_status status;
	uint64_t start;

	list_frames(z, pfns);
	swap->nr_writing++;
	qr_unlock(swap->lock);
	start = port->clock(port->ctx);
	status = port->swap_write(port->ctx, area, extent, pfns, QUIRE_EXTENT_FRAMES);
	start = port->clock(port->ctx) - start;
	qr_lock(swap->lock);
	swap->nr_writing--;
	swap->stats->swap_ns += start;
	swap->stats->extents_out += status == QUIRE_OK;
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
}

static enum quire_status spill(struct quire_swap *swap, uint32_t number, uint32_t area,
			       uint32_t extent)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);
	uint32_t nr_live = z->nr_live;
	enum quire_status status;

	qr_zspage_seal(swap, number);
	status = transfer(swap, z, area, extent);
	if (status != QUIRE_OK)
		qr_extent_failed(swap, area, extent, status);
	else if (z->nr_live == 0)
		qr_extent_give(swap, area, extent);
	else
		turn_over(swap, z, area, extent);

	if (z->nr_live == 0)
		qr_zspage_dispose(swap, number);
	else if (status != QUIRE_OK)
		qr_zspage_unseal(swap, number, z->nr_live != nr_live);
	return status == QUIRE_OK || status == QUIRE_NO_SPACE ? status : QUIRE_IO;
}

enum quire_status qr_swap_spill(struct quire_swap *swap)
{
	uint32_t area, extent, number;
	enum quire_status status;

	if (!swap->has_device || victim(swap) == 0)
		return QUIRE_INVALID;
	status = qr_extent_take(swap, &area, &extent);
	if (status != QUIRE_OK)
		return status;
	/* Chosen anew: the lock may have been free meanwhile. */
	number = victim(swap);
	if (number == 0) {
		qr_extent_give(swap, area, extent);
		return QUIRE_INVALID;
	}
	return spill(swap, number, area, extent);
}
