/* SPDX-License-Identifier: MIT */
/* frames_info.c - runs, faulty frames and compaction over several zones, and what the
 * zones look like. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/frames/compact.h"
#include "core/frames/frames_impl.h"

static const char *const zone_names[QUIRE_ZONES] = {"DMA", "Normal", "HighMem"};

bool quire_frames_alloc_run(struct quire_frames *f, enum quire_frame_use use, uint32_t nr,
			    uint32_t align, uint32_t flags, quire_pfn *out)
{
	uint32_t top = QUIRE_ZONE_NORMAL;
	bool taken = false;

	if ((flags & QUIRE_ALLOC_DMA) != 0)
		top = QUIRE_ZONE_DMA;
	else if ((flags & QUIRE_ALLOC_HIGH) != 0)
		top = QUIRE_ZONE_HIGHMEM;
	for (uint32_t i = top + 1; i-- > 0 && !taken;) {
		struct quire_locked_zone *z = &f->zones[i];
		uint32_t keep = (flags & QUIRE_ALLOC_RESERVE) != 0
					? 0
					: z->zone.min + z->reserve[top];

		if (!z->exists)
			continue;
		qr_lock(&z->lock);
		if (qr_zone_free_frames(&z->zone) >= (uint64_t)keep + nr)
			taken = qr_zone_alloc_run(
				&z->zone, use, nr, align,
				(flags & QUIRE_ALLOC_MOVABLE) | QUIRE_ALLOC_RESERVE, out);
		qr_unlock(&z->lock);
	}
	if (!taken)
		return false;
	/* Poison is looked for before anything is written. */
	qr_frames_check_out(f, *out, nr,
			    (uint64_t)(uintptr_t)__builtin_return_address(0));
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(f->port->direct + ((size_t)out->n << QUIRE_PAGE_SHIFT), 0,
		       (size_t)nr << QUIRE_PAGE_SHIFT);
	return true;
}

void quire_frames_free_run(struct quire_frames *f, quire_pfn pfn, uint32_t nr)
{
	struct quire_locked_zone *z;

	QUIRE_ASSERT(pfn.n < f->nr_frames && nr > 0);
	z = &f->zones[qr_frames_zone_of(f, pfn.n)];
	qr_lock(&z->lock);
	qr_frames_check_in(f, pfn, nr, (uint64_t)(uintptr_t)__builtin_return_address(0));
	qr_zone_free_run(&z->zone, pfn, nr);
	qr_unlock(&z->lock);
}

bool quire_frames_retire(struct quire_frames *f, quire_pfn pfn)
{
	struct quire_locked_zone *z;
	bool is_retired;

	QUIRE_ASSERT(pfn.n < f->nr_frames);
	z = &f->zones[qr_frames_zone_of(f, pfn.n)];
	qr_lock(&z->lock);
	is_retired = qr_zone_retire(&z->zone, pfn);
	qr_unlock(&z->lock);
	return is_retired;
}

/* A page moves as if the frame it leaves were freed, and the other taken, by whoever took
 * the first. */
static bool move_checked(void *ctx, quire_pfn from, quire_pfn to)
{
	struct quire_frames *f = ctx;
	uint64_t owner = f->trace != NULL ? f->trace[from.n].taken : 0;
	bool is_moved;

	qr_frames_check_out(f, to, 1, owner);
	is_moved = f->config.move(f->config.ctx, from, to);
	qr_frames_check_in(f, is_moved ? from : to, 1, owner);
	return is_moved;
}

bool quire_frames_compact(struct quire_frames *f, uint32_t order)
{
	bool is_there = false;
	bool is_checked = f->is_checked && f->config.move != NULL;

	for (uint32_t i = 0; i < QUIRE_ZONES; i++) {
		struct quire_locked_zone *z = &f->zones[i];

		if (!z->exists)
			continue;
		qr_lock(&z->lock);
		is_there |= qr_zone_compact(&z->zone, order, qr_frame_has_one_user,
					    is_checked ? move_checked : f->config.move,
					    is_checked ? (void *)f : f->config.ctx);
		qr_unlock(&z->lock);
	}
	return is_there;
}

uint32_t quire_frames_cached(struct quire_frames *f, enum quire_zone_kind kind,
			     uint32_t cpu)
{
	uint32_t sum = 0;

	QUIRE_ASSERT(cpu < f->nr_cpus);
	for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
		sum += atomic_load_explicit(&f->cpus[cpu].lists[kind][group].nr,
					    memory_order_relaxed);
	return sum;
}

/* A zone's count and the CPUs' together. */
static uint32_t count(struct quire_frames *f, enum quire_zone_kind kind, uint32_t use)
{
	uint32_t sum = qr_zone_count(&f->zones[kind].zone, (enum quire_frame_use)use);

	for (uint32_t i = 0; i < f->nr_cpus; i++)
		sum += use == QUIRE_FRAME_CACHED
			       ? quire_frames_cached(f, kind, i)
			       : atomic_load_explicit(&f->cpus[i].counts[kind][use],
						      memory_order_relaxed);
	return sum;
}

