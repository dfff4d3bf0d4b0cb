/* SPDX-License-Identifier: MIT */
/* frames_open.c - from a memory map to zones.
 *
 * What describes the memory is carved from the memory itself: the frame table, the CPUs'
 * lists and the rest stand together at the upper end of the highest usable entry below
 * HIGHMEM that has room, where they take nothing from DMA as long as that can be. */
#include "core/base/memory.h"
#include "core/frames/frames_impl.h"
#include "core/frames/watermark.h"

/* The default edge of DMA: what the ISA bus addresses. */
#define DMA_END (16u << 20)

/* The largest block of the uneven systems, so that a block of 2^QUIRE_ORDER_MAX frames
 * fits one: within one of any of them and of what they grew from. */
#define UNEVEN_MOST (4u << QUIRE_ORDER_MAX)

#define ZONE_ALIGN ((uint64_t)QUIRE_PAGE_BYTES << QUIRE_ORDER_MAX)

static const struct quire_buddy_ops *const systems[QUIRE_BUDDY_KINDS] = {
	[QUIRE_BUDDY_BINARY] = &qr_buddy_binary,
	[QUIRE_BUDDY_FIBONACCI] = &qr_buddy_fibonacci,
	[QUIRE_BUDDY_WEIGHTED] = &qr_buddy_weighted,
	[QUIRE_BUDDY_TERTIARY] = &qr_buddy_tertiary,
};

static bool is_valid(const struct quire_frames_config *config)
{
	const struct quire_port *port = config->port;

	if (port == NULL || port->direct == NULL || port->wait == NULL ||
	    port->notify == NULL || port->panic == NULL ||
	    (port->caps & QUIRE_PORT_COPIES) != 0)
		return false;
	if (config->nr_cpus < 1 || config->nr_cpus > QUIRE_CPUS_MAX)
		return false;
	for (uint32_t i = 0; i < QUIRE_ZONES; i++)
		if ((uint32_t)config->buddies[i] >= QUIRE_BUDDY_KINDS)
			return false;
	return config->fibonacci_lag <= 8 && config->dma_end % ZONE_ALIGN == 0 &&
	       config->normal_end % ZONE_ALIGN == 0 &&
	       (config->normal_end == 0 || config->dma_end <= config->normal_end);
}

/* Where things go, in frames. */
struct plan {
	struct quire_ram map[QUIRE_RAM_MAX];
	uint32_t nr_map;
	uint32_t nr_frames;
	uint32_t starts[QUIRE_ZONES];
	uint32_t meta, nr_meta;
};

static uint32_t cut(uint64_t frames, uint32_t most)
{
	return frames < most ? (uint32_t)frames : most;
}

static uint32_t first_of(const struct plan *plan, uint32_t i)
{
	return cut(plan->map[i].base >> QUIRE_PAGE_SHIFT, plan->nr_frames);
}

static uint32_t end_of(const struct plan *plan, uint32_t i)
{
	return cut((plan->map[i].base + plan->map[i].bytes) >> QUIRE_PAGE_SHIFT,
		   plan->nr_frames);
}

static void plan_zones(struct plan *plan, const struct quire_frames_config *config)
{
	uint64_t dma_end = config->dma_end != 0 ? config->dma_end : DMA_END;
	uint64_t normal_end = config->normal_end != 0 ? config->normal_end : UINT64_MAX;

	if (dma_end > normal_end)
		dma_end = normal_end; /* the default one: is_valid() has seen the other */
	plan->nr_frames = config->port->nr_frames;
	for (uint32_t i = plan->nr_map; i-- > 0;)
		if (plan->map[i].type != QUIRE_RAM_RESERVED &&
		    first_of(plan, i) != plan->nr_frames) {
			plan->nr_frames = end_of(plan, i);
			break;
		}
	plan->starts[QUIRE_ZONE_DMA] = 0;
	plan->starts[QUIRE_ZONE_NORMAL] =
		cut(dma_end >> QUIRE_PAGE_SHIFT, plan->nr_frames);
	plan->starts[QUIRE_ZONE_HIGHMEM] =
		cut(normal_end >> QUIRE_PAGE_SHIFT, plan->nr_frames);
}

/* The parts of the description, each from a cache line of its own. */
struct parts {
	uint64_t table, frames, cpus, groups, trace, bytes;
};

static uint64_t part(struct parts *parts, uint64_t bytes)
{
	uint64_t at = parts->bytes;

	parts->bytes += (bytes + 63) & ~(uint64_t)63;
	return at;
}

static struct parts parts_of(const struct plan *plan,
			     const struct quire_frames_config *config)
{
	struct parts parts = {0};
	uint64_t nr = plan->nr_frames;

	parts.table = part(&parts, nr * sizeof(struct quire_frame));
	parts.frames = part(&parts, sizeof(struct quire_frames));
	parts.cpus = part(&parts, (uint64_t)config->nr_cpus * sizeof(struct quire_cpu));
	if ((config->flags & QUIRE_FRAMES_GROUP) != 0)
		parts.groups = part(&parts, (nr >> QUIRE_GROUP_SHIFT) + QUIRE_ZONES);
	if ((config->flags & QUIRE_FRAMES_TRACE) != 0)
		parts.trace = part(&parts, nr * sizeof(struct quire_trace));
	return parts;
}

