/* SPDX-License-Identifier: MIT */
/* objects.c - an allocator from its first frame to its last. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/objects/fast.h"

void qr_objects_lock_zone(struct quire_objects *objects)
{
	if (objects->config.zone_lock != NULL)
		qr_lock(objects->config.zone_lock);
}

void qr_objects_unlock_zone(struct quire_objects *objects)
{
	if (objects->config.zone_lock != NULL)
		qr_unlock(objects->config.zone_lock);
}

static bool config_is_sound(const struct quire_objects_config *config)
{
	return config->zone != NULL && config->nr_cpus >= 1 &&
	       config->nr_cpus <= QUIRE_OBJECTS_CPUS_MAX;
}

/* The cache of caches lies right behind the allocator, on a line of its own. */
static size_t boot_offset(void)
{
	return (sizeof(struct quire_objects) + QR_LINE_BYTES - 1) &
	       ~(size_t)(QR_LINE_BYTES - 1);
}

static uint32_t order_for(size_t bytes)
{
	uint32_t order = 0;

	while (QUIRE_PAGE_BYTES << order < bytes)
		order++;
	return order;
}

static enum quire_status init_boot(struct quire_objects *objects)
{
	struct quire_kmem_cache_args args = {
		.name = "kmem_cache",
		.size = sizeof(struct quire_kmem_cache),
		.align = QR_LINE_BYTES,
		.flags = QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_NO_MAGAZINE,
	};

	objects->boot->id = QR_BOOT_ID;
	objects->by_id[QR_BOOT_ID] = objects->boot;
	return qr_cache_init(objects->boot, objects, &args);
}

static bool take_table(const struct quire_objects_config *config, uint32_t order,
		       quire_pfn *out)
{
	bool got;

	if (config->zone_lock != NULL)
		qr_lock(config->zone_lock);
	got = qr_zone_alloc_block(config->zone, QUIRE_FRAME_TABLE, order,
				  QUIRE_ALLOC_ZERO, out);
	if (config->zone_lock != NULL)
		qr_unlock(config->zone_lock);
	return got;
}

static void give_table(const struct quire_objects_config *config, quire_pfn pfn,
		       uint32_t order)
{
	if (config->zone_lock != NULL)
		qr_lock(config->zone_lock);
	qr_zone_free_block(config->zone, pfn, order);
	if (config->zone_lock != NULL)
		qr_unlock(config->zone_lock);
}

/* The allocator and the CPUs' part of it, all zero, in two blocks; or NULL. */
static struct quire_objects *reserve(const struct quire_objects_config *config)
{
	size_t cpu_bytes = QR_CACHES_MAX * sizeof(struct qr_cpu_cache);
	uint32_t order = order_for(boot_offset() + sizeof(struct quire_kmem_cache));
	uint32_t cpus_order = order_for(config->nr_cpus * cpu_bytes);
	struct quire_objects *objects;
	quire_pfn pfn, cpus_pfn;

	if (!take_table(config, order, &pfn))
		return NULL;
	if (!take_table(config, cpus_order, &cpus_pfn)) {
		give_table(config, pfn, order);
		return NULL;
	}
	objects = qr_zone_address(config->zone, pfn);
	objects->pfn = pfn;
	objects->order = order;
	objects->cpus_pfn = cpus_pfn;
	objects->cpus_order = cpus_order;
	objects->cpus = qr_zone_address(config->zone, cpus_pfn);
	return objects;
}

enum quire_status quire_objects_open(struct quire_objects **out,
				     const struct quire_objects_config *config)
{
	struct quire_objects *objects;
	enum quire_status status;

	if (!config_is_sound(config))
		return QUIRE_INVALID;
	objects = reserve(config);
	if (objects == NULL)
		return QUIRE_NO_MEMORY;
	objects->config = *config;
	objects->zone = config->zone;
	objects->direct = qr_direct_of(config->zone);
	objects->boot = (struct quire_kmem_cache *)(void *)((unsigned char *)objects +
							    boot_offset());
	qr_lock_init(&objects->lock, config->zone->port);
	qr_pool_init(&objects->slabs, config->zone, sizeof(struct qr_slab));
	status = init_boot(objects);
	if (status == QUIRE_OK)
		status = qr_kmalloc_init(objects);
	if (status != QUIRE_OK) {
		quire_objects_close(objects, NULL, NULL);
		return status;
	}
	*out = objects;
	return QUIRE_OK;
}

