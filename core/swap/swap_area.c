/* SPDX-License-Identifier: MIT */
/* swap_area.c - extents of swap areas: which are taken, and where the next one goes.
 *
 * Model.  An area's map is a directory, one frame, of chunks, one frame each, of a bit
 * for every extent.  A chunk without a set bit has no frame, and the map of an area that
 * is not in use has none at all, however large the device is.
 *
 * Groups.  Who can use several takes what is free of the lowest group of four neighbours,
 * aligned, that is free as a whole; where there is none below twice what is in use, and
 * who wants one, the lowest free extent.  So a device that is a sparse file stays small,
 * and what was written together can be read together.
 *
 * Rounds.  Attempts to find an extent are counted in rounds of 64.  What may have
 * changed without a call telling so (another copy of the machine has ended, a device has
 * room again) is asked anew once a round.
 *
 * Invariants.
 *   M1  nr_entries of a chunk's frame is the number of its bits that are set, not 0;
 *   M2  nr_used of an area is the sum of these.
 */
#include "core/base/assert.h"
#include "core/swap/zspage.h"

#define CHUNK_SHIFT  15 /* bits of a frame */
#define CHUNK_BITS   (1u << CHUNK_SHIFT)
#define NR_CHUNKS    ((uint32_t)(QUIRE_PAGE_BYTES / sizeof(uint32_t)))
#define GROUP_FIRSTS 0x1111111111111111u
/* Groups that may be taken however little is in use. */
#define GROUPS_MIN 16u
#define NO_CHUNK   0u /* frame 0 holds the frame table; a zeroed directory is empty */

/* A write costs some ten microseconds; asking the port a few. */
#define ROUND_SHIFT 6

static uint64_t round_now(const struct quire_swap *swap)
{
	return swap->nr_attempts >> ROUND_SHIFT;
}

static uint32_t *chunk_entry(const struct quire_swap *swap,
			     const struct quire_swap_area *area, uint32_t chunk)
{
	uint32_t *directory = qr_zone_address(swap->zone, (quire_pfn){area->map});

	return &directory[chunk];
}

/* The chunk's bits, or NULL where all are clear. */
static uint64_t *chunk_bits(const struct quire_swap *swap,
			    const struct quire_swap_area *area, uint32_t chunk)
{
	uint32_t pfn = NO_CHUNK;

	if (area->map != QUIRE_NO_FRAME)
		pfn = *chunk_entry(swap, area, chunk);
	return pfn == NO_CHUNK ? NULL : qr_zone_address(swap->zone, (quire_pfn){pfn});
}

static uint16_t *chunk_count(const struct quire_swap *swap,
			     const struct quire_swap_area *area, uint32_t chunk)
{
	quire_pfn pfn = {*chunk_entry(swap, area, chunk)};

	return &qr_zone_frame(swap->zone, pfn)->nr_entries;
}

static bool map_frame(struct quire_swap *swap, uint32_t *pfn_out)
{
	quire_pfn pfn;

	if (!qr_zone_alloc(swap->zone, QUIRE_FRAME_TABLE,
			   QUIRE_ALLOC_RESERVE | QUIRE_ALLOC_ZERO, &pfn))
		return false;
	*pfn_out = pfn.n;
	return true;
}

static void directory_free(struct quire_swap *swap, struct quire_swap_area *area)
{
	qr_zone_free(swap->zone, (quire_pfn){area->map});
	area->map = QUIRE_NO_FRAME;
}

/* The frames for a bit of the chunk are there afterwards. */
static bool chunk_reserve(struct quire_swap *swap, struct quire_swap_area *area,
			  uint32_t chunk)
{
	if (area->map == QUIRE_NO_FRAME && !map_frame(swap, &area->map))
		return false;
	if (*chunk_entry(swap, area, chunk) != NO_CHUNK ||
	    map_frame(swap, chunk_entry(swap, area, chunk)))
		return true;
	if (area->nr_used == 0)
		directory_free(swap, area);
	return false;
}

/* The first clear bit in [bit, CHUNK_BITS), or CHUNK_BITS. */
static uint32_t chunk_search(const uint64_t *bits, uint32_t bit)
{
	while (bit < CHUNK_BITS) {
		uint64_t clear = ~bits[bit / 64] >> (bit % 64);

		if (clear != 0)
			return bit + (uint32_t)__builtin_ctzll(clear);
		bit = (bit / 64 + 1) * 64;
	}
	return CHUNK_BITS;
}

