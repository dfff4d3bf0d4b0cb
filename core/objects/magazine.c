/* SPDX-License-Identifier: MIT */
/* magazine.c - what a CPU does when its loaded magazine does not serve: the previous
 * magazine, the depot, the slabs. */
#include "core/objects/fast.h"
#include "core/objects/locate.h"

#include "core/base/assert.h"

/* Bytes of a magazine of each class.  A larger one is paid for by memory that nobody can
 * use, so caches start small, and grow when CPUs meet at the depot.  (FreeBSD's UMA.) */
static const uint16_t class_bytes[QR_MAGAZINE_CLASSES] = {64, 128, 256, 512, 1016};

/* Times that the lock was found held, for a step up. */
#define CONTENDED_MAX 32u

/* Full magazines of a CPU's that may wait in the depot: what one CPU allocates and
 * another frees passes through there. */
#define DEPOT_FULL_PER_CPU 4u

static struct qr_magazine *magazine_new(struct quire_kmem_cache *cache)
{
	struct quire_objects *objects = cache->objects;
	struct quire_pool *pool = &objects->magazines[cache->size_class];
	struct qr_magazine *magazine = NULL;
	uint32_t number;

	qr_objects_lock_zone(objects, objects->zone);
	if (pool->zone == NULL)
		qr_pool_init(pool, objects->zone, class_bytes[cache->size_class]);
	number = qr_pool_alloc(pool, 0);
	if (number != 0)
		magazine = qr_pool_at(pool, number);
	qr_objects_unlock_zone(objects, objects->zone);
	if (magazine == NULL)
		return NULL;
	magazine->number = number;
	magazine->size_class = (uint16_t)cache->size_class;
	/* All but the bottom. */
	magazine->capacity =
		(uint16_t)((pool->bytes - sizeof(*magazine)) / sizeof(void *) - 1);
	return magazine;
}

/* Returns the frames that this set free. */
static uint32_t magazines_delete(struct quire_kmem_cache *cache,
				 struct qr_magazine *chain)
{
	struct quire_objects *objects = cache->objects;
	uint32_t nr_frames = 0;

	qr_objects_lock_zone(objects, objects->zone);
	while (chain != NULL) {
		struct qr_magazine *next = chain->next;

		nr_frames += qr_pool_free(&objects->magazines[chain->size_class],
					  chain->number);
		chain = next;
	}
	qr_objects_unlock_zone(objects, objects->zone);
	return nr_frames;
}

static bool has_loaded(const struct qr_cpu_cache *cc)
{
	return qr_cpu_capacity(cc) != 0;
}

/* There is one. */
static struct qr_magazine *loaded(const struct qr_cpu_cache *cc)
{
	unsigned char *round = (unsigned char *)qr_cpu_bottom(cc);

	return (struct qr_magazine *)(void *)(round -
					      offsetof(struct qr_magazine, round));
}

static void set_rounds(struct qr_cpu_cache *cc, uint32_t rounds)
{
	qr_cpu_set_top(cc, qr_cpu_bottom(cc) + rounds);
}

static void load_rounds(struct qr_cpu_cache *cc, void **round, uint32_t capacity,
			uint32_t rounds)
{
	atomic_store_explicit(&cc->end, round + capacity, memory_order_relaxed);
	atomic_store_explicit(&cc->capacity, (uint16_t)capacity, memory_order_relaxed);
	set_rounds(cc, rounds);
}

static void load(struct qr_cpu_cache *cc, struct qr_magazine *magazine, uint32_t rounds)
{
	load_rounds(cc, magazine->round, magazine->capacity, rounds);
}

static void unload_all(const struct quire_kmem_cache *cache, struct qr_cpu_cache *cc)
{
	load_rounds(cc, &cache->objects->nothing, 0, 0);
}

void qr_magazine_init(struct quire_kmem_cache *cache)
{
	struct quire_objects *objects = cache->objects;
	uint32_t capacity;

	/* Of small objects as many as a bulk call usually asks for, and more. */
	if (cache->stride <= 128)
		cache->size_class = 3;
	else if (cache->stride <= 512)
		cache->size_class = 2;
	else
		cache->size_class = cache->stride <= 2048 ? 1 : 0;
	cache->size_class_max = cache->stride <= 4096 ? cache->size_class + 1 : 0;
	cache->depot_max = DEPOT_FULL_PER_CPU * objects->config.nr_cpus;
	/* As many as two magazines have objects for: who empties and fills his magazines
	 * by turns does not make and unmake slabs. */
	capacity = class_bytes[cache->size_class] / (uint32_t)sizeof(void *);
	cache->empty_max = 1 + 2 * capacity / cache->per_slab;
	for (uint32_t cpu = 0; cpu < objects->config.nr_cpus; cpu++)
		unload_all(cache, qr_cpu_cache(cache, cpu));
}

static uint32_t previous_rounds(const struct qr_cpu_cache *cc)
{
	return atomic_load_explicit(&cc->previous_rounds, memory_order_relaxed);
}

