/* SPDX-License-Identifier: MIT */
/* areas.c - the ground's own note of which addresses belong to areas: a sorted array,
 * rebuilt at each change. */
#include "ports/soft/parts.h"

#include <stdlib.h>

/* Appends to the list being built; joins what touches and is alike. */
static void append(struct qr_soft_areas *to, uint64_t start, uint64_t end, uint32_t prot)
{
	struct qr_soft_area *last = to->nr == 0 ? NULL : &to->at[to->nr - 1];

	if (start >= end)
		return;
	if (last != NULL && last->end == start && last->prot == prot)
		last->end = end;
	else
		to->at[to->nr++] = (struct qr_soft_area){start, end, prot};
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool qr_soft_areas_set(struct qr_soft_areas *areas, struct quire_range range,
		       uint32_t prot)
{
	uint64_t start = range.start.a, end = range.end.a;
	struct qr_soft_areas new = {.room = areas->nr + 2};
	bool placed = prot == QUIRE_PROT_GONE;

	new.at = calloc(new.room, sizeof(*new.at));
	if (new.at == NULL)
		return false;
	for (uint32_t i = 0; i < areas->nr; i++) {
		const struct qr_soft_area *old = &areas->at[i];

		append(&new, old->start, least(old->end, start), old->prot);
		if (!placed && old->end > start) {
			append(&new, start, end, prot);
			placed = true;
		}
		append(&new, most(old->start, end), old->end, old->prot);
	}
	if (!placed)
		append(&new, start, end, prot);
	free(areas->at);
	*areas = new;
	return true;
}

const struct qr_soft_area *qr_soft_areas_find(const struct qr_soft_areas *areas,
					      uint64_t page)
{
	uint32_t low = 0, high = areas->nr;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (areas->at[middle].end <= page)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == areas->nr || areas->at[low].start > page)
		return NULL;
	return &areas->at[low];
}