/* The first free extent in [from, end), or end. */
static uint32_t area_search(const struct quire_swap *swap,
			    const struct quire_swap_area *area, uint32_t from,
			    uint32_t end)
{
	while (from < end) {
		uint32_t chunk = from >> CHUNK_SHIFT;
		const uint64_t *bits = chunk_bits(swap, area, chunk);
		uint32_t bit = from & (CHUNK_BITS - 1);

		if (bits == NULL)
			return from;
		if (*chunk_count(swap, area, chunk) < CHUNK_BITS)
			bit = chunk_search(bits, bit);
		else
			bit = CHUNK_BITS;
		from = (chunk << CHUNK_SHIFT) + bit;
		if (bit < CHUNK_BITS)
			break;
	}
	return from < end ? from : end;
}

static bool area_is_usable(const struct quire_swap *swap,
			   const struct quire_swap_area *area)
{
	return !area->sealed && area->nr_used < area->nr_extents &&
	       round_now(swap) >= area->full_till;
}

/* The first bits of groups whose four bits are all clear. */
static uint64_t free_groups(uint64_t bits)
{
	uint64_t clear = ~bits;

	return clear & clear >> 1 & clear >> 2 & clear >> 3 & GROUP_FIRSTS;
}

/* The first free group in [from, end), both multiples of a group, or end. */
static uint32_t group_search(const struct quire_swap *swap,
			     const struct quire_swap_area *area, uint32_t from,
			     uint32_t end)
{
	while (from < end) {
		const uint64_t *bits = chunk_bits(swap, area, from >> CHUNK_SHIFT);
		uint64_t groups;

		if (bits == NULL)
			return from;
		groups = free_groups(bits[(from & (CHUNK_BITS - 1)) / 64]) >> (from % 64);
		if (groups != 0) {
			from += (uint32_t)__builtin_ctzll(groups);
			break;
		}
		from = (from / 64 + 1) * 64;
	}
	return from < end ? from : end;
}

/* A free group near enough to the start, or nr_extents. */
static uint32_t area_find_group(const struct quire_swap *swap,
				struct quire_swap_area *area)
{
	const uint32_t in_group = QUIRE_TRANSFER_EXTENTS - 1;
	uint64_t end = 2ull * area->nr_used + GROUPS_MIN * QUIRE_TRANSFER_EXTENTS;
	uint32_t extent;

	if (end > area->nr_extents)
		end = area->nr_extents;
	end &= ~(uint64_t)in_group;
	extent = group_search(swap, area, area->next_group, (uint32_t)end);
	area->next_group = extent;
	return extent < end ? extent : area->nr_extents;
}

static uint32_t area_find(const struct quire_swap *swap,
			  const struct quire_swap_area *area)
{
	uint32_t extent = area_search(swap, area, area->next, area->nr_extents);

	return extent < area->nr_extents ? extent
					 : area_search(swap, area, 0, area->next);
}

static void area_mark(struct quire_swap *swap, struct quire_swap_area *area,
		      uint32_t extent, uint32_t nr)
{
	uint64_t bits = (((uint64_t)1 << nr) - 1) << (extent % 64);
	uint32_t chunk = extent >> CHUNK_SHIFT;
	uint64_t *word = &chunk_bits(swap, area, chunk)[(extent & (CHUNK_BITS - 1)) / 64];

	QUIRE_ASSERT((*word & bits) == 0);
	*word |= bits;
	*chunk_count(swap, area, chunk) =
		(uint16_t)(*chunk_count(swap, area, chunk) + nr);
	area->nr_used += nr;
	swap->stats->swap_extents += nr;
}

static enum quire_status area_take(struct quire_swap *swap, struct quire_swap_area *area,
				   uint32_t max, uint32_t *out, uint32_t *nr)
{
	uint32_t extent = max > 1 ? area_find_group(swap, area) : area->nr_extents;

	*nr = max;
	if (extent == area->nr_extents) {
		extent = area_find(swap, area);
		*nr = 1;
	}
	QUIRE_ASSERT(extent < area->nr_extents);
	if (!chunk_reserve(swap, area, extent >> CHUNK_SHIFT))
		return QUIRE_NO_MEMORY;
	area_mark(swap, area, extent, *nr);
	if (*nr == 1)
		area->next = extent + 1;
	*out = extent;
	return QUIRE_OK;
}

