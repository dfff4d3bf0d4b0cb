/* SPDX-License-Identifier: MIT */
/* slab.c - slabs: their frames, their free lists, and which list of the cache they are
 * on. */
#include "core/base/memory.h"
#include "core/objects/locate.h"
#include "core/objects/misuse.h"

static struct qr_slab_list *list_for(struct quire_kmem_cache *cache, uint32_t nr_used)
{
	if (nr_used == 0)
		return &cache->empty;
	return nr_used == cache->per_slab ? &cache->full : &cache->partial;
}

static void list_push(struct qr_slab_list *list, struct qr_slab *slab)
{
	slab->prev = NULL;
	slab->next = list->head;
	if (list->head != NULL)
		list->head->prev = slab;
	list->head = slab;
	list->nr++;
}

static void list_remove(struct qr_slab_list *list, struct qr_slab *slab)
{
	if (slab->next != NULL)
		slab->next->prev = slab->prev;
	if (slab->prev != NULL)
		slab->prev->next = slab->next;
	else
		list->head = slab->next;
	list->nr--;
}

static void set_used(struct qr_slab *slab, uint32_t nr_used)
{
	struct qr_slab_list *from = list_for(slab->cache, slab->nr_used);
	struct qr_slab_list *to = list_for(slab->cache, nr_used);

	slab->nr_used = nr_used;
	if (from == to)
		return;
	list_remove(from, slab);
	list_push(to, slab);
}

/* A link's value goes through the secret and the link's own address, so that neither an
 * overrun nor the reader of one link can make another.  The operation is its own
 * inverse. */
static uintptr_t link_coded(const struct quire_kmem_cache *cache, const void *at,
			    uintptr_t value)
{
	if ((cache->flags & QUIRE_SLAB_ENCODED) == 0)
		return value;
	return value ^ (uintptr_t)cache->secret ^
	       (uintptr_t)__builtin_bswap64((uint64_t)(uintptr_t)at);
}

static void link_write(const struct quire_kmem_cache *cache, void *object,
		       const void *next)
{
	unsigned char *at = (unsigned char *)object + cache->link_at;
	uintptr_t value = link_coded(cache, at, (uintptr_t)next);

	memcpy(at, &value, sizeof(value));
}

/* What the link says, right or wrong. */
static void *link_read(const struct quire_kmem_cache *cache, const void *object)
{
	const unsigned char *at = (const unsigned char *)object + cache->link_at;
	uintptr_t value;

	memcpy(&value, at, sizeof(value));
	return (void *)link_coded(cache, at, value);
}

void *qr_slab_next_free(const struct qr_slab *slab, const void *object)
{
	void *next = link_read(slab->cache, object);

	if (next != NULL && !qr_slab_has_object(slab, next))
		qr_misuse(slab->cache, QR_LINK_LOST, object, 0);
	return next;
}

uint32_t qr_slab_index(const struct qr_slab *slab, const void *object)
{
	return (uint32_t)((const unsigned char *)object - slab->first) /
	       slab->cache->stride;
}

bool qr_slab_mark_free(const struct qr_slab *slab, uint64_t *bits)
{
	uint32_t nr_free = slab->cache->per_slab - slab->nr_used;
	const void *object = slab->free;

	for (; object != NULL; object = link_read(slab->cache, object)) {
		uint32_t index;

		if (nr_free-- == 0 || !qr_slab_has_object(slab, object))
			return false;
		index = qr_slab_index(slab, object);
		if ((bits[index / 64] >> (index % 64) & 1) != 0)
			return false;
		bits[index / 64] |= (uint64_t)1 << (index % 64);
	}
	return nr_free == 0;
}

static uint32_t zone_flags(uint32_t flags)
{
	return (flags & QUIRE_GFP_ATOMIC) != 0 ? QUIRE_ALLOC_RESERVE : 0;
}

/* Slabs start their objects at different lines, so that like objects of many slabs do
 * not all fall into the same sets of the processor's caches.  (Bonwick 1994, 4.)  The
 * zone's lock is held. */
static uint32_t take_colour(struct quire_kmem_cache *cache)
{
	uint32_t step = cache->align > QR_LINE_BYTES ? cache->align : QR_LINE_BYTES;
	uint32_t colour = cache->next_colour;

	cache->next_colour = colour + 1 < cache->nr_colours ? colour + 1 : 0;
	return colour * step;
}

static bool is_block(const struct quire_kmem_cache *cache)
{
	return cache->slab_frames == 1u << cache->slab_order;
}

/* A block, or a run where blocks would waste some of it.  The zone's lock is held. */
static bool take_frames(struct quire_kmem_cache *cache, uint32_t flags, quire_pfn *out)
{
	if (is_block(cache))
		return qr_zone_alloc_block(cache->zone, QUIRE_FRAME_SLAB,
					   cache->slab_order, flags, out);
	return qr_zone_alloc_run(cache->zone, QUIRE_FRAME_SLAB, cache->slab_frames, 1,
				 flags, out);
}

/* Buddy systems with uneven blocks may give more than was asked for. */
uint32_t qr_slab_frames(const struct qr_slab *slab)
{
	const struct quire_kmem_cache *cache = slab->cache;

	return is_block(cache) ? qr_zone_block_frames(cache->zone, slab->pfn)
			       : cache->slab_frames;
}

static void give_frames(struct quire_kmem_cache *cache, quire_pfn pfn)
{
	if (is_block(cache))
		qr_zone_free_block(cache->zone, pfn, cache->slab_order);
	else
		qr_zone_free_run(cache->zone, pfn, cache->slab_frames);
}

