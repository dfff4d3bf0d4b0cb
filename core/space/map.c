/* SPDX-License-Identifier: MIT */
/* map.c - mmap, munmap, mprotect and brk: areas made, cut and changed. */
#include "core/base/assert.h"
#include "core/space/space.h"

/* Areas from here on get unused space of their own size behind them, so that they can
 * grow in place: addresses cost nothing, moving a large area does. */
#define ROOMY_BYTES (1ull << 20)
/* But not more than this, lest a few huge ones use up the window. */
#define ROOM_MAX (64ull << 30)

/* The part of the window kept for the break. */
#define BRK_SHARE 16

static uint64_t page_round(uint64_t bytes)
{
	return (bytes + QUIRE_PAGE_BYTES - 1) & ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
}

enum quire_status qr_space_init(struct quire_space *space, struct quire_range window)
{
	uint64_t share = (window.end.a - window.start.a) / BRK_SHARE;
	uint64_t mmap_base = window.start.a + (share & ~(QUIRE_LEAF_BYTES - 1));

	if (!qr_tables_init(&space->tables, space->zone))
		return QUIRE_NO_MEMORY;
	qr_areas_init(&space->areas, space->zone, window.start.a, window.end.a);
	if (!qr_areas_reserve(&space->areas, 1, QUIRE_ALLOC_RESERVE)) {
		qr_tables_destroy(&space->tables);
		return QUIRE_NO_MEMORY;
	}
	space->brk.start = space->brk.end = window.start;
	space->brk_limit = mmap_base;
	if (mmap_base > window.start.a)
		qr_areas_insert(&space->areas, window.start.a, mmap_base, 0,
				QUIRE_AREA_FOREIGN);
	return QUIRE_OK;
}

void qr_space_destroy(struct quire_space *space)
{
	uint64_t floor = space->brk.start.a;

	qr_space_drop(space, (struct quire_range){{floor}, {space->areas.ceiling}});
	qr_areas_destroy(&space->areas);
	qr_tables_destroy(&space->tables);
}

bool qr_space_range(const struct quire_space *space, quire_vaddr start, uint64_t bytes,
		    struct quire_range *out)
{
	uint64_t rounded = page_round(bytes);

	if ((start.a & (QUIRE_PAGE_BYTES - 1)) != 0 || rounded < bytes)
		return false;
	if (start.a < space->brk.start.a || start.a > space->areas.ceiling ||
	    rounded > space->areas.ceiling - start.a)
		return false;
	*out = (struct quire_range){start, {start.a + rounded}};
	return true;
}

static void account_areas(struct quire_space *space, int64_t bytes, uint32_t marks)
{
	struct quire_stats *stats = space->stats;

	stats->areas = space->areas.pool.nr_used;
	if ((marks & QUIRE_AREA_FOREIGN) != 0)
		return;
	stats->mapped_bytes += (uint64_t)bytes;
	if ((marks & QUIRE_AREA_LOCKED) != 0)
		stats->locked_bytes += (uint64_t)bytes;
}

/* Takes the areas of the range out of the account. */
static void account_removed(struct quire_space *space, struct quire_range range)
{
	const struct quire_area *a = qr_areas_first(&space->areas, range.start.a);

	while (a != NULL && a->start < range.end.a) {
		uint64_t start = a->start > range.start.a ? a->start : range.start.a;
		uint64_t end = a->end < range.end.a ? a->end : range.end.a;

		account_areas(space, -(int64_t)(end - start), a->marks);
		a = qr_areas_first(&space->areas, a->end);
	}
}

void qr_space_wait_turn(struct quire_space *space)
{
	while (space->is_changing)
		qr_event_wait(&space->settled, space->lock);
}

enum quire_status qr_space_unmap(struct quire_space *space, struct quire_range range)
{
	enum quire_status status;

	if (qr_areas_are_free(&space->areas, range.start.a, range.end.a))
		return QUIRE_OK;
	qr_space_settle_turn(space, range);
	if (!qr_areas_reserve(&space->areas, 2, QUIRE_ALLOC_RESERVE))
		return QUIRE_NO_MEMORY;
	qr_space_hide(space, range, true);
	status = space->port->area_set(space->port->ctx, range, QUIRE_PROT_GONE);
	if (status != QUIRE_OK) {
		qr_space_hide(space, range, false);
		return status;
	}
	qr_space_forget(space, range);
	account_removed(space, range);
	qr_areas_remove(&space->areas, range.start.a, range.end.a);
	account_areas(space, 0, 0);
	return QUIRE_OK;
}