static void set_previous(struct qr_cpu_cache *cc, struct qr_magazine *magazine,
			 uint32_t rounds)
{
	cc->previous = magazine;
	atomic_store_explicit(&cc->previous_rounds, rounds, memory_order_relaxed);
}

static void swap(struct qr_cpu_cache *cc)
{
	struct qr_magazine *magazine = loaded(cc);
	uint32_t rounds = qr_cpu_rounds(cc);

	load(cc, cc->previous, previous_rounds(cc));
	set_previous(cc, magazine, rounds);
}

/* On the way to the depot: takes the cache's lock, and sees whether CPUs meet there. */
static void lock_depot(struct quire_kmem_cache *cache)
{
	bool meets = qr_lock_is_held(&cache->lock);

	qr_lock(&cache->lock);
	if (!meets || cache->size_class == cache->size_class_max)
		return;
	if (++cache->nr_contended == CONTENDED_MAX) {
		cache->nr_contended = 0;
		cache->size_class++;
	}
}

static void depot_push_full(struct quire_kmem_cache *cache, struct qr_magazine *magazine,
			    uint32_t rounds)
{
	magazine->rounds = rounds;
	magazine->next = cache->depot_full;
	cache->depot_full = magazine;
	atomic_fetch_add_explicit(&cache->nr_depot_full, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&cache->depot_rounds, rounds, memory_order_relaxed);
}

static struct qr_magazine *depot_pop_full(struct quire_kmem_cache *cache)
{
	struct qr_magazine *magazine = cache->depot_full;

	if (magazine == NULL)
		return NULL;
	cache->depot_full = magazine->next;
	atomic_fetch_sub_explicit(&cache->nr_depot_full, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&cache->depot_rounds, magazine->rounds,
				  memory_order_relaxed);
	return magazine;
}

static void depot_push_empty(struct quire_kmem_cache *cache, struct qr_magazine *magazine)
{
	magazine->next = cache->depot_empty;
	cache->depot_empty = magazine;
	cache->nr_depot_empty++;
}

/* One of the cache's present class; others on the way go to dead. */
static struct qr_magazine *depot_pop_empty(struct quire_kmem_cache *cache,
					   struct qr_magazine **dead)
{
	while (cache->depot_empty != NULL) {
		struct qr_magazine *magazine = cache->depot_empty;

		cache->depot_empty = magazine->next;
		cache->nr_depot_empty--;
		if (magazine->size_class == cache->size_class)
			return magazine;
		magazine->next = *dead;
		*dead = magazine;
	}
	return NULL;
}

/* Locked. */
static void flush(struct quire_kmem_cache *cache, struct qr_magazine *magazine,
		  uint32_t rounds, struct qr_slab **gone)
{
	for (uint32_t i = 1; i <= rounds; i++)
		qr_slab_put(cache, magazine->round[i], gone);
}

/* The loaded magazine, empty, gets objects; false where there are none. */
static bool reload(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc)
{
	struct qr_magazine *full;
	uint32_t rounds;

	lock_depot(cache);
	full = depot_pop_full(cache);
	if (full != NULL) {
		if (cc->previous != NULL)
			depot_push_empty(cache, cc->previous);
		set_previous(cc, loaded(cc), 0);
		rounds = full->rounds;
		load(cc, full, rounds);
	} else {
		rounds = qr_slab_take(cache, qr_cpu_capacity(cc), qr_cpu_bottom(cc) + 1);
		set_rounds(cc, rounds);
	}
	qr_unlock(&cache->lock);
	return rounds > 0;
}

/* A first magazine, where there is memory for it. */
static bool has_magazine(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc)
{
	struct qr_magazine *magazine;

	if (has_loaded(cc))
		return true;
	if ((cache->flags & QUIRE_SLAB_NO_MAGAZINE) != 0)
		return false;
	magazine = magazine_new(cache);
	if (magazine != NULL)
		load(cc, magazine, 0);
	return magazine != NULL;
}

void *qr_cache_alloc_direct(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags,
			    const void *site)
{
	void *object;
	uint32_t nr;

	for (;;) {
		qr_lock(&cache->lock);
		nr = qr_slab_take(cache, 1, &object);
		if (nr != 0 && qr_cache_is_debugged(cache))
			qr_debug_alloc(qr_slab_of(cache, object), object, cpu, site);
		qr_unlock(&cache->lock);
		if (nr != 0)
			return object;
		if (!qr_slab_new(cache, cpu, flags))
			return NULL;
	}
}

void qr_cache_free_direct(struct quire_kmem_cache *cache, uint32_t cpu, void *object,
			  const void *site)
{
	struct qr_slab *gone = NULL;

	qr_lock(&cache->lock);
	if (qr_cache_is_debugged(cache))
		qr_debug_free(qr_slab_of(cache, object), object, cpu, site);
	qr_slab_put(cache, object, &gone);
	qr_unlock(&cache->lock);
	qr_slab_release(cache, gone);
}

