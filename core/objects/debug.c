/* SPDX-License-Identifier: MIT */
/* debug.c - objects that show what was done to them.
 *
 * Model.  Around the bytes of an object lie, where the cache's flags ask for them: a red
 * zone before, a red zone behind, the link of the free list, and two tracks.
 *
 *   object - left   object      size       right      link_at   track_at
 *   | red zone      | bytes     | red zone |          | link    | alloc | free |
 *
 * Red zones hold one pattern while the object is free and another while it is in use;
 * the bytes of a free object hold a third.  The values are those of Linux, which readers
 * of dumps know by sight.
 */
#include "core/base/memory.h"
#include "core/objects/locate.h"
#include "core/objects/misuse.h"

#define RED_FREE    0xbb
#define RED_USED    0xcc
#define POISON_USED 0x5a /* handed out, and not written since */
#define POISON_FREE 0x6b
#define POISON_END  0xa5 /* the last byte of a free object */

/* The first of nr bytes that is not value, or nr. */
static uint32_t first_other(const unsigned char *bytes, uint32_t nr, unsigned char value)
{
	uint32_t i = 0;

	while (i < nr && bytes[i] == value)
		i++;
	return i;
}

static void set_red_zones(const struct quire_kmem_cache *cache, unsigned char *object,
			  int value)
{
	if ((cache->flags & QUIRE_SLAB_RED_ZONE) == 0)
		return;
	memset(object - cache->left, value, cache->left);
	memset(object + cache->size, value, cache->right - cache->size);
}

static void set_poison(const struct quire_kmem_cache *cache, unsigned char *object,
		       bool is_free)
{
	if ((cache->flags & QUIRE_SLAB_POISON) == 0)
		return;
	memset(object, is_free ? POISON_FREE : POISON_USED, cache->size);
	if (is_free)
		object[cache->size - 1] = POISON_END;
}

static struct qr_track *track_of(const struct quire_kmem_cache *cache,
				 unsigned char *object, uint32_t which)
{
	return (struct qr_track *)(void *)(object + cache->track_at) + which;
}

const struct qr_track *qr_debug_track(const struct quire_kmem_cache *cache,
				      const void *object, uint32_t which)
{
	const unsigned char *bytes = object;

	if ((cache->flags & QUIRE_SLAB_STORE_USER) == 0)
		return NULL;
	return (const struct qr_track *)(const void *)(bytes + cache->track_at) + which;
}

static void set_track(const struct quire_kmem_cache *cache, unsigned char *object,
		      uint32_t which, struct qr_track track)
{
	if ((cache->flags & QUIRE_SLAB_STORE_USER) != 0)
		*track_of(cache, object, which) = track;
}

void qr_debug_init(const struct quire_kmem_cache *cache, unsigned char *object)
{
	set_red_zones(cache, object, RED_FREE);
	set_poison(cache, object, true);
	set_track(cache, object, 0, (struct qr_track){0});
	set_track(cache, object, 1, (struct qr_track){0});
}

static void check_red_zones(const struct quire_kmem_cache *cache,
			    const unsigned char *object, unsigned char value)
{
	uint32_t right = cache->right - cache->size;
	uint32_t at = 0;

	while (at < cache->left && object[-1 - (int)at] == value)
		at++;
	if (at < cache->left)
		qr_misuse(cache, QR_UNDERRUN, object, at + 1);
	at = first_other(object + cache->size, right, value);
	if (at < right)
		qr_misuse(cache, QR_OVERRUN, object, cache->size + at);
}

static void check_poison(const struct quire_kmem_cache *cache,
			 const unsigned char *object)
{
	uint32_t at = first_other(object, cache->size - 1, POISON_FREE);

	if (at < cache->size - 1 || object[at] != POISON_END)
		qr_misuse(cache, QR_USE_AFTER_FREE, object, at);
}

void qr_debug_check(const struct qr_slab *slab, unsigned char *object, bool is_free)
{
	const struct quire_kmem_cache *cache = slab->cache;

	if (is_free && (cache->flags & QUIRE_SLAB_POISON) != 0)
		check_poison(cache, object);
	if ((cache->flags & QUIRE_SLAB_RED_ZONE) != 0)
		check_red_zones(cache, object, is_free ? RED_FREE : RED_USED);
}

static bool is_on_free_list(const struct qr_slab *slab, const void *object)
{
	const void *at = slab->free;

	for (uint32_t i = 0; at != NULL && i < slab->cache->per_slab; i++) {
		if (at == object)
			return true;
		at = qr_slab_next_free(slab, at);
	}
	return false;
}

static void check_slab(const struct qr_slab *slab, const void *object)
{
	uint64_t bits[QR_SLAB_OBJECTS_MAX / 64] = {0};

	if ((slab->cache->flags & QUIRE_SLAB_CONSISTENCY) != 0 &&
	    !qr_slab_mark_free(slab, bits))
		qr_misuse(slab->cache, QR_LINK_LOST, object, 0);
}

void qr_debug_alloc(const struct qr_slab *slab, unsigned char *object, uint32_t cpu,
		    const void *site)
{
	check_slab(slab, object);
	qr_debug_check(slab, object, true);
	set_red_zones(slab->cache, object, RED_USED);
	set_poison(slab->cache, object, false);
	set_track(slab->cache, object, 0, (struct qr_track){.site = site, .cpu = cpu});
}

void qr_debug_free(const struct qr_slab *slab, unsigned char *object, uint32_t cpu,
		   const void *site)
{
	if (is_on_free_list(slab, object))
		qr_misuse(slab->cache, QR_DOUBLE_FREE, object, 0);
	check_slab(slab, object);
	qr_debug_check(slab, object, false);
	set_red_zones(slab->cache, object, RED_FREE);
	set_poison(slab->cache, object, true);
	set_track(slab->cache, object, 1, (struct qr_track){.site = site, .cpu = cpu});
}

/* Locked. */
static void check_objects(struct qr_slab *slab)
{
	uint64_t bits[QR_SLAB_OBJECTS_MAX / 64] = {0};

	if (!qr_slab_mark_free(slab, bits))
		qr_misuse(slab->cache, QR_LINK_LOST, slab->first, 0);
	for (uint32_t i = 0; i < slab->cache->per_slab; i++)
		qr_debug_check(slab, slab->first + (size_t)i * slab->cache->stride,
			       (bits[i / 64] >> (i % 64) & 1) != 0);
}

void quire_kmem_cache_check(struct quire_kmem_cache *cache)
{
	struct qr_slab_list *lists[] = {&cache->full, &cache->partial, &cache->empty};

	qr_lock(&cache->lock);
	for (uint32_t i = 0; qr_cache_is_debugged(cache) && i < 3; i++) {
		for (struct qr_slab *slab = lists[i]->head; slab != NULL;
		     slab = slab->next)
			check_objects(slab);
	}
	qr_unlock(&cache->lock);
}