/* Reports the blocks of frames that kmalloc handed out whole, and gives them back. */
static uint64_t close_large(struct quire_objects *objects, struct quire_zone *zone,
			    quire_kmem_leak_fn *leak, void *ctx)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < zone->buddy.nr_frames; i++) {
		quire_pfn pfn = {zone->base + i};
		const struct quire_frame *frame = qr_zone_frame(zone, pfn);
		struct quire_kmem_leak it = {.cache = objects->large->name,
					     .object = qr_zone_address(zone, pfn)};
		uint32_t order;

		if (frame->use != QUIRE_FRAME_SLAB ||
		    qr_frame_slab(frame) != &objects->large_slab ||
		    !qr_frame_heads_large(frame, &order))
			continue;
		it.bytes = QUIRE_PAGE_BYTES << order;
		if (leak == NULL)
			qr_misuse(objects->large, QR_LEAKED, it.object, 0);
		leak(ctx, &it);
		qr_kmalloc_free_large(objects, it.object);
		nr++;
	}
	return nr;
}

/* The boot cache's objects are the caches: they go last, and are nobody's leak. */
static void close_caches(struct quire_objects *objects)
{
	for (struct quire_kmem_cache *c = objects->caches; c != NULL; c = c->next)
		qr_cache_abandon(c);
	qr_cache_empty(objects->boot);
	qr_cache_abandon(objects->boot);
	qr_objects_lock_zone(objects);
	for (uint32_t i = 0; i < QR_MAGAZINE_CLASSES; i++) {
		if (objects->magazines[i].zone != NULL)
			qr_pool_destroy(&objects->magazines[i]);
	}
	qr_pool_destroy(&objects->slabs);
	qr_objects_unlock_zone(objects);
}

uint64_t quire_objects_close(struct quire_objects *objects, quire_kmem_leak_fn *leak,
			     void *ctx)
{
	struct quire_objects_config config = objects->config;
	uint64_t nr = 0;

	for (struct quire_kmem_cache *c = objects->caches; c != NULL; c = c->next) {
		qr_cache_empty(c);
		nr += qr_cache_leaks(c, leak, ctx);
	}
	if (objects->nr_large_frames != 0)
		nr += close_large(objects, config.zone, leak, ctx);
	if (objects->nr_large_frames != 0)
		nr += close_large(objects, config.dma_zone, leak, ctx);
	close_caches(objects);
	give_table(&config, objects->cpus_pfn, objects->cpus_order);
	give_table(&config, objects->pfn, objects->order);
	return nr;
}

static uint64_t magazine_rounds(const struct quire_kmem_cache *cache)
{
	uint64_t rounds =
		atomic_load_explicit(&cache->depot_rounds, memory_order_relaxed);

	for (uint32_t cpu = 0; cpu < cache->objects->config.nr_cpus; cpu++) {
		const struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);

		rounds += qr_cpu_rounds(cc);
		rounds +=
			atomic_load_explicit(&cc->previous_rounds, memory_order_relaxed);
	}
	return rounds;
}

/* The cache's lock is held. */
static void fill_info(struct quire_kmem_cache *cache, struct quire_slabinfo *out)
{
	uint64_t used = cache->full.nr * cache->per_slab;
	uint64_t idle = magazine_rounds(cache);

	for (const struct qr_slab *slab = cache->partial.head; slab != NULL;
	     slab = slab->next)
		used += slab->nr_used;
	*out = (struct quire_slabinfo){
		/* A CPU may move objects meanwhile: the sum is then a little off. */
		.active_objs = used > idle ? used - idle : 0,
		.objsize = cache->stride,
		.objperslab = cache->per_slab,
		.pagesperslab = cache->slab_frames,
		.active_slabs = cache->full.nr + cache->partial.nr,
		.num_slabs = cache->full.nr + cache->partial.nr + cache->empty.nr,
		.limit = 2 * cache->cpus->capacity,
		.batchcount = cache->cpus->capacity,
		.sharedavail =
			atomic_load_explicit(&cache->depot_rounds, memory_order_relaxed),
		.aliases = cache->nr_names - 1,
		.full = cache->full.nr,
		.partial = cache->partial.nr,
		.empty = cache->empty.nr,
	};
	out->num_objs = out->num_slabs * cache->per_slab;
	memcpy(out->name, cache->name, sizeof(out->name));
}

bool quire_slabinfo(struct quire_objects *objects, uint32_t index,
		    struct quire_slabinfo *out)
{
	struct quire_kmem_cache *cache = objects->boot;

	qr_lock(&objects->lock);
	if (index > 0)
		cache = objects->caches;
	while (cache != NULL && index > 1) {
		cache = cache->next;
		index--;
	}
	if (cache != NULL) {
		qr_lock(&cache->lock);
		fill_info(cache, out);
		qr_unlock(&cache->lock);
	}
	qr_unlock(&objects->lock);
	return cache != NULL;
}
