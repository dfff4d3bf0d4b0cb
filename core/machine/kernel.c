/* SPDX-License-Identifier: MIT */
/* kernel.c - frames, objects and vmalloc of one kernel, and the upcalls that join them:
 * each asks the others for what they keep for speed alone. */
#include "quire/kernel.h"

#include "core/frames/frames_impl.h"

/* A little of all, and all of it.  (Linux's DEF_PRIORITY.) */
#define PRIORITY_MOST 12u
/* From one to the next while an allocation waits. */
#define PRIORITY_STEP 4u

struct quire_kernel {
	struct quire_frames *frames;
	struct quire_objects *objects;
	struct quire_vmalloc *vmalloc;
	/* The kernel's own upcalls. */
	void *ctx;
	void (*wake)(void *ctx);
	bool (*pressure)(void *ctx, uint32_t cpu, uint32_t order);
	bool (*move)(void *ctx, quire_pfn from, quire_pfn to);
	quire_pfn pfn; /* the frame that this lies in */
};

static void on_low(void *ctx)
{
	const struct quire_kernel *k = ctx;

	if (k->wake != NULL)
		k->wake(k->ctx);
}

static bool ask_kernel(const struct quire_kernel *k, uint32_t cpu, uint32_t order)
{
	return k->pressure != NULL && k->pressure(k->ctx, cpu, order);
}

static bool on_frames_short(void *ctx, uint32_t cpu, uint32_t order)
{
	const struct quire_kernel *k = ctx;

	for (uint32_t done = 0; done <= PRIORITY_MOST; done += PRIORITY_STEP)
		if (quire_objects_shrink(k->objects, cpu, PRIORITY_MOST - done) != 0)
			return true;
	return ask_kernel(k, cpu, order);
}

static bool on_move(void *ctx, quire_pfn from, quire_pfn to)
{
	const struct quire_kernel *k = ctx;

	return k->move(k->ctx, from, to);
}

/* The CPU's lists go to their zones; whether there was anything on them. */
static bool drain(struct quire_frames *f, uint32_t cpu)
{
	uint32_t nr = 0;

	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++)
		nr += quire_frames_cached(f, (enum quire_zone_kind)kind, cpu);
	quire_frames_drain(f, cpu);
	qr_frames_ask_to_drain(f);
	return nr > 0;
}

/* Caches and shrinkers have given already. */
static bool on_objects_short(void *ctx, uint32_t cpu, uint32_t nr_frames)
{
	const struct quire_kernel *k = ctx;
	bool is_eased = drain(k->frames, cpu);
	uint32_t order = 0;

	while (order < QUIRE_ORDER_MAX && 1u << order < nr_frames)
		order++;
	if (order > 0)
		is_eased |= quire_frames_compact(k->frames, order);
	return ask_kernel(k, cpu, order) || is_eased;
}

static bool is_balanced(struct quire_frames *f)
{
	bool is_high = true;

	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++) {
		struct quire_locked_zone *z = &f->zones[kind];

		if (!z->exists)
			continue;
		qr_lock(&z->lock);
		is_high &= qr_zone_free_frames(&z->zone) > z->zone.high;
		qr_unlock(&z->lock);
	}
	return is_high;
}

bool quire_kernel_balance(struct quire_kernel *k, uint32_t cpu)
{
	for (uint32_t done = 0; done <= PRIORITY_MOST; done++) {
		if (is_balanced(k->frames))
			return true;
		(void)drain(k->frames, cpu);
		(void)quire_objects_shrink(k->objects, cpu, PRIORITY_MOST - done);
		(void)ask_kernel(k, cpu, 0);
	}
	return is_balanced(k->frames);
}