/* The descriptor and the frames of a slab, or NULL; seed is different each time. */
static struct qr_slab *reserve(struct quire_kmem_cache *cache, uint32_t flags,
			       uint64_t *seed)
{
	struct quire_objects *objects = cache->objects;
	struct qr_slab *slab;
	uint32_t number, colour;
	quire_pfn pfn;

	number = qr_pool_alloc(&objects->slabs, zone_flags(flags));
	if (number == 0)
		return NULL;
	if (!take_frames(cache, zone_flags(flags), &pfn)) {
		qr_pool_free(&objects->slabs, number);
		return NULL;
	}
	slab = qr_pool_at(&objects->slabs, number);
	*slab = (struct qr_slab){.cache = cache, .number = number, .pfn = pfn};
	colour = take_colour(cache) + cache->left;
	slab->first = (unsigned char *)qr_zone_address(cache->zone, pfn) + colour;
	for (uint32_t i = 0; i < qr_slab_frames(slab); i++)
		qr_frame_own(qr_zone_frame(cache->zone, (quire_pfn){pfn.n + i}), slab,
			     cache->id, (i << QUIRE_PAGE_SHIFT) - colour);
	*seed = cache->secret ^ ++objects->nr_slabs_made;
	return slab;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* The order in which a new slab's objects are handed out.  (Fisher & Yates.) */
static void choose_order(const struct quire_kmem_cache *cache, uint64_t seed,
			 uint16_t *order)
{
	for (uint32_t i = 0; i < cache->per_slab; i++) {
		uint32_t j = i;

		if ((cache->flags & QUIRE_SLAB_RANDOM) != 0)
			j = (uint32_t)(random_next(&seed) >> 32) % (i + 1);
		order[i] = order[j];
		order[j] = (uint16_t)i;
	}
}

static void make_objects(struct qr_slab *slab, uint64_t seed)
{
	const struct quire_kmem_cache *cache = slab->cache;
	uint16_t order[QR_SLAB_OBJECTS_MAX] = {0};
	void *next = NULL;

	choose_order(cache, seed, order);
	for (uint32_t i = cache->per_slab; i-- > 0;) {
		unsigned char *object = slab->first + (size_t)order[i] * cache->stride;

		if (qr_cache_is_debugged(cache))
			qr_debug_init(cache, object);
		if (cache->ctor != NULL)
			cache->ctor(object);
		link_write(cache, object, next);
		next = object;
	}
	slab->free = next;
}

bool qr_slab_new(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags)
{
	struct quire_objects *objects = cache->objects;
	struct qr_slab *slab = NULL;
	uint64_t seed = 0;

	for (uint32_t attempt = 0; slab == NULL; attempt++) {
		qr_objects_lock_zone(objects, cache->zone);
		slab = reserve(cache, flags, &seed);
		qr_objects_unlock_zone(objects, cache->zone);
		if (slab == NULL &&
		    !qr_objects_reclaim(objects, cpu, flags, cache->slab_frames, attempt))
			return false;
	}
	qr_objects_watch(objects, cache->zone);
	make_objects(slab, seed);
	qr_lock(&cache->lock);
	list_push(&cache->empty, slab);
	qr_unlock(&cache->lock);
	return true;
}

static uint32_t take_from(struct qr_slab *slab, uint32_t nr, void **out)
{
	uint32_t taken = 0;

	while (taken < nr && slab->free != NULL) {
		out[taken] = slab->free;
		slab->free = qr_slab_next_free(slab, slab->free);
		taken++;
	}
	if (taken > slab->cache->per_slab - slab->nr_used)
		qr_misuse(slab->cache, QR_LINK_LOST, out[taken - 1], 0);
	set_used(slab, slab->nr_used + taken);
	return taken;
}

uint32_t qr_slab_take(struct quire_kmem_cache *cache, uint32_t nr, void **out)
{
	uint32_t taken = 0;

	while (taken < nr) {
		struct qr_slab *slab = cache->partial.head;

		if (slab == NULL)
			slab = cache->empty.head;
		if (slab == NULL)
			break;
		taken += take_from(slab, nr - taken, out + taken);
	}
	return taken;
}

void qr_slab_trim(struct quire_kmem_cache *cache, uint64_t keep, struct qr_slab **gone)
{
	while (cache->empty.nr > keep) {
		struct qr_slab *slab = cache->empty.head;

		list_remove(&cache->empty, slab);
		slab->next = *gone;
		*gone = slab;
	}
}

void qr_slab_put(struct quire_kmem_cache *cache, void *object, struct qr_slab **gone)
{
	struct qr_slab *slab = qr_slab_of(cache, object);

	if (slab->free == object || slab->nr_used == 0)
		qr_misuse(cache, QR_DOUBLE_FREE, object, 0);
	link_write(cache, object, slab->free);
	slab->free = object;
	set_used(slab, slab->nr_used - 1);
	if (slab->nr_used == 0)
		qr_slab_trim(cache, cache->empty_max, gone);
}

uint32_t qr_slab_release(struct quire_kmem_cache *cache, struct qr_slab *gone)
{
	struct quire_objects *objects = cache->objects;
	uint32_t nr_frames = 0;

	while (gone != NULL) {
		struct qr_slab *slab = gone;

		gone = slab->next;
		for (uint32_t i = 0; qr_cache_is_debugged(cache) && i < cache->per_slab;
		     i++)
			qr_debug_check(slab, slab->first + (size_t)i * cache->stride,
				       true);
		qr_objects_lock_zone(objects, cache->zone);
		give_frames(cache, slab->pfn);
		nr_frames += qr_pool_free(&objects->slabs, slab->number);
		qr_objects_unlock_zone(objects, cache->zone);
		nr_frames += cache->slab_frames;
	}
	return nr_frames;
}