static void count_runs(const struct quire_buddy *buddy, struct quire_zone_info *out)
{
	for (uint32_t n = 0; n < buddy->nr_frames; n += QUIRE_GROUP_FRAMES)
		out->runs[qr_group_of(buddy, n)]++;
}

static void count_blocks(const struct quire_buddy *buddy, struct quire_zone_info *out)
{
	out->nr_orders = buddy->nr_orders;
	for (uint32_t order = 0; order < buddy->nr_orders; order++) {
		out->sizes[order] = buddy->sizes[order];
		for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
			out->blocks[group][order] = qr_buddy_count(buddy, group, order);
	}
	count_runs(buddy, out);
}

bool quire_frames_info(struct quire_frames *f, enum quire_zone_kind kind,
		       struct quire_zone_info *out)
{
	struct quire_locked_zone *z = &f->zones[kind];
	const struct quire_zone *zone = &z->zone;

	if (!z->exists)
		return false;
	*out = (struct quire_zone_info){
		.name = zone_names[kind],
		.buddy = zone->buddy.ops->name,
		.start = zone->base,
		.spanned = zone->buddy.nr_frames,
		.present = z->present,
		.min = zone->min,
		.low = zone->low,
		.high = zone->high,
		.nr_cpus = f->nr_cpus,
		.batch = QUIRE_LIST_BATCH,
		.list_high = QUIRE_LIST_HIGH,
	};
	qr_lock(&z->lock);
	out->free = zone->buddy.nr_free;
	for (uint32_t use = 0; use < QUIRE_FRAME_USES; use++)
		out->uses[use] = count(f, kind, use);
	count_blocks(&zone->buddy, out);
	qr_unlock(&z->lock);
	out->cached = out->uses[QUIRE_FRAME_CACHED];
	out->managed = out->spanned - out->uses[QUIRE_FRAME_RESERVED] -
		       out->uses[QUIRE_FRAME_META];
	for (uint32_t j = 0; j < QUIRE_ZONES; j++)
		out->reserve[j] = z->reserve[j];
	return true;
}

enum quire_frame_use quire_frames_use(struct quire_frames *f, quire_pfn pfn)
{
	const struct quire_zone *zone;
	uint32_t head;

	QUIRE_ASSERT(pfn.n < f->nr_frames);
	zone = &f->zones[qr_frames_zone_of(f, pfn.n)].zone;
	head = qr_buddy_head(&zone->buddy, pfn.n - zone->base);
	return (enum quire_frame_use)zone->buddy.frames[head].use;
}

/* M2 and M3 for one list; each frame's record is marked by TAKEN, and put right again by
 * the second walk, so that a frame on two lists is found. */
static const char *validate_list(struct quire_frames *f, enum quire_zone_kind kind,
				 const struct quire_list *list, uint32_t expected,
				 uint32_t next)
{
	uint32_t nr = atomic_load_explicit(&list->nr, memory_order_relaxed);

	if (nr > QUIRE_LIST_HIGH)
		return "M3: a CPU's list is too long";
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t n = list->frames[i];

		if (n >= f->nr_frames || qr_frames_zone_of(f, n) != kind)
			return "M3: a frame is on the list of another zone";
		if (f->frames[n].use != expected)
			return "M2: a frame on a CPU's list is not cached, or is twice";
		f->frames[n].use = next & 15u;
	}
	return NULL;
}

static const char *walk_lists(struct quire_frames *f, uint32_t expected, uint32_t next)
{
	const char *wrong = NULL;

	for (uint32_t i = 0; i < f->nr_cpus; i++)
		for (uint32_t k = 0; k < QUIRE_ZONES; k++)
			for (uint32_t g = 0; g < QUIRE_GROUPS && wrong == NULL; g++)
				wrong = validate_list(f, (enum quire_zone_kind)k,
						      &f->cpus[i].lists[k][g], expected,
						      next);
	return wrong;
}

/* M1 and the zone's own invariants, with the CPUs' counts added for the time. */
static const char *validate_zone(struct quire_frames *f, enum quire_zone_kind kind)
{
	struct quire_zone whole = f->zones[kind].zone;

	for (uint32_t use = 0; use < QUIRE_FRAME_USES; use++)
		whole.counts[use] = count(f, kind, use);
	return qr_zone_validate(&whole);
}

const char *quire_frames_validate(struct quire_frames *f)
{
	const char *wrong = walk_lists(f, QUIRE_FRAME_CACHED, QUIRE_FRAME_TAKEN);

	if (wrong == NULL)
		wrong = walk_lists(f, QUIRE_FRAME_TAKEN, QUIRE_FRAME_CACHED);
	for (uint32_t k = 0; k < QUIRE_ZONES && wrong == NULL; k++)
		wrong = validate_zone(f, (enum quire_zone_kind)k);
	return wrong;
}