static enum quire_status open_objects(struct quire_kernel *k,
				      const struct quire_kernel_config *config)
{
	struct quire_locked_zone *dma = &k->frames->zones[QUIRE_ZONE_DMA];
	struct quire_locked_zone *z = &k->frames->zones[QUIRE_ZONE_NORMAL];
	struct quire_objects_config objects = {
		.nr_cpus = config->frames.nr_cpus,
		.kmalloc_slab = config->kmalloc_slab,
		.secret = config->secret,
		.ctx = k,
		.wake = on_low,
		.pressure = on_objects_short,
	};

	if (!z->exists)
		z = dma;
	objects.zone = &z->zone;
	objects.zone_lock = &z->lock;
	if (dma->exists)
		objects.dma_zone = &dma->zone;
	if (dma->exists && dma != z)
		objects.dma_lock = &dma->lock;
	return quire_objects_open(&k->objects, &objects);
}

static enum quire_status open_vmalloc(struct quire_kernel *k,
				      const struct quire_kernel_config *config)
{
	const struct quire_vmalloc_config vmalloc = {
		.objects = k->objects,
		.window = config->window,
		.lazy_max = config->lazy_max,
	};

	if (config->window.start.a == config->window.end.a)
		return QUIRE_OK;
	return quire_vmalloc_open(&k->vmalloc, &vmalloc);
}

/* From here on frames ask objects. */
static void join(struct quire_kernel *k)
{
	struct quire_frames_config *config = &k->frames->config;

	config->ctx = k;
	config->wake = on_low;
	config->pressure = on_frames_short;
	config->move = k->move != NULL ? on_move : NULL;
}

enum quire_status quire_kernel_open(struct quire_kernel **out,
				    const struct quire_kernel_config *config,
				    uint32_t *bad)
{
	struct quire_frames_config own = config->frames;
	enum quire_status status;
	struct quire_frames *f;
	struct quire_kernel *k;
	quire_pfn pfn;

	_Static_assert(sizeof(*k) <= QUIRE_PAGE_BYTES, "a kernel is one frame");
	*bad = own.nr_map;
	if (own.nr_cpus > QUIRE_OBJECTS_CPUS_MAX ||
	    (own.flags & QUIRE_FRAMES_POISON) != 0)
		return QUIRE_INVALID;
	own.wake = NULL;
	own.pressure = NULL;
	own.move = NULL;
	status = quire_frames_open(&f, &own, bad);
	if (status != QUIRE_OK)
		return status;
	if (!quire_frames_alloc(f, 0, QUIRE_FRAME_TABLE, 0, QUIRE_ALLOC_ZERO, &pfn))
		return QUIRE_NO_MEMORY;
	k = qr_zone_address(&f->zones[qr_frames_zone_of(f, pfn.n)].zone, pfn);
	k->frames = f;
	k->pfn = pfn;
	k->ctx = config->frames.ctx;
	k->wake = config->frames.wake;
	k->pressure = config->frames.pressure;
	k->move = config->frames.move;
	status = open_objects(k, config);
	if (status == QUIRE_OK)
		status = open_vmalloc(k, config);
	if (status != QUIRE_OK)
		return status;
	join(k);
	*out = k;
	return QUIRE_OK;
}

enum quire_status quire_kernel_close(struct quire_kernel *k, quire_kmem_leak_fn *leak,
				     void *ctx)
{
	struct quire_frames *f = k->frames;
	enum quire_status status =
		k->vmalloc != NULL ? quire_vmalloc_close(k->vmalloc) : QUIRE_OK;

	if (status != QUIRE_OK)
		return status;
	(void)quire_objects_close(k->objects, leak, ctx);
	f->config.wake = NULL;
	f->config.pressure = NULL;
	f->config.move = NULL;
	quire_frames_free(f, 0, k->pfn, 0);
	return QUIRE_OK;
}

struct quire_frames *quire_kernel_frames(struct quire_kernel *k)
{
	return k->frames;
}

struct quire_objects *quire_kernel_objects(struct quire_kernel *k)
{
	return k->objects;
}

struct quire_vmalloc *quire_kernel_vmalloc(struct quire_kernel *k)
{
	return k->vmalloc;
}

const char *quire_kernel_validate(struct quire_kernel *k)
{
	const char *wrong = quire_frames_validate(k->frames);

	if (wrong == NULL)
		wrong = quire_objects_validate(k->objects);
	if (wrong == NULL && k->vmalloc != NULL)
		wrong = quire_vmalloc_validate(k->vmalloc);
	return wrong;
}
