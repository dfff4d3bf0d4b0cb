/* SPDX-License-Identifier: MIT */
/* ahead.c - windows of swap-in. */
#include "core/files/ahead.h"

#define LAST_MASK ((1u << QR_AHEAD_LAST_BITS) - 1)

/* The fewest that are read after a hit. */
#define WINDOW_AFTER_HIT 4u

/* Pages from the last fault to this one, as far as they are told apart. */
static uint32_t distance(const struct qr_ahead *ahead, uint64_t page)
{
	return ((uint32_t)page - ahead->last) & LAST_MASK;
}

static uint32_t pages_next(const struct qr_ahead *ahead, uint64_t page, uint32_t max)
{
	uint32_t nr = WINDOW_AFTER_HIT, way = distance(ahead, page);

	if (ahead->hits == 0)
		nr = ahead->window != 0 && (way == 1 || way == LAST_MASK) ? 2 : 1;
	else
		while (nr < ahead->hits + 2u)
			nr *= 2;
	if (nr > max)
		nr = max;
	return nr < ahead->window / 2 ? ahead->window / 2 : nr;
}

/* Where a window of nr pages begins. */
static uint64_t first_of(const struct qr_ahead *ahead, uint64_t page, uint32_t nr)
{
	uint32_t way = distance(ahead, page), before = (nr - 1) / 2;

	if (way == 1)
		before = 0;
	else if (way == LAST_MASK)
		before = nr - 1;
	return page < before ? 0 : page - before;
}

struct qr_window qr_ahead_plan(struct qr_ahead *ahead, uint64_t page, uint32_t max,
			       enum qr_ahead_how how)
{
	struct qr_window window = {.first = page, .nr = 1};

	if (how == QR_AHEAD_FAR) {
		window.nr = max;
	} else if (how == QR_AHEAD_AROUND) {
		window.nr = pages_next(ahead, page, max);
		window.first = first_of(ahead, page, window.nr);
	}
	*ahead = (struct qr_ahead){.last = page & LAST_MASK, .window = window.nr & 63u};
	return window;
}

void qr_ahead_note(struct qr_ahead *ahead, uint64_t page, bool is_hit)
{
	ahead->last = page & LAST_MASK;
	if (is_hit && ahead->hits < QR_AHEAD_HITS_MAX)
		ahead->hits = (ahead->hits + 1u) & QR_AHEAD_HITS_MAX;
}
