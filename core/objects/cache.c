/* SPDX-License-Identifier: MIT */
/* cache.c - the making and unmaking of caches. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/objects/fast.h"

/* The red zone before an object is a word at least, and so is the one behind with the
 * bytes that rounding leaves. */
#define RED_BYTES 8u

/* Slabs of up to eight frames are tried: blocks of more are hard to come by. */
#define SLAB_ORDER_USUAL 3u
/* The largest object with all its debugging fits into this. */
#define SLAB_ORDER_MOST 4u
/* What a slab may leave unused, a part of it: Bonwick's bound. */
#define SLAB_WASTE_PART 8u
/* Objects that a slab should have for its descriptor's sake, where order allows. */
#define SLAB_OBJECTS_LEAST 4u

#define FLAGS_ALL                                                                        \
	(QUIRE_SLAB_DEBUG | QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_RANDOM |                    \
	 QUIRE_SLAB_ENCODED | QUIRE_SLAB_DMA | QUIRE_SLAB_NO_MAGAZINE)

static uint32_t round_up(uint32_t n, uint32_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static void lay_out_object(struct quire_kmem_cache *cache)
{
	bool red = (cache->flags & QUIRE_SLAB_RED_ZONE) != 0;
	bool whole = cache->ctor != NULL || qr_cache_is_debugged(cache);
	uint32_t end;

	cache->left = red ? round_up(RED_BYTES, cache->align) : 0;
	cache->right = red ? round_up(cache->size + 1, RED_BYTES) : cache->size;
	cache->link_at = whole ? round_up(cache->right, sizeof(void *)) : 0;
	end = cache->link_at + (uint32_t)sizeof(void *);
	if (end < cache->size)
		end = cache->size;
	cache->track_at = end;
	if ((cache->flags & QUIRE_SLAB_STORE_USER) != 0)
		end += 2 * (uint32_t)sizeof(struct qr_track);
	cache->stride = cache->left + round_up(end, cache->align);
}

static void set_slab(struct quire_kmem_cache *cache, uint32_t nr_frames)
{
	uint32_t bytes = nr_frames << QUIRE_PAGE_SHIFT;
	uint32_t step = cache->align > QR_LINE_BYTES ? cache->align : QR_LINE_BYTES;

	cache->slab_frames = nr_frames;
	cache->slab_order = 0;
	while (1u << cache->slab_order < nr_frames)
		cache->slab_order++;
	cache->per_slab = bytes / cache->stride;
	if (cache->per_slab > QR_SLAB_OBJECTS_MAX)
		cache->per_slab = QR_SLAB_OBJECTS_MAX;
	cache->nr_colours = (bytes - cache->per_slab * cache->stride) / step + 1;
	cache->span = cache->per_slab * cache->stride;
	cache->inverse = UINT64_MAX / cache->stride + 1;
}

static bool slab_suits(const struct quire_kmem_cache *cache, uint32_t order,
		       uint32_t objects_least, uint32_t waste_part)
{
	uint32_t bytes = (uint32_t)QUIRE_PAGE_BYTES << order;
	uint32_t nr = bytes / cache->stride;

	return nr >= objects_least && (bytes - nr * cache->stride) <= bytes / waste_part;
}

/* The smallest slab with little waste and enough objects; else with little waste; else
 * that holds an object. */
static void choose_slab(struct quire_kmem_cache *cache)
{
	static const struct {
		uint32_t order_max, objects_least, waste_part;
	} wishes[] = {
		{SLAB_ORDER_USUAL, SLAB_OBJECTS_LEAST, SLAB_WASTE_PART},
		{SLAB_ORDER_USUAL, 1, SLAB_WASTE_PART},
		{SLAB_ORDER_MOST, 1, 1},
	};

	for (uint32_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		for (uint32_t order = 0; order <= wishes[i].order_max; order++) {
			if (slab_suits(cache, order, wishes[i].objects_least,
				       wishes[i].waste_part)) {
				set_slab(cache, 1u << order);
				return;
			}
		}
	}
}

static bool args_are_sound(const struct quire_objects *objects,
			   const struct quire_kmem_cache_args *args)
{
	if (args->name == NULL || args->size == 0 || args->size > QUIRE_KMEM_SIZE_MAX)
		return false;
	if (args->align > QUIRE_PAGE_BYTES || (args->align & (args->align - 1)) != 0)
		return false;
	if ((args->flags & ~(uint32_t)FLAGS_ALL) != 0)
		return false;
	if ((args->flags & QUIRE_SLAB_POISON) != 0 && args->ctor != NULL)
		return false;
	if ((args->flags & QUIRE_SLAB_DMA) != 0 && objects->config.dma_zone == NULL)
		return false;
	return args->slab_bytes % QUIRE_PAGE_BYTES == 0 &&
	       args->slab_bytes / QUIRE_PAGE_BYTES <= QR_SLAB_FRAMES_MAX;
}

static void copy_name(struct quire_kmem_cache *cache, const char *name)
{
	for (uint32_t i = 0; i < sizeof(cache->name) - 1 && name[i] != '\0'; i++)
		cache->name[i] = name[i];
}

enum quire_status qr_cache_init(struct quire_kmem_cache *cache,
				struct quire_objects *objects,
				const struct quire_kmem_cache_args *args)
{
	if (!args_are_sound(objects, args))
		return QUIRE_INVALID;
	cache->objects = objects;
	cache->direct = objects->direct;
	cache->cpus = &objects->cpus[cache->id];
	cache->zone = (args->flags & QUIRE_SLAB_DMA) != 0 ? objects->config.dma_zone
							  : objects->zone;
	cache->size = (uint32_t)args->size;
	cache->align = args->align > 8 ? (uint32_t)args->align : 8;
	cache->flags = args->flags;
	cache->ctor = args->ctor;
	cache->nr_names = 1;
	if (qr_cache_is_debugged(cache))
		cache->flags |= QUIRE_SLAB_NO_MAGAZINE;
	lay_out_object(cache);
	choose_slab(cache);
	if (args->slab_bytes != 0)
		set_slab(cache, args->slab_bytes >> QUIRE_PAGE_SHIFT);
	if (cache->per_slab == 0)
		return QUIRE_INVALID;
	copy_name(cache, args->name);
	cache->secret = objects->config.secret ^ (uint64_t)(uintptr_t)cache;
	qr_lock_init(&cache->lock, objects->zone->port);
	qr_magazine_init(cache);
	return QUIRE_OK;
}

static bool may_merge(const struct quire_kmem_cache *cache)
{
	return cache->ctor == NULL &&
	       (cache->flags & (QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_NO_MAGAZINE)) == 0;
}

/* A cache that serves as well as one laid out like wanted; objects->lock is held. */
static struct quire_kmem_cache *find_like(struct quire_objects *objects,
					  const struct quire_kmem_cache *wanted)
{
	if (!may_merge(wanted))
		return NULL;
	for (struct quire_kmem_cache *c = objects->caches; c != NULL; c = c->next) {
		if (may_merge(c) && c->flags == wanted->flags &&
		    c->stride == wanted->stride && c->size >= wanted->size &&
		    c->align % wanted->align == 0 &&
		    c->slab_frames == wanted->slab_frames)
			return c;
	}
	return NULL;
}

static void append(struct quire_objects *objects, struct quire_kmem_cache *cache)
{
	struct quire_kmem_cache **at = &objects->caches;

	while (*at != NULL)
		at = &(*at)->next;
	*at = cache;
}

/* A free number for a cache, now taken; 0: there is none. */
static uint32_t take_id(struct quire_objects *objects, struct quire_kmem_cache *cache)
{
	uint32_t id = 1;

	qr_lock(&objects->lock);
	while (id < QR_CACHES_MAX && objects->by_id[id] != NULL)
		id++;
	if (id < QR_CACHES_MAX)
		objects->by_id[id] = cache;
	qr_unlock(&objects->lock);
	return id < QR_CACHES_MAX ? id : 0;
}

enum quire_status qr_cache_new(struct quire_objects *objects,
			       const struct quire_kmem_cache_args *args,
			       struct quire_kmem_cache **out)
{
	struct quire_kmem_cache *cache =
		qr_cache_alloc_direct(objects->boot, QR_CPU_NONE, 0, NULL);

	if (cache == NULL)
		return QUIRE_NO_MEMORY;
	memset(cache, 0, objects->boot->size);
	cache->id = take_id(objects, cache);
	if (cache->id == 0) {
		qr_cache_free_direct(objects->boot, QR_CPU_NONE, cache, NULL);
		return QUIRE_NO_MEMORY;
	}
	*out = cache;
	return qr_cache_init(cache, objects, args);
}

enum quire_status quire_kmem_cache_create(struct quire_objects *objects,
					  const struct quire_kmem_cache_args *args,
					  struct quire_kmem_cache **out)
{
	struct quire_kmem_cache wanted = {0}, *cache;
	enum quire_status status = qr_cache_init(&wanted, objects, args);

	if (status != QUIRE_OK)
		return status;
	qr_lock(&objects->lock);
	cache = find_like(objects, &wanted);
	if (cache != NULL)
		cache->nr_names++;
	qr_unlock(&objects->lock);
	if (cache == NULL) {
		status = qr_cache_new(objects, args, &cache);
		if (status != QUIRE_OK)
			return status;
		qr_lock(&objects->lock);
		append(objects, cache);
		qr_unlock(&objects->lock);
	}
	*out = cache;
	return QUIRE_OK;
}

void qr_cache_empty(struct quire_kmem_cache *cache)
{
	struct qr_slab *gone = NULL;

	for (uint32_t cpu = 0; cpu < cache->objects->config.nr_cpus; cpu++)
		qr_magazine_drain(cache, cpu);
	qr_magazine_drain_depot(cache);
	qr_lock(&cache->lock);
	qr_slab_trim(cache, 0, &gone);
	qr_unlock(&cache->lock);
	qr_slab_release(cache, gone);
}

void qr_cache_abandon(struct quire_kmem_cache *cache)
{
	/* Objects in use do not look like free ones. */
	cache->flags &= ~QUIRE_SLAB_DEBUG;
	qr_slab_release(cache, cache->full.head);
	qr_slab_release(cache, cache->partial.head);
	cache->full = (struct qr_slab_list){0};
	cache->partial = (struct qr_slab_list){0};
}

static void report(const struct quire_kmem_cache *cache, const void *object,
		   quire_kmem_leak_fn *leak, void *ctx)
{
	const struct qr_track *track = qr_debug_track(cache, object, 0);
	struct quire_kmem_leak it = {
		.cache = cache->name, .object = object, .bytes = cache->size};

	if (leak == NULL)
		qr_misuse(cache, QR_LEAKED, object, 0);
	if (track != NULL) {
		it.site = track->site;
		it.cpu = track->cpu;
	}
	leak(ctx, &it);
}

static uint64_t report_slab(const struct qr_slab *slab, quire_kmem_leak_fn *leak,
			    void *ctx)
{
	const struct quire_kmem_cache *cache = slab->cache;
	uint64_t bits[QR_SLAB_OBJECTS_MAX / 64] = {0};

	if (!qr_slab_mark_free(slab, bits))
		qr_misuse(cache, QR_LINK_LOST, slab->first, 0);
	for (uint32_t i = 0; i < cache->per_slab; i++) {
		if ((bits[i / 64] >> (i % 64) & 1) == 0)
			report(cache, slab->first + (size_t)i * cache->stride, leak, ctx);
	}
	return slab->nr_used;
}

uint64_t qr_cache_leaks(struct quire_kmem_cache *cache, quire_kmem_leak_fn *leak,
			void *ctx)
{
	uint64_t nr = 0;

	for (struct qr_slab *slab = cache->full.head; slab != NULL; slab = slab->next)
		nr += report_slab(slab, leak, ctx);
	for (struct qr_slab *slab = cache->partial.head; slab != NULL; slab = slab->next)
		nr += report_slab(slab, leak, ctx);
	return nr;
}

uint64_t quire_kmem_cache_destroy(struct quire_kmem_cache *cache,
				  quire_kmem_leak_fn *leak, void *ctx)
{
	struct quire_objects *objects = cache->objects;
	struct quire_kmem_cache **at = &objects->caches;
	uint64_t nr_leaked;

	qr_lock(&objects->lock);
	if (cache->nr_names > 1) {
		cache->nr_names--;
		qr_unlock(&objects->lock);
		return 0;
	}
	qr_unlock(&objects->lock);
	qr_cache_empty(cache);
	nr_leaked = qr_cache_leaks(cache, leak, ctx);
	if (nr_leaked != 0)
		return nr_leaked;

	qr_lock(&objects->lock);
	while (*at != NULL && *at != cache)
		at = &(*at)->next;
	QUIRE_ASSERT(*at == cache);
	*at = cache->next;
	objects->by_id[cache->id] = NULL;
	qr_unlock(&objects->lock);
	qr_cache_free_direct(objects->boot, QR_CPU_NONE, cache, NULL);
	return 0;
}

size_t quire_kmem_cache_size(const struct quire_kmem_cache *cache)
{
	return cache->size;
}
