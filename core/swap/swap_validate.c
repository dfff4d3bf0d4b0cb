/* SPDX-License-Identifier: MIT */
/* swap_validate.c - the walks that prove S1 to S4. */
#include "core/base/memory.h"
#include "core/swap/zspage.h"

/* Sums over all zspages, to be held against the account. */
struct tally {
	uint64_t stored_pages, stored_bytes, spilled_pages;
	uint64_t on_device, sealed, open, full, full_raw;
	uint64_t frames, frames_raw;
};

static const char *count_slots(struct quire_swap *swap)
{
	for (uint32_t n = qr_pool_next(&swap->zspages, 0); n != 0;
	     n = qr_pool_next(&swap->zspages, n))
		qr_zspage_at(swap, n)->nr_seen = 0;

	for (uint32_t n = qr_pool_next(&swap->slots, 0); n != 0;
	     n = qr_pool_next(&swap->slots, n)) {
		uint32_t object = *qr_slot_object(swap, n);
		struct qr_zspage *z = qr_zspage_at(swap, qr_object_zspage(object));

		if (qr_object_index(object) >= z->bump)
			return "S1: a slot names an object that was never cut off";
		z->nr_seen++;
	}
	return NULL;
}

static uint32_t count_frames(const struct qr_zspage *z)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < QUIRE_EXTENT_FRAMES; i++)
		nr += z->frames[i] != QUIRE_NO_FRAME;
	return nr;
}

/* The length of the free list, or UINT32_MAX where it leads astray. */
static uint32_t count_free(const struct quire_swap *swap, const struct qr_zspage *z)
{
	uint16_t index = z->free_head;
	uint32_t nr = 0;

	while (index != QUIRE_NO_OBJECT) {
		if (index >= z->bump || nr++ >= z->bump)
			return UINT32_MAX;
		qr_zspage_read(swap, z, qr_object_offset(z, index), &index,
			       sizeof(index));
	}
	return nr;
}

static const char *check_in_ram(const struct quire_swap *swap, const struct qr_zspage *z)
{
	/* What dies in a sealed zspage is on no list. */
	if (z->state == QUIRE_ZSPAGE_SEALED)
		return NULL;
	if (z->nr_live == 0)
		return "S2: a zspage with nothing in it is kept";
	if (qr_zspage_is_full(z) != (z->state == QUIRE_ZSPAGE_FULL))
		return "S2: a zspage is full and open, or neither";
	if (qr_zspage_is_raw(z) ? count_frames(z) != z->nr_live
				: count_free(swap, z) + z->nr_live != z->bump)
		return "S1: live and free objects are not what was cut off";
	return NULL;
}

static const char *check_zspage(const struct quire_swap *swap, const struct qr_zspage *z,
				struct tally *tally)
{
	uint32_t frames;

	if (z->nr_seen != z->nr_live)
		return "S1: nr_live is not the number of slots";
	if (z->state == QUIRE_ZSPAGE_ON_DEVICE) {
		tally->on_device++;
		tally->spilled_pages += z->nr_live;
		if (z->nr_live == 0)
			return "S2: a zspage with nothing in it is kept";
		return qr_extent_is_taken(swap, z->area, z->extent)
			       ? NULL
			       : "S3: the extent of a zspage is free";
	}
	frames = count_frames(z);
	tally->stored_pages += z->nr_live;
	tally->stored_bytes += z->live_bytes;
	tally->frames += frames;
	tally->frames_raw += qr_zspage_is_raw(z) ? frames : 0;
	tally->sealed += z->state == QUIRE_ZSPAGE_SEALED;
	tally->open += z->state == QUIRE_ZSPAGE_OPEN;
	tally->full += z->state == QUIRE_ZSPAGE_FULL && !qr_zspage_is_raw(z);
	tally->full_raw += z->state == QUIRE_ZSPAGE_FULL && qr_zspage_is_raw(z);
	return check_in_ram(swap, z);
}

/* The length of a list of which all have this state, or UINT64_MAX. */
static uint64_t list_length(const struct quire_swap *swap,
			    const struct qr_zspage_list *list, uint8_t state)
{
	uint32_t prev = 0;
	uint64_t nr = 0;

	for (uint32_t number = list->first; number != 0;) {
		const struct qr_zspage *z = qr_zspage_at(swap, number);

		if (z->state != state || z->prev != prev || nr++ >= swap->zspages.nr_used)
			return UINT64_MAX;
		prev = number;
		number = z->next;
	}
	return prev == list->last ? nr : UINT64_MAX;
}

static const char *check_lists(const struct quire_swap *swap, const struct tally *tally)
{
	uint64_t nr_open = 0;

	for (uint32_t c = 0; c < QUIRE_SWAP_CLASSES; c++) {
		uint64_t nr = list_length(swap, &swap->open[c], QUIRE_ZSPAGE_OPEN);

		if (nr == UINT64_MAX)
			return "S2: a list of open zspages is broken";
		nr_open += nr;
	}
	if (nr_open != tally->open)
		return "S2: an open zspage is on no list";
	if (list_length(swap, &swap->full, QUIRE_ZSPAGE_FULL) != tally->full ||
	    list_length(swap, &swap->full_raw, QUIRE_ZSPAGE_FULL) != tally->full_raw)
		return "S2: a full zspage is on no list";
	if (tally->sealed != swap->nr_writing)
		return "S2: a sealed zspage is not being written";
	return NULL;
}

static const char *check_stats(const struct quire_swap *swap, const struct tally *tally,
			       uint64_t nr_taken)
{
	const struct quire_stats *stats = swap->stats;

	if (nr_taken != tally->on_device + tally->sealed)
		return "S3: an extent is taken and no zspage is there";
	if (stats->swap_extents != nr_taken)
		return "S4: swap_extents";
	if (stats->stored_pages != tally->stored_pages)
		return "S4: stored_pages";
	if (stats->stored_bytes != tally->stored_bytes)
		return "S4: stored_bytes";
	if (stats->spilled_pages != tally->spilled_pages)
		return "S4: spilled_pages";
	if (stats->frames_store != tally->frames || swap->frames_raw != tally->frames_raw)
		return "S4: frames_store";
	return NULL;
}

static const char *check_pools(const struct quire_swap *swap)
{
	const char *wrong = qr_pool_validate(&swap->slots);

	if (wrong == NULL)
		wrong = qr_pool_validate(&swap->zspages);
	if (wrong == NULL)
		wrong = qr_pool_validate(&swap->shared);
	return wrong;
}

const char *qr_swap_validate(struct quire_swap *swap)
{
	struct tally tally = {0};
	uint64_t nr_taken = 0;
	const char *wrong = check_pools(swap);

	if (wrong == NULL)
		wrong = count_slots(swap);
	for (uint32_t n = qr_pool_next(&swap->zspages, 0); wrong == NULL && n != 0;
	     n = qr_pool_next(&swap->zspages, n))
		wrong = check_zspage(swap, qr_zspage_at(swap, n), &tally);
	if (wrong == NULL)
		wrong = check_lists(swap, &tally);
	if (wrong == NULL)
		wrong = qr_swap_areas_validate(swap, &nr_taken);
	if (wrong == NULL)
		wrong = check_stats(swap, &tally, nr_taken);
	return wrong;
}