static bool plan_meta(struct plan *plan, uint64_t bytes)
{
	uint64_t nr = (bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT;

	for (uint32_t i = plan->nr_map; i-- > 0;) {
		uint32_t end = cut(end_of(plan, i), plan->starts[QUIRE_ZONE_HIGHMEM]);

		if (plan->map[i].type == QUIRE_RAM_USABLE && end > first_of(plan, i) &&
		    end - first_of(plan, i) > nr) {
			plan->nr_meta = (uint32_t)nr;
			plan->meta = end - plan->nr_meta;
			return true;
		}
	}
	return false;
}

/* Marks what frames [first, end) of a zone are, around the description. */
static void mark(struct quire_locked_zone *z, const struct plan *plan, uint32_t first,
		 uint32_t end, enum quire_ram_type type)
{
	uint32_t meta_end = plan->meta + plan->nr_meta;

	if (first >= end)
		return;
	if (type != QUIRE_RAM_USABLE) {
		qr_zone_set(&z->zone, first, end, QUIRE_FRAME_RESERVED);
	} else if (plan->meta >= end || meta_end <= first) {
		qr_zone_add(&z->zone, first, end);
	} else {
		uint32_t from = plan->meta > first ? plan->meta : first;
		uint32_t to = meta_end < end ? meta_end : end;

		qr_zone_set(&z->zone, from, to, QUIRE_FRAME_META);
		qr_zone_add(&z->zone, first, from);
		qr_zone_add(&z->zone, to, end);
	}
	if (type != QUIRE_RAM_RESERVED)
		z->present += end - first;
}

static void fill_zone(struct quire_locked_zone *z, const struct plan *plan)
{
	uint32_t at = z->zone.base;
	uint32_t end = at + z->zone.buddy.nr_frames;

	for (uint32_t i = 0; i < plan->nr_map && at < end; i++) {
		uint32_t first = cut(first_of(plan, i), end);
		uint32_t last = cut(end_of(plan, i), end);

		if (first > at)
			mark(z, plan, at, first, QUIRE_RAM_RESERVED);
		if (first < at)
			first = at;
		mark(z, plan, first, last, plan->map[i].type);
		if (last > at)
			at = last;
	}
	mark(z, plan, at, end, QUIRE_RAM_RESERVED);
	z->exists = z->present > 0;
}

static void open_zone(struct quire_frames *f, const struct plan *plan,
		      enum quire_zone_kind kind, _Atomic uint8_t *groups)
{
	struct quire_locked_zone *z = &f->zones[kind];
	uint32_t base = plan->starts[kind];
	uint32_t end =
		kind == QUIRE_ZONE_HIGHMEM ? plan->nr_frames : plan->starts[kind + 1];
	enum quire_buddy_kind buddy = f->config.buddies[kind];
	bool is_even = buddy == QUIRE_BUDDY_BINARY;

	qr_lock_init(&z->lock, f->port);
	qr_zone_open(&z->zone, &(struct quire_zone_config){
				       .port = f->port,
				       .frames = f->frames,
				       .base = base,
				       .nr_frames = end - base,
				       .buddy = {.ops = systems[buddy],
						 .most = is_even ? 1u << QUIRE_ORDER_MAX
								 : UNEVEN_MOST,
						 .lag = f->config.fibonacci_lag,
						 .groups = groups},
			       });
	fill_zone(z, plan);
}

static uint32_t managed(const struct quire_locked_zone *z)
{
	return z->zone.buddy.nr_frames - z->zone.counts[QUIRE_FRAME_RESERVED] -
	       z->zone.counts[QUIRE_FRAME_META];
}

static void set_watermarks(struct quire_frames *f)
{
	const struct quire_frames_config *config = &f->config;
	uint64_t nr[QUIRE_ZONES], lowmem, kbytes = config->min_free_kbytes;

	for (uint32_t i = 0; i < QUIRE_ZONES; i++)
		nr[i] = managed(&f->zones[i]);
	lowmem = nr[QUIRE_ZONE_DMA] + nr[QUIRE_ZONE_NORMAL];
	if (kbytes == 0)
		kbytes = qr_min_free_kbytes(lowmem << (QUIRE_PAGE_SHIFT - 10));
	for (uint32_t i = 0; i < QUIRE_ZONES; i++) {
		struct quire_locked_zone *z = &f->zones[i];
		struct qr_watermarks marks =
			qr_watermarks(nr[i], lowmem, kbytes >> (QUIRE_PAGE_SHIFT - 10),
				      config->watermark_scale, i == QUIRE_ZONE_HIGHMEM);

		qr_lock(&z->lock);
		z->zone.min = (uint32_t)marks.min;
		z->zone.low = (uint32_t)marks.low;
		z->zone.high = (uint32_t)marks.high;
		for (uint32_t j = 0; j < QUIRE_ZONES; j++)
			z->reserve[j] = (uint32_t)qr_lowmem_reserve(
				nr, i, j, config->reserve_ratios[i]);
		qr_unlock(&z->lock);
	}
}

static void set_defaults(struct quire_frames_config *config)
{
	uint32_t *ratios = config->reserve_ratios;

	if (ratios[0] == 0 && ratios[1] == 0 && ratios[2] == 0) {
		ratios[QUIRE_ZONE_DMA] = 256;
		ratios[QUIRE_ZONE_NORMAL] = 32;
	}
	if (config->watermark_scale == 0)
		config->watermark_scale = 10;
	if (config->fibonacci_lag == 0)
		config->fibonacci_lag = 2;
	config->map = NULL; /* the caller's; ours is put right */
}

static struct quire_frames *build(const struct plan *plan, const struct parts *parts,
				  const struct quire_frames_config *config)
{
	/* Pages are movable until something else borrows their run of frames. */
	const uint8_t group = 1;
	unsigned char *base =
		config->port->direct + ((size_t)plan->meta << QUIRE_PAGE_SHIFT);
	struct quire_frames *f = (void *)(base + parts->frames);
	_Atomic uint8_t *groups = (void *)(base + parts->groups);

	*f = (struct quire_frames){
		.frames = (void *)(base + parts->table),
		.nr_frames = plan->nr_frames,
		.nr_cpus = config->nr_cpus,
		.cpus = (void *)(base + parts->cpus),
		.poison = (config->flags & QUIRE_FRAMES_POISON) != 0,
		.group = (config->flags & QUIRE_FRAMES_GROUP) != 0,
		.port = config->port,
		.config = *config,
		.nr_map = plan->nr_map,
	};
	set_defaults(&f->config);
	if ((config->flags & QUIRE_FRAMES_TRACE) != 0)
		f->trace = (void *)(base + parts->trace);
	quire_frames_fail_in(f, 0);
	for (uint32_t i = 0; i < plan->nr_map; i++)
		f->map[i] = plan->map[i];
	if (f->group)
		memset(base + parts->groups, group,
		       (plan->nr_frames >> QUIRE_GROUP_SHIFT) + QUIRE_ZONES);
	for (uint32_t i = 0; i < QUIRE_ZONES; i++) {
		f->starts[i] = plan->starts[i];
		open_zone(f, plan, (enum quire_zone_kind)i, f->group ? groups : NULL);
		groups += (f->zones[i].zone.buddy.nr_frames >> QUIRE_GROUP_SHIFT) + 1;
	}
	set_watermarks(f);
	return f;
}

enum quire_status quire_frames_open(struct quire_frames **out,
				    const struct quire_frames_config *config,
				    uint32_t *bad)
{
	struct plan plan = {.nr_map = QUIRE_RAM_MAX};
	enum quire_status status;
	struct parts parts;

	*bad = config->nr_map;
	if (!is_valid(config))
		return QUIRE_INVALID;
	status = quire_ram_sort(config->map, config->nr_map, plan.map, &plan.nr_map, bad);
	if (status != QUIRE_OK)
		return status;
	*bad = config->nr_map;
	plan_zones(&plan, config);
	parts = parts_of(&plan, config);
	if (!plan_meta(&plan, parts.bytes))
		return QUIRE_NO_MEMORY;
	*out = build(&plan, &parts, config);
	qr_frames_poison(*out, 0, plan.nr_frames);
	return QUIRE_OK;
}

uint32_t quire_frames_reclaim(struct quire_frames *f)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < f->nr_map; i++) {
		const struct quire_ram *entry = &f->map[i];
		uint32_t first = cut(entry->base >> QUIRE_PAGE_SHIFT, f->nr_frames);
		uint32_t end = cut((entry->base + entry->bytes) >> QUIRE_PAGE_SHIFT,
				   f->nr_frames);

		if (entry->type != QUIRE_RAM_RECLAIMABLE)
			continue;
		for (uint32_t k = 0; k < QUIRE_ZONES; k++) {
			struct quire_locked_zone *z = &f->zones[k];
			uint32_t base = z->zone.base;
			uint32_t top = base + z->zone.buddy.nr_frames;
			uint32_t from = first > base ? first : base;
			uint32_t to = end < top ? end : top;

			if (from >= to)
				continue;
			qr_lock(&z->lock);
			qr_zone_add(&z->zone, from, to);
			qr_frames_poison(f, from, to);
			nr += to - from;
			qr_unlock(&z->lock);
		}
		f->map[i].type = QUIRE_RAM_USABLE;
	}
	set_watermarks(f);
	return nr;
}
