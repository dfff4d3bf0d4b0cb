/* SPDX-License-Identifier: MIT */
/* workingset.c - ghosts put down and met again. */
#include "core/files/workingset.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

#define GHOSTS_A_FRAME (QUIRE_PAGE_BYTES / sizeof(uint64_t))

/* One page of transfer weighs as much as so many that were looked at.  (Linux,
 * SWAP_CLUSTER_MAX.) */
#define IO_WEIGHT 32u

/* A ghost: from bit 32 a part of the name, 31 bits of age, in bit 0 whether it was active. */
#define GHOST_AGE 0x7fffffffu

uint32_t qr_workingset_frames(uint32_t nr_frames)
{
	uint32_t nr = 1;

	while (nr * GHOSTS_A_FRAME < nr_frames)
		nr *= 2;
	return nr;
}

void qr_workingset_init(struct quire_workingset *ws, struct quire_zone *zone, void *at,
			bool has_swap)
{
	uint32_t nr = qr_workingset_frames(zone->port->nr_frames);

	*ws = (struct quire_workingset){.zone = zone, .ghosts = at, .has_swap = has_swap};
	ws->mask = (uint32_t)(nr * GHOSTS_A_FRAME) - 1;
	memset(at, 0, (size_t)nr << QUIRE_PAGE_SHIFT);
}

uint64_t qr_workingset_pages(const struct quire_workingset *ws, enum qr_kind kind)
{
	return kind == QR_FILE ? ws->nr_file
			       : ws->zone->counts[QUIRE_FRAME_MAPPED] - ws->nr_file -
					 ws->nr_pooled;
}

void qr_page_activate(struct quire_workingset *ws, struct quire_frame *frame)
{
	if (qr_page_has(frame, QUIRE_PAGE_ACTIVE))
		return;
	frame->slot = (frame->slot | QUIRE_PAGE_ACTIVE) & ~QUIRE_PAGE_REFERENCED;
	ws->nr_active[qr_page_kind(frame)] += qr_page_size(frame);
	ws->age += qr_page_size(frame);
}

void qr_page_deactivate(struct quire_workingset *ws, struct quire_frame *frame)
{
	if (!qr_page_has(frame, QUIRE_PAGE_ACTIVE))
		return;
	frame->slot = (frame->slot & ~(QUIRE_PAGE_ACTIVE | QUIRE_PAGE_REFERENCED)) |
		      QUIRE_PAGE_WORKINGSET;
	ws->nr_active[qr_page_kind(frame)] -= qr_page_size(frame);
}

void qr_page_touch(struct quire_workingset *ws, struct quire_frame *frame)
{
	if (qr_page_has(frame, QUIRE_PAGE_REFERENCED))
		qr_page_activate(ws, frame);
	else
		frame->slot |= QUIRE_PAGE_REFERENCED;
}

void qr_page_forget(struct quire_workingset *ws, struct quire_frame *frame)
{
	enum qr_kind kind = qr_page_kind(frame);

	QUIRE_ASSERT(frame->nr_entries == 0);
	if (qr_page_has(frame, QUIRE_PAGE_ACTIVE))
		ws->nr_active[kind] -= qr_page_size(frame);
	if (kind == QR_FILE)
		ws->nr_file--;
	frame->slot = 0;
}

/* Steele et al., SplitMix64. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t *place_of(const struct quire_workingset *ws, uint64_t hash)
{
	return &ws->ghosts[(uint32_t)hash & ws->mask];
}

/* Never 0: the mark of a place that has none. */
static uint64_t tag_of(uint64_t hash)
{
	return hash >> 32 | 1;
}

void qr_workingset_evicted(struct quire_workingset *ws, const struct quire_frame *frame,
			   uint64_t name)
{
	uint64_t hash = mix(name);
	bool was_active = qr_page_has(frame, QUIRE_PAGE_WORKINGSET);

	ws->age++;
	*place_of(ws, hash) =
		tag_of(hash) << 32 | (uint64_t)(ws->age & GHOST_AGE) << 1 | was_active;
}

/* How many pages the page would have competed with. */
static uint64_t rivals(const struct quire_workingset *ws, enum qr_kind kind)
{
	uint64_t nr = ws->nr_active[QR_FILE];

	if (kind == QR_ANON)
		nr += qr_workingset_inactive(ws, QR_FILE);
	if (ws->has_swap)
		nr += ws->nr_active[QR_ANON];
	if (ws->has_swap && kind == QR_FILE)
		nr += qr_workingset_inactive(ws, QR_ANON);
	return nr;
}

void qr_workingset_refault(struct quire_workingset *ws, struct quire_frame *frame,
			   uint64_t name)
{
	uint64_t hash = mix(name), *place = place_of(ws, hash), ghost = *place;
	enum qr_kind kind = qr_page_kind(frame);
	uint32_t distance;

	if (ghost >> 32 != tag_of(hash))
		return;
	*place = 0;
	ws->refaults[kind]++;
	distance = (ws->age - ((uint32_t)ghost >> 1)) & GHOST_AGE;
	if (distance > rivals(ws, kind))
		return;
	qr_page_activate(ws, frame);
	ws->activated[kind]++;
	if ((ghost & 1) == 0)
		return;
	frame->slot |= QUIRE_PAGE_WORKINGSET;
	ws->restored[kind]++;
	qr_workingset_note_cost(ws, kind, 1, 0);
}

void qr_workingset_note_cost(struct quire_workingset *ws, enum qr_kind kind,
			     uint64_t nr_io, uint64_t nr_rotated)
{
	uint64_t all = ws->zone->counts[QUIRE_FRAME_MAPPED];

	ws->cost[kind] += nr_io * IO_WEIGHT + nr_rotated;
	/* What was long ago counts for less. */
	while (ws->cost[QR_ANON] + ws->cost[QR_FILE] > all / 4 &&
	       ws->cost[QR_ANON] + ws->cost[QR_FILE] > 0) {
		ws->cost[QR_ANON] /= 2;
		ws->cost[QR_FILE] /= 2;
	}
}
