/* SPDX-License-Identifier: MIT */
/* advise.c - madvise, mlock and mincore: what the program knows about its pages. */
#include "core/base/assert.h"
#include "core/space/space.h"

/* Gives the part of each area that lies in range the marks (old & ~clear) | set.  The
 * range is covered and three records are reserved for each area it cuts: its two ends. */
static void mark(struct quire_space *space, struct quire_range range, uint32_t clear,
		 uint32_t set)
{
	uint64_t va = range.start.a;

	while (va < range.end.a) {
		const struct quire_area *a = qr_areas_find(&space->areas, va);
		uint64_t end = a->end < range.end.a ? a->end : range.end.a;

		qr_areas_change(&space->areas, va, end, a->prot,
				(a->marks & ~clear) | set);
		va = end;
	}
	space->stats->areas = space->areas.pool.nr_used;
}

static uint64_t locked_bytes(struct quire_space *space, struct quire_range range)
{
	const struct quire_area *a = qr_areas_first(&space->areas, range.start.a);
	uint64_t sum = 0;

	for (; a != NULL && a->start < range.end.a;
	     a = qr_areas_first(&space->areas, a->end)) {
		uint64_t start = a->start > range.start.a ? a->start : range.start.a;
		uint64_t end = a->end < range.end.a ? a->end : range.end.a;

		if ((a->marks & QUIRE_AREA_LOCKED) != 0)
			sum += end - start;
	}
	return sum;
}

static void make_cold(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct quire_space *space = ctx;
	quire_entry e = leaf->entries[index];

	if (qr_entry_is_present(e) && !qr_entry_is_busy(e))
		qr_leaf_set(&space->tables, leaf, index,
			    qr_entry_set_credit(qr_entry_set_frequency(e, 0), 0));
}

static enum quire_status discard(struct quire_space *space, struct quire_range range)
{
	qr_space_settle_turn(space, range);
	if (!qr_space_is_covered(space, range))
		return QUIRE_NO_MEMORY;
	if (locked_bytes(space, range) != 0)
		return QUIRE_INVALID;
	qr_space_drop(space, range);
	return QUIRE_OK;
}

static enum quire_status mark_reading(struct quire_space *space, struct quire_range range,
				      uint32_t how)
{
	if (!qr_areas_reserve(&space->areas, 3, QUIRE_ALLOC_URGENT))
		return QUIRE_NO_MEMORY;
	mark(space, range, QUIRE_AREA_RANDOM | QUIRE_AREA_SEQUENTIAL, how);
	return QUIRE_OK;
}

enum quire_status qr_space_advise(struct quire_space *space, struct quire_range range,
				  enum quire_advice advice)
{
	if (!qr_space_is_covered(space, range))
		return QUIRE_NO_MEMORY;
	switch (advice) {
	case QUIRE_ADVICE_NORMAL:
		return mark_reading(space, range, 0);
	case QUIRE_ADVICE_RANDOM:
		return mark_reading(space, range, QUIRE_AREA_RANDOM);
	case QUIRE_ADVICE_SEQUENTIAL:
		return mark_reading(space, range, QUIRE_AREA_SEQUENTIAL);
	case QUIRE_ADVICE_DONTNEED:
	case QUIRE_ADVICE_FREE:
		return discard(space, range);
	case QUIRE_ADVICE_COLD:
	case QUIRE_ADVICE_PAGEOUT:
		qr_space_each(space, range, make_cold, space);
		return QUIRE_OK;
	}
	return QUIRE_INVALID;
}

/* Locked pages must leave the page-out daemon something to work with. */
uint64_t qr_space_lockable(const struct quire_space *space)
{
	const struct quire_zone *zone = space->zone;
	uint64_t kept = space->stats->frames_meta + 4ull * zone->high;

	return kept < zone->buddy.nr_frames
		       ? (zone->buddy.nr_frames - kept) << QUIRE_PAGE_SHIFT
		       : 0;
}

enum quire_status qr_space_mlock(struct quire_space *space, struct quire_range range,
				 bool on)
{
	uint64_t had, has = on ? range.end.a - range.start.a : 0;

	if (on)
		qr_space_settle_turn(space, range);
	had = locked_bytes(space, range);
	if (!qr_space_is_covered(space, range))
		return QUIRE_NO_MEMORY;
	if (on && space->stats->locked_bytes - had + has > qr_space_lockable(space))
		return QUIRE_NO_MEMORY;
	if (!qr_areas_reserve(&space->areas, 3, QUIRE_ALLOC_URGENT))
		return QUIRE_NO_MEMORY;
	mark(space, range, QUIRE_AREA_LOCKED, on ? QUIRE_AREA_LOCKED : 0);
	space->stats->locked_bytes += has - had;
	return QUIRE_OK;
}

static enum quire_status lock_each(struct quire_space *space, bool on)
{
	const struct quire_area *a = qr_areas_first(&space->areas, 0);

	while (a != NULL) {
		struct quire_range range = {{a->start}, {a->end}};

		if ((a->marks & QUIRE_AREA_FOREIGN) == 0) {
			enum quire_status status = qr_space_mlock(space, range, on);

			if (status != QUIRE_OK)
				return status;
		}
		a = qr_areas_first(&space->areas, range.end.a);
	}
	return QUIRE_OK;
}

static bool all_are_lockable(struct quire_space *space)
{
	const struct quire_range all = {{space->areas.floor}, {space->areas.ceiling}};
	const struct quire_area *a = qr_areas_first(&space->areas, 0);
	uint64_t bytes = 0;

	for (; a != NULL; a = qr_areas_first(&space->areas, a->end))
		if ((a->marks & QUIRE_AREA_FOREIGN) == 0)
			bytes += a->end - a->start;
	return bytes <= qr_space_lockable(space) || locked_bytes(space, all) == bytes;
}

enum quire_status qr_space_mlock_all(struct quire_space *space, bool current, bool future)
{
	if (current && !all_are_lockable(space))
		return QUIRE_NO_MEMORY;
	space->marks_future = future ? QUIRE_AREA_LOCKED : 0;
	if (current)
		return lock_each(space, true);
	return future ? QUIRE_OK : lock_each(space, false);
}

enum quire_status qr_space_resident(struct quire_space *space, struct quire_range range,
				    uint64_t *bits)
{
	uint64_t found = 0;

	if (!qr_space_is_covered(space, range))
		return QUIRE_NO_MEMORY;
	for (uint64_t va = range.start.a; va < range.end.a; va += QUIRE_PAGE_BYTES) {
		uint64_t page = (va - range.start.a) >> QUIRE_PAGE_SHIFT;
		struct qr_leaf leaf;

		QUIRE_ASSERT(page < 64);
		if (qr_tables_leaf(&space->tables, (quire_vaddr){va}, &leaf) &&
		    qr_entry_is_present(leaf.entries[qr_leaf_index((quire_vaddr){va})]))
			found |= 1ull << page;
	}
	*bits = found;
	return QUIRE_OK;
}