bool qr_extent_is_taken(const struct quire_swap *swap, uint32_t area, uint32_t extent)
{
	const struct quire_swap_area *a = &swap->areas[area];
	const uint64_t *bits;

	if (area >= swap->nr_areas || extent >= a->nr_extents)
		return false;
	bits = chunk_bits(swap, a, extent >> CHUNK_SHIFT);
	return bits != NULL &&
	       (bits[(extent & (CHUNK_BITS - 1)) / 64] >> (extent % 64) & 1) != 0;
}

void qr_extent_give(struct quire_swap *swap, uint32_t area, uint32_t extent)
{
	struct quire_swap_area *a = &swap->areas[area];
	uint32_t chunk = extent >> CHUNK_SHIFT;

	QUIRE_ASSERT(qr_extent_is_taken(swap, area, extent));
	chunk_bits(swap, a, chunk)[(extent & (CHUNK_BITS - 1)) / 64] &=
		~((uint64_t)1 << (extent % 64));
	a->nr_used--;
	a->full_till = 0;
	if (extent < a->next)
		a->next = extent;
	if (extent < a->next_group)
		a->next_group = extent & ~(QUIRE_TRANSFER_EXTENTS - 1);
	if (--*chunk_count(swap, a, chunk) == 0) {
		qr_zone_free(swap->zone, (quire_pfn){*chunk_entry(swap, a, chunk)});
		*chunk_entry(swap, a, chunk) = NO_CHUNK;
	}
	if (a->nr_used == 0)
		directory_free(swap, a);
	swap->stats->swap_extents--;
}

void qr_extent_failed(struct quire_swap *swap, uint32_t area, uint32_t extent,
		      enum quire_status status)
{
	qr_extent_give(swap, area, extent);
	if (status == QUIRE_NO_SPACE) {
		swap->areas[area].full_till = round_now(swap) + 1;
		return;
	}
	swap->areas[area].next = extent + 1;
	swap->areas[area].next_group = (extent | (QUIRE_TRANSFER_EXTENTS - 1)) + 1;
}

/* Lets go of the lock.  A fork meanwhile makes the answer worthless. */
static void areas_unseal(struct quire_swap *swap)
{
	const struct quire_port *port = swap->port;

	for (uint32_t i = 0; i < swap->nr_areas; i++) {
		uint32_t nr_seals = swap->nr_seals;
		bool is_sole = true;

		if (!swap->areas[i].sealed)
			continue;
		if (port->swap_sole != NULL) {
			qr_unlock(swap->lock);
			is_sole = port->swap_sole(port->ctx, i);
			qr_lock(swap->lock);
		}
		if (is_sole && nr_seals == swap->nr_seals)
			swap->areas[i].sealed = false;
	}
}

static void area_add(struct quire_swap *swap, uint64_t nr_extents)
{
	uint32_t addressable = NR_CHUNKS * CHUNK_BITS;

	swap->areas[swap->nr_areas++] = (struct quire_swap_area){
		.nr_extents =
			nr_extents < addressable ? (uint32_t)nr_extents : addressable,
		.map = QUIRE_NO_FRAME,
	};
}

/* Lets go of the lock; where somebody else is at it, waits for him. */
static enum quire_status area_open(struct quire_swap *swap)
{
	const struct quire_port *port = swap->port;
	enum quire_status status;
	uint64_t nr_extents = 0;

	if (swap->opening) {
		qr_event_wait(&swap->opened, swap->lock);
		return QUIRE_OK;
	}
	if (swap->nr_areas == QUIRE_SWAP_AREAS || round_now(swap) < swap->open_from)
		return QUIRE_NO_SPACE;
	swap->opening = true;
	qr_unlock(swap->lock);
	status = port->swap_open(port->ctx, swap->nr_areas, &nr_extents);
	qr_lock(swap->lock);
	swap->opening = false;
	if (status == QUIRE_OK)
		area_add(swap, nr_extents);
	else
		swap->open_from = round_now(swap) + 1;
	qr_event_raise(&swap->opened, swap->lock);
	return status == QUIRE_OK || status == QUIRE_IO ? status : QUIRE_NO_SPACE;
}

