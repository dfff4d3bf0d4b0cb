/* SPDX-License-Identifier: MIT */
/* remap.c - mremap against the model: checked as mremap(2) says, then done page by page. */
#include "tests/model/driver.h"

struct remap_call {
	uint32_t from, old_nr, new_nr, to;
	uint32_t flags;
};

static struct remap_call choose_remap(struct driver *d)
{
	static const uint32_t flags[8] = {
		0,
		QUIRE_REMAP_MAYMOVE,
		QUIRE_REMAP_MAYMOVE,
		QUIRE_REMAP_MAYMOVE,
		QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
		QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
		QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED | QUIRE_REMAP_DONTUNMAP,
		QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_DONTUNMAP,
	};
	struct driver_range old = driver_choose_ours(d), new = driver_choose(d);
	struct remap_call call = {
		.from = old.first,
		.old_nr = old.nr,
		.new_nr = source_one_in(d->source, 3) ? old.nr : new.nr,
		.to = new.first,
		.flags = flags[source_below(d->source, 8)],
	};

	/* Most choices are to be about one area: cut the range to it. */
	while (call.old_nr > 1 && !source_one_in(d->source, 512) &&
	       !flat_is_one_area(&d->flat, call.from, call.old_nr))
		call.old_nr--;
	if (call.to + call.new_nr > d->first + d->nr)
		call.to = d->first + d->nr - call.new_nr;
	if (d->is_shared && (call.flags & QUIRE_REMAP_MAYMOVE) != 0)
		call.flags |= QUIRE_REMAP_FIXED;
	if ((call.flags & QUIRE_REMAP_DONTUNMAP) != 0)
		call.new_nr = call.old_nr;
	if (call.to + call.new_nr > d->first + d->nr)
		call.to = d->first + d->nr - call.new_nr;
	return call;
}

static bool has(const struct remap_call *call, uint32_t flag)
{
	return (call->flags & flag) != 0;
}

static bool can_grow_here(const struct driver *d, const struct remap_call *call)
{
	uint32_t end = call->from + call->old_nr;

	return call->new_nr <= call->old_nr ||
	       (call->from + call->new_nr <= d->flat.nr_pages &&
		flat_is_all(&d->flat, end, call->new_nr - call->old_nr, FLAT_FREE));
}

static enum quire_status outcome(const struct driver *d, const struct remap_call *call)
{
	bool overlaps = call->from < call->to + call->new_nr &&
			call->to < call->from + call->old_nr;

	if (!flat_is_one_area(&d->flat, call->from, call->old_nr))
		return QUIRE_FAULT;
	if (has(call, QUIRE_REMAP_FIXED))
		return overlaps ? QUIRE_INVALID : QUIRE_OK;
	if (!has(call, QUIRE_REMAP_DONTUNMAP) && can_grow_here(d, call))
		return QUIRE_OK;
	if (!has(call, QUIRE_REMAP_MAYMOVE))
		return QUIRE_NO_MEMORY;
	return flat_has_gap(&d->flat, call->new_nr, QUIRE_PAGE_BYTES) ? QUIRE_OK
								      : QUIRE_NO_MEMORY;
}

/* Whether the machine still has the page in an area. */
static bool is_there(const struct driver *d, uint32_t page)
{
	quire_vaddr va = flat_va(&d->flat, page);
	struct quire_area_info info;

	return quire_area_next(d->rig->q, va, &info) && info.range.start.a <= va.a;
}

/* The old place goes; only where the ground refuses that may it stay, empty. */
static void leave(struct driver *d, uint32_t from, uint32_t nr)
{
	bool refused = d->rig->config.fail == GROUND_AREA_SET && rig_failures(d->rig) > 0;

	for (uint32_t page = from; page < from + nr; page++)
		if (!refused || !is_there(d, page))
			flat_set(&d->flat, page, 1, (struct flat_page){0});
}

static void move(struct driver *d, const struct remap_call *call, uint32_t to)
{
	struct flat_page like = d->flat.pages[call->from];
	uint32_t kept = call->old_nr < call->new_nr ? call->old_nr : call->new_nr;

	like.bytes = NULL;
	like.stays = like.may_be_zero = false;
	driver_forget_pins(d, to, call->new_nr);
	flat_set(&d->flat, to, call->new_nr, like);
	flat_move(&d->flat, call->from, to, kept);
	if (!has(call, QUIRE_REMAP_DONTUNMAP))
		leave(d, call->from, call->old_nr);
}

static void resize(struct driver *d, const struct remap_call *call)
{
	struct flat_page like = d->flat.pages[call->from];

	like.bytes = NULL;
	like.stays = like.may_be_zero = false;
	if (call->new_nr > call->old_nr) {
		flat_set(&d->flat, call->from + call->old_nr, call->new_nr - call->old_nr,
			 like);
		return;
	}
	flat_set(&d->flat, call->from + call->new_nr, call->old_nr - call->new_nr,
		 (struct flat_page){0});
}

void driver_mremap(struct driver *d)
{
	struct remap_call call = choose_remap(d);
	enum quire_status status, expected = outcome(d, &call);
	quire_vaddr out = {0};
	bool locks = d->flat.pages[call.from].locked;
	uint32_t to;

	/* A move copies what the ground holds; a device would write to the old place. */
	driver_forget_pins(d, call.from, call.old_nr);
	status = quire_mremap(d->rig->q, d->cpu, flat_va(&d->flat, call.from),
			      (uint64_t)call.old_nr << QUIRE_PAGE_SHIFT,
			      (uint64_t)call.new_nr << QUIRE_PAGE_SHIFT, call.flags,
			      flat_va(&d->flat, call.to), &out);
	/* Locking may be refused, as mlock. */
	if (status == QUIRE_NO_MEMORY && (driver_may_lack(d) || locks))
		return;
	if (status != expected)
		rig_fail(d->rig, "mremap: status %d, the model says %d", (int)status,
			 (int)expected);
	if (status != QUIRE_OK)
		return;
	to = flat_number(&d->flat, out);
	if (has(&call, QUIRE_REMAP_FIXED) && to != call.to)
		rig_fail(d->rig, "mremap: not where it was told to");
	if (to == call.from) {
		resize(d, &call);
		return;
	}
	if (!has(&call, QUIRE_REMAP_FIXED) &&
	    !flat_is_all(&d->flat, to, call.new_nr, FLAT_FREE))
		rig_fail(d->rig, "mremap: over areas that are there");
	move(d, &call, to);
}
