/* SPDX-License-Identifier: MIT */
/* remap.c - mremap: areas shrink, grow where they are, or move with all their pages.
 *
 * Model.  A move makes the new area, moves entry by entry, and takes the old area away.
 * Where the ground holds the bytes (QUIRE_PORT_COPIES) present pages are copied, a run
 * at a time, with both their entries BUSY and the lock not held; is_changing keeps other
 * changes of areas out until the end.  Whatever can fail is done before the first page
 * moves.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/space.h"

struct move {
	struct quire_space *space;
	struct quire_lane *lane;
	struct quire_range from;
	uint64_t to;
	uint32_t prot;
};

static quire_vaddr moved(const struct move *m, uint64_t va)
{
	return (quire_vaddr){m->to + (va - m->from.start.a)};
}

/* Tables for all that will move: afterwards the move does not lack any. */
static bool make_tables(struct move *m)
{
	struct quire_range left = m->from;
	struct qr_leaf old, new;

	while (left.start.a < left.end.a &&
	       qr_tables_next_leaf(&m->space->tables, left, &old)) {
		uint64_t first = old.base > left.start.a ? old.base : left.start.a;
		uint64_t end = old.base + QUIRE_LEAF_BYTES;
		uint64_t last = (end < left.end.a ? end : left.end.a) - QUIRE_PAGE_BYTES;

		if (!qr_tables_make_leaf(&m->space->tables, moved(m, first),
					 QUIRE_ALLOC_URGENT, &new) ||
		    !qr_tables_make_leaf(&m->space->tables, moved(m, last),
					 QUIRE_ALLOC_URGENT, &new))
			return false;
		left.start.a = end;
	}
	return true;
}

static struct qr_leaf new_leaf(struct move *m, uint64_t va, uint32_t *index)
{
	struct qr_leaf leaf;
	bool found = qr_tables_leaf(&m->space->tables, moved(m, va), &leaf);

	QUIRE_ASSERT(found);
	*index = qr_leaf_index(moved(m, va));
	return leaf;
}

static void move_entry(struct move *m, const struct qr_leaf *old, uint32_t index)
{
	const struct quire_tables *tables = &m->space->tables;
	uint64_t va = qr_leaf_address(old, index).a;
	quire_entry e = qr_entry_without(old->entries[index],
					 QUIRE_ENTRY_BUSY | QUIRE_ENTRY_WANTED);
	uint32_t to;
	struct qr_leaf leaf = new_leaf(m, va, &to);

	if (qr_entry_is_present(e))
		qr_zone_frame(m->space->zone, qr_entry_pfn(e))->owner = moved(m, va).a;
	qr_leaf_set(tables, &leaf, to, e);
	qr_leaf_set(tables, old, index, (quire_entry){0});
}

/* Pages from index on that move together: present, and alike in being writable. */
static uint32_t run_length(const struct move *m, const struct qr_leaf *old,
			   uint32_t index, uint32_t end)
{
	const uint64_t like =
		QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_BUSY;
	uint32_t room = QUIRE_TABLE_ENTRIES -
			qr_leaf_index(moved(m, qr_leaf_address(old, index).a));
	uint32_t max = m->lane->nr_staging < room ? m->lane->nr_staging : room;
	uint32_t nr = 1;

	while (nr < max && index + nr < end &&
	       ((old->entries[index + nr].bits ^ old->entries[index].bits) & like) == 0)
		nr++;
	return nr;
}

static void copy_out(struct move *m, quire_vaddr va, uint32_t nr)
{
	const struct quire_port *port = m->space->port;

	for (uint32_t i = 0; i < nr; i++) {
		quire_vaddr page = {va.a + i * QUIRE_PAGE_BYTES};
		const void *bytes = port->look(port->ctx, page, m->prot, m->lane->packed);

		if (bytes == NULL)
			port->panic(port->ctx, "mremap: a page cannot be read");
		memcpy(m->lane->staging + i * QUIRE_PAGE_BYTES, bytes, QUIRE_PAGE_BYTES);
	}
}

