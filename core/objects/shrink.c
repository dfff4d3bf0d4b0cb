/* SPDX-License-Identifier: MIT */
/* shrink.c - memory that is kept for speed alone goes back when it is short. */
#include "core/base/assert.h"
#include "core/objects/fast.h"

/* Linux's: reclaim starts by asking for a 4096th. */
#define PRIORITY_MOST  12u
#define BATCH_USUAL    128u
#define ATTEMPTS_MOST  4u
#define PRIORITY_STEPS (PRIORITY_MOST / (ATTEMPTS_MOST - 1))

uint32_t quire_kmem_cache_shrink(struct quire_kmem_cache *cache, uint32_t cpu)
{
	struct qr_slab *gone = NULL;
	uint32_t nr_frames = 0;

	atomic_fetch_add_explicit(&cache->drain_wanted, 1, memory_order_relaxed);
	if (cpu != QR_CPU_NONE)
		nr_frames += qr_magazine_drain(cache, cpu);
	nr_frames += qr_magazine_drain_depot(cache);
	qr_lock(&cache->lock);
	qr_slab_trim(cache, 0, &gone);
	qr_unlock(&cache->lock);
	return nr_frames + qr_slab_release(cache, gone);
}

void quire_shrinker_register(struct quire_objects *objects,
			     struct quire_shrinker *shrinker)
{
	qr_lock(&objects->lock);
	shrinker->nr_deferred = 0;
	shrinker->next = objects->shrinkers;
	objects->shrinkers = shrinker;
	qr_unlock(&objects->lock);
}

void quire_shrinker_unregister(struct quire_objects *objects,
			       struct quire_shrinker *shrinker)
{
	struct quire_shrinker **at = &objects->shrinkers;

	qr_lock(&objects->lock);
	while (*at != NULL && *at != shrinker)
		at = &(*at)->next;
	QUIRE_ASSERT(*at == shrinker);
	*at = shrinker->next;
	qr_unlock(&objects->lock);
}

/* A shrinker's share of what it could give at this priority, weighed by what its objects
 * cost to make anew; half of it where they cost nothing.  (Linux's do_shrink_slab.) */
static uint64_t share(const struct quire_shrinker *shrinker, uint64_t freeable,
		      uint32_t priority)
{
	if (shrinker->seeks == 0)
		return freeable / 2;
	return (freeable >> priority) * 4 / shrinker->seeks;
}

/* What a call is too small to scan is deferred to the next, up to twice all there is. */
static uint64_t run(struct quire_shrinker *shrinker, uint32_t priority)
{
	uint64_t batch = shrinker->batch != 0 ? shrinker->batch : BATCH_USUAL;
	uint64_t freeable = shrinker->count(shrinker->ctx);
	uint64_t delta, left, freed = 0;

	if (freeable == 0)
		return 0;
	delta = share(shrinker, freeable, priority);
	left = shrinker->nr_deferred + delta;
	if (left > 2 * freeable)
		left = 2 * freeable;
	while (left >= batch || left >= freeable) {
		uint64_t nr = left < batch ? left : batch;
		uint64_t got = nr != 0 ? shrinker->scan(shrinker->ctx, nr) : 0;

		if (got == QUIRE_SHRINK_STOP || nr == 0)
			break;
		freed += got;
		left -= nr;
	}
	shrinker->nr_deferred = left;
	return freed;
}

uint64_t quire_objects_shrink(struct quire_objects *objects, uint32_t cpu,
			      uint32_t priority)
{
	uint64_t freed = 0;

	if (atomic_exchange_explicit(&objects->is_shrinking, 1, memory_order_acquire) !=
	    0)
		return 0;
	qr_lock(&objects->lock);
	for (struct quire_shrinker *s = objects->shrinkers; s != NULL; s = s->next)
		freed += run(s, priority);
	for (struct quire_kmem_cache *c = objects->caches; c != NULL; c = c->next)
		freed += quire_kmem_cache_shrink(c, cpu);
	qr_unlock(&objects->lock);
	atomic_store_explicit(&objects->is_shrinking, 0, memory_order_release);
	return freed;
}

void quire_objects_drain(struct quire_objects *objects, uint32_t cpu)
{
	QUIRE_ASSERT(cpu < objects->config.nr_cpus);
	qr_lock(&objects->lock);
	for (struct quire_kmem_cache *c = objects->caches; c != NULL; c = c->next)
		qr_magazine_drain(c, cpu);
	qr_unlock(&objects->lock);
}

void qr_objects_watch(struct quire_objects *objects, const struct quire_zone *zone)
{
	const struct quire_objects_config *config = &objects->config;
	bool is_low;

	if (config->wake == NULL)
		return;
	qr_objects_lock_zone(objects, zone);
	is_low = qr_zone_free_frames(zone) < zone->low;
	qr_objects_unlock_zone(objects, zone);
	if (is_low)
		config->wake(config->ctx);
}

bool qr_objects_reclaim(struct quire_objects *objects, uint32_t cpu, uint32_t flags,
			uint32_t nr_frames, uint32_t attempt)
{
	const struct quire_objects_config *config = &objects->config;
	bool is_eased;

	if ((flags & QUIRE_GFP_ATOMIC) != 0 || attempt >= ATTEMPTS_MOST)
		return false;
	is_eased = quire_objects_shrink(objects, cpu,
					PRIORITY_MOST - attempt * PRIORITY_STEPS) != 0;
	if (config->pressure != NULL)
		is_eased |= config->pressure(config->ctx, cpu, nr_frames);
	/* A shrinker that gave nothing at a high priority may give at a lower one. */
	return is_eased || (objects->shrinkers != NULL && attempt + 1 < ATTEMPTS_MOST);
}
