/* SPDX-License-Identifier: MIT */
/* choose.c - where and how much. */
#include "tests/model/driver.h"

static uint32_t choose_length(struct driver *d)
{
	switch (source_below(d->source, 8)) {
	case 0:
		return 1;
	case 1:
	case 2:
	case 3:
		return 1 + source_below(d->source, DRIVER_RANGE_MAX);
	case 4:
		return 1 + source_below(d->source, 64);
	default:
		return 1 + source_below(d->source, 12);
	}
}

static struct driver_range clip(const struct driver *d, uint32_t first, uint32_t nr)
{
	uint32_t left = d->first + d->nr - first;

	return (struct driver_range){first, nr < left ? nr : left};
}

struct driver_range driver_choose(struct driver *d)
{
	uint32_t first = d->first + source_below(d->source, d->nr);

	return clip(d, first, choose_length(d));
}

struct driver_range driver_choose_ours(struct driver *d)
{
	uint32_t at = source_below(d->source, d->nr);
	uint32_t nr = choose_length(d);

	for (uint32_t i = 0; i < d->nr; i++) {
		uint32_t page = d->first + (at + i) % d->nr;

		if (d->flat.pages[page].kind == FLAT_OURS)
			return clip(d, page, nr);
	}
	return clip(d, d->first + at, nr);
}

uint32_t driver_choose_prot(struct driver *d)
{
	static const uint8_t prots[8] = {
		QUIRE_READ | QUIRE_WRITE,
		QUIRE_READ | QUIRE_WRITE,
		QUIRE_READ | QUIRE_WRITE,
		QUIRE_READ | QUIRE_WRITE,
		QUIRE_READ | QUIRE_WRITE | QUIRE_EXEC,
		QUIRE_READ,
		QUIRE_READ | QUIRE_EXEC,
		0,
	};

	return prots[source_below(d->source, 8)];
}