static void copy_run(struct move *m, const struct qr_leaf *old, uint32_t index,
		     uint32_t nr)
{
	struct quire_space *space = m->space;
	const struct quire_port *port = space->port;
	struct quire_run run = {qr_leaf_address(old, index), nr};
	bool is_writable = qr_entry_has(old->entries[index], QUIRE_ENTRY_WRITABLE);
	uint32_t to;
	struct qr_leaf leaf = new_leaf(m, run.start.a, &to);

	port->protect(port->ctx, &run, 1, true);
	for (uint32_t i = 0; i < nr; i++) {
		qr_leaf_set(&space->tables, old, index + i,
			    qr_entry_with(old->entries[index + i], QUIRE_ENTRY_BUSY));
		qr_leaf_set(&space->tables, &leaf, to + i,
			    (quire_entry){QUIRE_ENTRY_BUSY});
	}
	qr_unlock(space->lock);
	copy_out(m, run.start, nr);
	if (port->fill(port->ctx, moved(m, run.start.a), nr, m->lane->staging,
		       is_writable ? 0 : QUIRE_FILL_READONLY) != QUIRE_OK)
		port->panic(port->ctx, "mremap: the host has no memory for a page");
	qr_lock(space->lock);
	port->release(port->ctx, &run, 1, QUIRE_RELEASE_FORCE, NULL);
	for (uint32_t i = 0; i < nr; i++)
		move_entry(m, old, index + i);
	port->wake(port->ctx, run);
	port->wake(port->ctx, (struct quire_run){moved(m, run.start.a), nr});
}

static void settle_page(struct move *m, uint64_t va)
{
	qr_space_settle(m->space, (struct quire_range){{va}, {va + QUIRE_PAGE_BYTES}});
}

static void move_pages(struct move *m)
{
	const struct quire_tables *tables = &m->space->tables;
	bool copies = (m->space->port->caps & QUIRE_PORT_COPIES) != 0;
	struct quire_range left = m->from;
	struct qr_leaf old;

	while (left.start.a < left.end.a && qr_tables_next_leaf(tables, left, &old)) {
		uint64_t stop = old.base + QUIRE_LEAF_BYTES;
		uint64_t va = old.base > left.start.a ? old.base : left.start.a;
		uint32_t index = qr_leaf_index((quire_vaddr){va});
		uint32_t nr = 1;

		stop = stop < left.end.a ? stop : left.end.a;
		left.start.a = va + QUIRE_PAGE_BYTES;
		if (qr_entry_is_busy(old.entries[index])) {
			settle_page(m, va);
			left.start.a = va;
			continue;
		}
		if (qr_entry_is_empty(old.entries[index]))
			continue;
		if (copies && qr_entry_is_present(old.entries[index])) {
			uint32_t end =
				index + (uint32_t)((stop - va) >> QUIRE_PAGE_SHIFT);

			nr = run_length(m, &old, index, end);
			copy_run(m, &old, index, nr);
		} else {
			move_entry(m, &old, index);
		}
		left.start.a = va + nr * QUIRE_PAGE_BYTES;
	}
}

static enum quire_status move_area(struct move *m, uint64_t new_bytes, uint32_t marks,
				   bool keep_old)
{
	struct quire_space *space = m->space;
	struct quire_range to = {{m->to}, {m->to + new_bytes}};
	bool copies = (space->port->caps & QUIRE_PORT_COPIES) != 0;
	uint64_t bytes = m->from.end.a - m->from.start.a;
	struct quire_run run = {m->from.start, bytes >> QUIRE_PAGE_SHIFT};
	enum quire_status status = QUIRE_NO_MEMORY;

	if (make_tables(m))
		status = qr_space_insert(space, to, m->prot, marks);
	if (status != QUIRE_OK) {
		qr_space_prune(space, to);
		return status;
	}
	space->is_changing = true;
	space->tables.kept = (struct quire_range){to.start, {m->to + bytes}};
	/* Where the ground walks the tables no lock may be let go of between an entry's
	 * move and the release. */
	if (!copies)
		qr_space_settle(space, m->from);
	move_pages(m);
	if (!copies)
		space->port->release(space->port->ctx, &run, 1, QUIRE_RELEASE_FORCE,
				     NULL);
	space->tables.kept = (struct quire_range){{0}, {0}};
	space->is_changing = false;
	qr_event_raise(&space->settled, space->lock);
	qr_space_prune(space, m->from);
	qr_space_prune(space, to);
	/* The pages are at their new place: what cannot be taken away stays, empty. */
	if (!keep_old)
		(void)qr_space_unmap(space, m->from);
	return QUIRE_OK;
}

static bool overlap(struct quire_range a, struct quire_range b)
{
	return a.start.a < b.end.a && b.start.a < a.end.a;
}

static enum quire_status check(struct quire_space *space, struct quire_range old,
			       struct quire_range new, uint32_t flags)
{
	const struct quire_area *a = qr_areas_find(&space->areas, old.start.a);
	uint64_t old_bytes = old.end.a - old.start.a, new_bytes = new.end.a - new.start.a;