enum quire_status qr_extents_take(struct quire_swap *swap, uint32_t max, uint32_t *area,
				  uint32_t *extent, uint32_t *nr)
{
	enum quire_status status = QUIRE_OK;

	if (++swap->nr_attempts % (1u << ROUND_SHIFT) == 0)
		areas_unseal(swap);
	while (status == QUIRE_OK) {
		for (uint32_t i = 0; i < swap->nr_areas; i++) {
			if (!area_is_usable(swap, &swap->areas[i]))
				continue;
			*area = i;
			return area_take(swap, &swap->areas[i], max, extent, nr);
		}
		status = area_open(swap);
	}
	return status;
}

uint32_t qr_extents_begin_write(struct quire_swap *swap, uint32_t area, uint32_t extent,
				uint32_t nr)
{
	uint32_t writer = 0;

	while (swap->writers[writer].nr != 0)
		QUIRE_ASSERT(++writer < QUIRE_SWAP_WRITERS);
	swap->writers[writer].area = area;
	swap->writers[writer].extent = extent;
	swap->writers[writer].nr = nr;
	swap->nr_writing++;
	return writer;
}

void qr_extents_end_write(struct quire_swap *swap, uint32_t writer)
{
	swap->writers[writer].nr = 0;
	swap->nr_writing--;
	swap->turn++;
}

static bool is_being_written(const struct quire_swap *swap, uint32_t area,
			     uint32_t extent)
{
	for (uint32_t i = 0; i < QUIRE_SWAP_WRITERS; i++)
		if (swap->writers[i].area == area &&
		    extent - swap->writers[i].extent < swap->writers[i].nr)
			return true;
	return false;
}

uint32_t qr_swap_readable(const struct quire_swap *swap, uint32_t area, uint32_t extent,
			  uint32_t max)
{
	uint32_t nr = 0;

	while (nr < max && qr_extent_is_taken(swap, area, extent + nr) &&
	       (swap->nr_writing == 0 || !is_being_written(swap, area, extent + nr)))
		nr++;
	return nr;
}

void qr_swap_areas_destroy(struct quire_swap *swap)
{
	for (uint32_t i = 0; i < swap->nr_areas; i++) {
		struct quire_swap_area *area = &swap->areas[i];

		if (area->map == QUIRE_NO_FRAME)
			continue;
		for (uint32_t chunk = 0; chunk < NR_CHUNKS; chunk++) {
			quire_pfn pfn = {*chunk_entry(swap, area, chunk)};

			if (pfn.n != NO_CHUNK)
				qr_zone_free(swap->zone, pfn);
		}
		directory_free(swap, area);
	}
	swap->nr_areas = 0;
}

void qr_swap_seal(struct quire_swap *swap)
{
	QUIRE_ASSERT(swap->nr_writing == 0 && !swap->opening);
	swap->nr_seals++;
	for (uint32_t i = 0; i < swap->nr_areas; i++)
		swap->areas[i].sealed = true;
}

/* A builtin would call the compiler's library where the processor has no instruction. */
static uint32_t count_bits(const uint64_t *words, uint32_t nr)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < nr; i++)
		for (uint64_t word = words[i]; word != 0; word &= word - 1)
			count++;
	return count;
}

static const char *area_validate(const struct quire_swap *swap,
				 const struct quire_swap_area *area)
{
	uint32_t nr_used = 0;

	for (uint32_t chunk = 0; area->map != QUIRE_NO_FRAME && chunk < NR_CHUNKS;
	     chunk++) {
		const uint64_t *bits = chunk_bits(swap, area, chunk);
		uint32_t nr;

		if (bits == NULL)
			continue;
		nr = count_bits(bits, CHUNK_BITS / 64);
		if (nr == 0 || nr != *chunk_count(swap, area, chunk))
			return "M1: a chunk's count is not that of its bits";
		nr_used += nr;
	}
	if (nr_used != area->nr_used || (nr_used == 0) != (area->map == QUIRE_NO_FRAME))
		return "M2: nr_used is not the sum over the chunks";
	return NULL;
}

const char *qr_swap_areas_validate(const struct quire_swap *swap, uint64_t *nr_taken)
{
	for (uint32_t i = 0; i < swap->nr_areas; i++) {
		const char *wrong = area_validate(swap, &swap->areas[i]);

		if (wrong != NULL)
			return wrong;
		*nr_taken += swap->areas[i].nr_used;
	}
	return NULL;
}