static uint64_t find_place(struct quire_space *space, quire_vaddr hint, uint64_t bytes,
			   uint64_t align)
{
	uint64_t room = bytes < ROOMY_BYTES ? 0 : bytes < ROOM_MAX ? bytes : ROOM_MAX;
	struct quire_range range;
	uint64_t at;

	if (hint.a != 0 && (hint.a & (align - 1)) == 0 &&
	    qr_space_range(space, hint, bytes, &range) &&
	    qr_areas_are_free(&space->areas, range.start.a, range.end.a))
		return hint.a;
	at = qr_areas_gap(&space->areas, bytes + room, align);
	return at != 0 ? at : qr_areas_gap(&space->areas, bytes, align);
}

static enum quire_status place_fixed(struct quire_space *space, quire_vaddr hint,
				     uint64_t bytes, uint32_t flags)
{
	struct quire_range range;

	if (!qr_space_range(space, hint, bytes, &range))
		return QUIRE_INVALID;
	if (qr_areas_are_free(&space->areas, range.start.a, range.end.a))
		return QUIRE_OK;
	return (flags & QUIRE_MAP_NOREPLACE) != 0 ? QUIRE_EXISTS
						  : qr_space_unmap(space, range);
}

static uint32_t marks_of(const struct quire_space *space, uint32_t flags)
{
	if ((flags & QUIRE_MAP_FOREIGN) != 0)
		return QUIRE_AREA_FOREIGN;
	return space->marks_future |
	       ((flags & QUIRE_MAP_LOCKED) != 0 ? QUIRE_AREA_LOCKED : 0);
}

enum quire_status qr_space_insert(struct quire_space *space, struct quire_range range,
				  uint32_t prot, uint32_t marks)
{
	enum quire_status status;

	if ((marks & QUIRE_AREA_LOCKED) != 0 &&
	    space->stats->locked_bytes + (range.end.a - range.start.a) >
		    qr_space_lockable(space))
		return QUIRE_NO_MEMORY;
	if (!qr_areas_reserve(&space->areas, 1, QUIRE_ALLOC_URGENT))
		return QUIRE_NO_MEMORY;
	status = space->port->area_set(space->port->ctx, range, prot);
	if (status != QUIRE_OK)
		return status;
	qr_areas_insert(&space->areas, range.start.a, range.end.a, prot, marks);
	account_areas(space, (int64_t)(range.end.a - range.start.a), marks);
	return QUIRE_OK;
}

enum quire_status qr_space_place(struct quire_space *space, quire_vaddr hint,
				 uint64_t bytes, uint32_t flags, uint64_t align,
				 uint64_t *at)
{
	enum quire_status status = QUIRE_OK;

	if (bytes > space->areas.ceiling || align > space->areas.ceiling)
		return QUIRE_NO_MEMORY;
	*at = hint.a;
	if ((flags & (QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE)) != 0)
		status = place_fixed(space, hint, bytes, flags);
	else if ((*at = find_place(space, hint, bytes, align)) == 0)
		status = QUIRE_NO_MEMORY;
	return status;
}

enum quire_status qr_space_map(struct quire_space *space, quire_vaddr hint,
			       uint64_t bytes, uint32_t prot, uint32_t flags,
			       uint64_t align, quire_vaddr *out)
{
	uint64_t rounded = page_round(bytes);
	enum quire_status status;
	uint64_t at;

	if (align == 0)
		align = QUIRE_PAGE_BYTES;
	if (rounded == 0 || (align & (align - 1)) != 0 || align < QUIRE_PAGE_BYTES)
		return bytes > rounded ? QUIRE_NO_MEMORY : QUIRE_INVALID;
	if ((marks_of(space, flags) & QUIRE_AREA_LOCKED) != 0 &&
	    space->stats->locked_bytes + rounded > qr_space_lockable(space))
		return QUIRE_NO_MEMORY;
	status = qr_space_place(space, hint, rounded, flags, align, &at);
	if (status != QUIRE_OK)
		return status;
	status = qr_space_insert(space, (struct quire_range){{at}, {at + rounded}}, prot,
				 marks_of(space, flags));
	if (status == QUIRE_OK)
		*out = (quire_vaddr){at};
	return status;
}

struct restriction {
	const struct quire_tables *tables;
	uint64_t lost; /* flags of entries */
};