	if (old_bytes == 0 || new_bytes == 0)
		return QUIRE_INVALID;
	if (a == NULL || old.end.a > a->end || (a->marks & QUIRE_AREA_FOREIGN) != 0)
		return QUIRE_FAULT;
	if ((flags & (QUIRE_REMAP_FIXED | QUIRE_REMAP_DONTUNMAP)) != 0 &&
	    (flags & QUIRE_REMAP_MAYMOVE) == 0)
		return QUIRE_INVALID;
	if ((flags & QUIRE_REMAP_DONTUNMAP) != 0 && old_bytes != new_bytes)
		return QUIRE_INVALID;
	if ((flags & QUIRE_REMAP_FIXED) != 0 && overlap(old, new))
		return QUIRE_INVALID;
	return QUIRE_OK;
}

/* Shrinks, or grows into free addresses; QUIRE_NO_MEMORY where that cannot be. */
static enum quire_status resize(struct quire_space *space, struct quire_range old,
				uint64_t new_end)
{
	const struct quire_area *a = qr_areas_find(&space->areas, old.start.a);
	struct quire_range more = {old.end, {new_end}};

	if (new_end == old.end.a)
		return QUIRE_OK;
	if (new_end < old.end.a)
		return qr_space_unmap(space, (struct quire_range){{new_end}, old.end});
	if (new_end > space->areas.ceiling ||
	    !qr_areas_are_free(&space->areas, old.end.a, new_end))
		return QUIRE_NO_MEMORY;
	return qr_space_insert(space, more, a->prot, a->marks);
}

static enum quire_status relocate(struct quire_space *space, struct quire_lane *lane,
				  struct quire_range old, uint64_t new_bytes,
				  uint32_t flags, quire_vaddr target, quire_vaddr *out)
{
	bool fixed = (flags & QUIRE_REMAP_FIXED) != 0;
	struct move m = {.space = space, .lane = lane, .from = old};
	const struct quire_area *a;
	enum quire_status status;

	a = qr_areas_find(&space->areas, old.start.a);
	if (a != NULL && (a->marks & QUIRE_AREA_LOCKED) != 0 &&
	    space->stats->locked_bytes + new_bytes > qr_space_lockable(space))
		return QUIRE_NO_MEMORY;
	status = qr_space_place(space, fixed ? target : (quire_vaddr){0}, new_bytes,
				fixed ? QUIRE_MAP_FIXED : 0, QUIRE_PAGE_BYTES, &m.to);
	if (status != QUIRE_OK)
		return status;
	a = qr_areas_find(&space->areas, old.start.a);
	if (a == NULL || old.end.a > a->end || (a->marks & QUIRE_AREA_FOREIGN) != 0)
		return QUIRE_FAULT;
	m.prot = a->prot;
	if (new_bytes < old.end.a - old.start.a)
		m.from.end.a = old.start.a + new_bytes;
	status = move_area(&m, new_bytes, a->marks, (flags & QUIRE_REMAP_DONTUNMAP) != 0);
	if (status == QUIRE_OK && m.from.end.a < old.end.a)
		(void)qr_space_unmap(space, (struct quire_range){m.from.end, old.end});
	if (status == QUIRE_OK)
		*out = (quire_vaddr){m.to};
	return status;
}

enum quire_status qr_space_remap(struct quire_space *space, struct quire_lane *lane,
				 quire_vaddr start, uint64_t old_bytes,
				 uint64_t new_bytes, uint32_t flags, quire_vaddr target,
				 quire_vaddr *out)
{
	const uint32_t elsewhere = QUIRE_REMAP_FIXED | QUIRE_REMAP_DONTUNMAP;
	bool fixed = (flags & QUIRE_REMAP_FIXED) != 0;
	struct quire_range old, new;
	enum quire_status status;

	if (!qr_space_range(space, start, old_bytes, &old))
		return QUIRE_INVALID;
	if (!qr_space_range(space, fixed ? target : space->brk.start, new_bytes, &new))
		return fixed ? QUIRE_INVALID : QUIRE_NO_MEMORY;
	status = check(space, old, new, flags);
	if (status != QUIRE_OK)
		return status;
	new_bytes = new.end.a - new.start.a;
	if ((flags & elsewhere) == 0) {
		*out = start;
		status = resize(space, old, start.a + new_bytes);
		if (status != QUIRE_NO_MEMORY || (flags & QUIRE_REMAP_MAYMOVE) == 0)
			return status;
	}
	return relocate(space, lane, old, new_bytes, flags, target, out);
}
