/* SPDX-License-Identifier: MIT */
/* locks.c - mlock and mincore against the model, and the list of areas. */
#include "tests/model/driver.h"

#include <string.h>

static void set_locked(struct driver *d, struct driver_range range, bool on)
{
	for (uint32_t i = range.first; i < range.first + range.nr; i++) {
		d->flat.pages[i].locked = on;
		d->flat.pages[i].stays = d->flat.pages[i].stays && on;
	}
}

/* With others at work nobody knows how much is locked, and so whether an access may lack
 * memory: only a few pages are locked then. */
#define SHARED_LOCK_PAGES 8u

void driver_mlock(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	bool on = source_one_in(d->source, 3) &&
		  (!d->is_shared || (range.nr <= SHARED_LOCK_PAGES &&
				     flat_count(&d->flat, FLAT_OURS, true) == 0));
	bool covered = flat_is_all(&d->flat, range.first, range.nr, FLAT_OURS);
	enum quire_status status =
		quire_mlock(d->rig->q, flat_va(&d->flat, range.first),
			    (uint64_t)range.nr << QUIRE_PAGE_SHIFT, on);

	if (status == QUIRE_OK && covered)
		set_locked(d, range, on);
	/* Locking may be refused: only so much of the memory can be held. */
	else if (status != QUIRE_NO_MEMORY ||
		 (covered && !on && d->rig->config.fail == RIG_NONE))
		rig_fail(d->rig, "mlock %d: status %d, covered %d", on, (int)status,
			 covered);
}

/* Takes over which areas are locked: a call over all of them may stop on the way. */
static void read_locked(struct driver *d)
{
	struct quire_area_info info;
	quire_vaddr at = {0};

	while (quire_area_next(d->rig->q, at, &info)) {
		uint32_t first = flat_number(&d->flat, info.range.start);
		uint32_t end = flat_number(&d->flat, info.range.end);

		if (!info.foreign)
			set_locked(d, (struct driver_range){first, end - first},
				   info.locked);
		at = info.range.end;
	}
}

void driver_mlock_all(struct driver *d)
{
	bool current = source_one_in(d->source, 4);
	bool future = source_one_in(d->source, 4);
	enum quire_status status;

	if (d->is_shared || !source_one_in(d->source, 4))
		return;
	status = quire_mlock_all(d->rig->q, current, future);
	if (status != QUIRE_OK && status != QUIRE_NO_MEMORY)
		rig_fail(d->rig, "mlock_all: status %d", (int)status);
	if (status == QUIRE_OK)
		d->locks_future = future;
	read_locked(d);
	if (status == QUIRE_OK && (current || !future) &&
	    flat_count(&d->flat, FLAT_OURS, true) !=
		    (current ? flat_count(&d->flat, FLAT_OURS, false) : 0))
		rig_fail(d->rig, "mlock_all: not all areas follow");
}

void driver_mincore(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	bool covered = flat_is_all(&d->flat, range.first, range.nr, FLAT_OURS);
	unsigned char vec[DRIVER_RANGE_MAX];
	enum quire_status status;

	memset(vec, 0xff, sizeof(vec));
	status = quire_mincore(d->rig->q, flat_va(&d->flat, range.first),
			       (uint64_t)range.nr << QUIRE_PAGE_SHIFT, vec);
	if (status != (covered ? QUIRE_OK : QUIRE_NO_MEMORY))
		rig_fail(d->rig, "mincore: status %d, covered %d", (int)status, covered);
	for (uint32_t i = 0; i < range.nr && covered; i++) {
		if (vec[i] > 1)
			rig_fail(d->rig, "mincore: byte %u was not written", i);
		if (vec[i] == 0 && d->flat.pages[range.first + i].stays)
			rig_fail(d->rig, "mincore: a locked page is out");
	}
}

/* The first page from at on that the model has in an area. */
static uint32_t next_taken(const struct driver *d, uint32_t at)
{
	while (at < d->flat.nr_pages && d->flat.pages[at].kind == FLAT_FREE)
		at++;
	return at;
}

void driver_check_areas(struct driver *d)
{
	struct quire_area_info info;
	quire_vaddr at = {0};
	uint32_t page = 0;

	if (d->is_shared)
		return;
	while (quire_area_next(d->rig->q, at, &info)) {
		page = next_taken(d, page);
		for (; at.a < info.range.end.a; page++) {
			const struct flat_page *p = &d->flat.pages[page];
			quire_vaddr start = flat_va(&d->flat, page);

			if (page == d->flat.nr_pages ||
			    (at.a < info.range.start.a && start.a != info.range.start.a))
				rig_fail(d->rig, "the list of areas has other ranges");
			if (p->kind != (info.foreign ? FLAT_FOREIGN : FLAT_OURS) ||
			    p->prot != info.prot || p->locked != info.locked)
				rig_fail(d->rig, "the area of page %u is another", page);
			at.a = start.a + QUIRE_PAGE_BYTES;
		}
	}
	if (next_taken(d, page) != d->flat.nr_pages)
		rig_fail(d->rig, "the list of areas lacks page %u", next_taken(d, page));
}