static void *alloc_slow(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags,
			const void *site)
{
	struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);

	for (;;) {
		void *object = qr_cpu_pop(cc);

		if (object != NULL)
			return object;
		if (!has_magazine(cache, cc))
			return qr_cache_alloc_direct(cache, cpu, flags, site);
		if (previous_rounds(cc) > 0)
			swap(cc);
		/* Memory may become short on the way: the magazines are gone then. */
		else if (!reload(cache, cc) && !qr_slab_new(cache, cpu, flags))
			return NULL;
	}
}

void *qr_cache_alloc_slow(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags,
			  const void *site)
{
	void *object;

	QUIRE_ASSERT(cpu < cache->objects->config.nr_cpus);
	object = alloc_slow(cache, cpu, flags, site);
	if ((flags & QUIRE_GFP_ZERO) != 0 && object != NULL)
		memset(object, 0, cache->size);
	return object;
}

/* Whether memory was short since this CPU asked last. */
static bool should_drain(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc)
{
	uint16_t wanted =
		atomic_load_explicit(&cache->drain_wanted, memory_order_relaxed);
	bool is_news = cc->drain_seen != wanted;

	cc->drain_seen = wanted;
	return is_news;
}

/* The loaded magazine is full: an empty one takes its place.  spare, where it is not
 * NULL, is one; it is used, or put by.  False: none was at hand, and a spare would help. */
static bool unload(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc,
		   struct qr_magazine *spare, bool may_ask)
{
	struct qr_magazine *dead = NULL, *empty;
	struct qr_slab *gone = NULL;
	bool is_done = true;

	lock_depot(cache);
	if (spare != NULL)
		depot_push_empty(cache, spare);
	if (cc->previous != NULL &&
	    (cache->nr_depot_full >= cache->depot_max || should_drain(cache, cc))) {
		flush(cache, cc->previous, previous_rounds(cc), &gone);
		set_previous(cc, cc->previous, 0);
		swap(cc);
	} else if ((empty = depot_pop_empty(cache, &dead)) != NULL) {
		if (cc->previous != NULL)
			depot_push_full(cache, cc->previous, previous_rounds(cc));
		set_previous(cc, loaded(cc), qr_cpu_rounds(cc));
		load(cc, empty, 0);
	} else if (may_ask) {
		is_done = false;
	} else {
		flush(cache, loaded(cc), qr_cpu_rounds(cc), &gone);
		set_rounds(cc, 0);
	}
	qr_unlock(&cache->lock);
	qr_slab_release(cache, gone);
	if (dead != NULL)
		(void)magazines_delete(cache, dead);
	return is_done;
}

void qr_cache_free_slow(struct quire_kmem_cache *cache, uint32_t cpu, void *object,
			const void *site)
{
	struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);

	QUIRE_ASSERT(cpu < cache->objects->config.nr_cpus);
	if (cache == cache->objects->large) {
		qr_kmalloc_free_large(cache->objects, object);
		return;
	}
	if (!has_magazine(cache, cc)) {
		qr_cache_free_direct(cache, cpu, object, site);
		return;
	}
	if (qr_cpu_top(cc) == qr_cpu_end(cc)) {
		if (cc->previous != NULL && previous_rounds(cc) == 0)
			swap(cc);
		else if (!unload(cache, cc, NULL, true))
			unload(cache, cc, magazine_new(cache), false);
	}
	qr_cache_free(cache, cc, cpu, object, site);
}

/* Objects to the slabs, magazines to their pools; magazines are not the depot's any more.
 * Returns the frames that this set free. */
static uint32_t dissolve(struct quire_kmem_cache *cache, struct qr_magazine *chain)
{
	struct qr_slab *gone = NULL;
	uint32_t nr_frames;

	if (chain == NULL)
		return 0;
	qr_lock(&cache->lock);
	for (struct qr_magazine *m = chain; m != NULL; m = m->next)
		flush(cache, m, m->rounds, &gone);
	qr_unlock(&cache->lock);
	nr_frames = magazines_delete(cache, chain);
	return nr_frames + qr_slab_release(cache, gone);
}

uint32_t qr_magazine_drain(struct quire_kmem_cache *cache, uint32_t cpu)
{
	struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);
	struct qr_magazine *chain;

	if (!has_loaded(cc))
		return 0;
	chain = loaded(cc);
	chain->rounds = qr_cpu_rounds(cc);
	chain->next = cc->previous;
	if (chain->next != NULL) {
		chain->next->rounds = previous_rounds(cc);
		chain->next->next = NULL;
	}
	unload_all(cache, cc);
	set_previous(cc, NULL, 0);
	return dissolve(cache, chain);
}

uint32_t qr_magazine_drain_depot(struct quire_kmem_cache *cache)
{
	struct qr_magazine *chain = NULL, *magazine;

	qr_lock(&cache->lock);
	while ((magazine = depot_pop_full(cache)) != NULL) {
		magazine->next = chain;
		chain = magazine;
	}
	while (cache->depot_empty != NULL) {
		magazine = cache->depot_empty;
		cache->depot_empty = magazine->next;
		cache->nr_depot_empty--;
		magazine->rounds = 0;
		magazine->next = chain;
		chain = magazine;
	}
	qr_unlock(&cache->lock);
	return dissolve(cache, chain);
}