static void restrict_entry(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	const struct restriction *r = ctx;
	quire_entry e = leaf->entries[index];

	if (qr_entry_is_present(e))
		qr_leaf_set(r->tables, leaf, index, qr_entry_without(e, r->lost));
}

/* Where the ground walks the tables: what prot forbids goes at once, what it allows
 * comes back fault by fault. */
static void restrict_pages(struct quire_space *space, struct quire_range range,
			   uint32_t prot)
{
	struct quire_run run = {range.start,
				(range.end.a - range.start.a) >> QUIRE_PAGE_SHIFT};
	struct restriction r = {&space->tables, 0};

	if ((space->port->caps & QUIRE_PORT_COPIES) != 0)
		return;
	if ((prot & QUIRE_WRITE) == 0)
		r.lost |= QUIRE_ENTRY_WRITABLE;
	if (prot == 0)
		r.lost |= QUIRE_ENTRY_USER;
	if (r.lost == 0)
		return;
	qr_space_each(space, range, restrict_entry, &r);
	space->port->protect(space->port->ctx, &run, 1, true);
}

enum quire_status qr_space_protect(struct quire_space *space, struct quire_range range,
				   uint32_t prot)
{
	uint64_t va = range.start.a;
	enum quire_status status;

	/* An evictor may be reading pages of the range where they are. */
	qr_space_settle_turn(space, range);
	if (!qr_space_is_covered(space, range))
		return QUIRE_NO_MEMORY;
	if (!qr_areas_reserve(&space->areas, 3, QUIRE_ALLOC_URGENT))
		return QUIRE_NO_MEMORY;
	status = space->port->area_set(space->port->ctx, range, prot);
	if (status != QUIRE_OK)
		return status;
	while (va < range.end.a) {
		const struct quire_area *a = qr_areas_find(&space->areas, va);
		uint64_t end = a->end < range.end.a ? a->end : range.end.a;

		qr_areas_change(&space->areas, va, end, prot, a->marks);
		va = end;
	}
	restrict_pages(space, range, prot);
	account_areas(space, 0, 0);
	return QUIRE_OK;
}

/* The unused part of the break's addresses is an area that nobody may touch: it keeps
 * other areas out. */
static enum quire_status brk_grow(struct quire_space *space, uint64_t from, uint64_t to)
{
	const struct quire_area *kept = qr_areas_find(&space->areas, from);
	enum quire_status status;

	if (from == to)
		return QUIRE_OK;
	if (kept == NULL || (kept->marks & QUIRE_AREA_FOREIGN) == 0 || kept->end < to)
		return QUIRE_NO_MEMORY;
	if (!qr_areas_reserve(&space->areas, 3, QUIRE_ALLOC_URGENT))
		return QUIRE_NO_MEMORY;
	qr_areas_remove(&space->areas, from, to);
	status = qr_space_insert(space, (struct quire_range){{from}, {to}},
				 QUIRE_READ | QUIRE_WRITE, space->marks_future);
	if (status != QUIRE_OK)
		qr_areas_insert(&space->areas, from, to, 0, QUIRE_AREA_FOREIGN);
	return status;
}

static enum quire_status brk_shrink(struct quire_space *space, uint64_t from, uint64_t to)
{
	enum quire_status status;

	if (!qr_areas_reserve(&space->areas, 2, QUIRE_ALLOC_RESERVE))
		return QUIRE_NO_MEMORY;
	status = qr_space_unmap(space, (struct quire_range){{to}, {from}});
	if (status == QUIRE_OK)
		qr_areas_insert(&space->areas, to, from, 0, QUIRE_AREA_FOREIGN);
	return status;
}

enum quire_status qr_space_brk(struct quire_space *space, quire_vaddr want,
			       quire_vaddr *out)
{
	uint64_t end = page_round(want.a), old;
	enum quire_status status = QUIRE_OK;

	if (want.a >= space->brk.start.a && end < page_round(space->brk.end.a))
		qr_space_settle_turn(space,
				     (struct quire_range){{end}, {space->brk_limit}});
	old = page_round(space->brk.end.a);
	if (want.a != 0) {
		if (want.a < space->brk.start.a || want.a > space->brk_limit)
			status = QUIRE_NO_MEMORY;
		else if (end < old)
			status = brk_shrink(space, old, end);
		else
			status = brk_grow(space, old, end);
	}
	if (status != QUIRE_OK)
		return status;
	if (want.a != 0)
		space->brk.end = want;
	*out = space->brk.end;
	return QUIRE_OK;
}
