/* SPDX-License-Identifier: MIT */
/* fast.h - the common path: an object from the CPU's loaded magazine, or onto it.
 *
 * Only who runs on a CPU touches its magazines, so nothing here is atomic but in name:
 * where the top is, onlookers read.
 */
#ifndef QUIRE_CORE_OBJECTS_FAST_H
#define QUIRE_CORE_OBJECTS_FAST_H

#include "core/base/memory.h"
#include "core/objects/cache.h"
#include "core/objects/locate.h"
#include "core/objects/misuse.h"

static inline struct qr_cpu_cache *qr_cpu_cache(const struct quire_kmem_cache *cache,
						uint32_t cpu)
{
	return &cache->cpus[cpu * QR_CACHES_MAX];
}

static inline void **qr_cpu_top(const struct qr_cpu_cache *cc)
{
	return atomic_load_explicit(&cc->top, memory_order_relaxed);
}

static inline void qr_cpu_set_top(struct qr_cpu_cache *cc, void **top)
{
	atomic_store_explicit(&cc->top, top, memory_order_relaxed);
}

static inline void **qr_cpu_end(const struct qr_cpu_cache *cc)
{
	return atomic_load_explicit(&cc->end, memory_order_relaxed);
}

static inline uint32_t qr_cpu_capacity(const struct qr_cpu_cache *cc)
{
	return atomic_load_explicit(&cc->capacity, memory_order_relaxed);
}

/* The bottom of the loaded magazine. */
static inline void **qr_cpu_bottom(const struct qr_cpu_cache *cc)
{
	return qr_cpu_end(cc) - qr_cpu_capacity(cc);
}

/* Objects in the loaded magazine; for an onlooker it may be any number up to what a
 * magazine holds, while the CPU changes magazines. */
static inline uint32_t qr_cpu_rounds(const struct qr_cpu_cache *cc)
{
	uintptr_t bytes = (uintptr_t)qr_cpu_top(cc) - (uintptr_t)qr_cpu_bottom(cc);
	uint32_t capacity = qr_cpu_capacity(cc);

	return bytes / sizeof(void *) <= capacity ? (uint32_t)(bytes / sizeof(void *))
						  : capacity;
}

/* An object off the top, or NULL. */
static inline void *qr_cpu_pop(struct qr_cpu_cache *cc)
{
	void **top = qr_cpu_top(cc);
	void *object = *top;

	if (__builtin_expect(object != NULL, true))
		qr_cpu_set_top(cc, top - 1);
	return object;
}

/* flags are looked at where the magazine is empty, or an object has to be cleared. */
static inline void *qr_cache_alloc(struct quire_kmem_cache *cache,
				   struct qr_cpu_cache *cc, uint32_t cpu, uint32_t flags,
				   const void *site)
{
	void **top = qr_cpu_top(cc);
	void *object = *top;

	if (__builtin_expect(object == NULL || (flags & QUIRE_GFP_ZERO) != 0, false))
		return qr_cache_alloc_slow(cache, cpu, flags, site);
	qr_cpu_set_top(cc, top - 1);
	return object;
}

/* object is one of the cache's. */
static inline void qr_cache_free(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc,
				 uint32_t cpu, void *object, const void *site)
{
	void **top = qr_cpu_top(cc);

	if (__builtin_expect(top == qr_cpu_end(cc), false)) {
		qr_cache_free_slow(cache, cpu, object, site);
		return;
	}
	if (__builtin_expect(*top == object, false))
		qr_misuse(cache, QR_DOUBLE_FREE, object, 0);
	top[1] = object;
	qr_cpu_set_top(cc, top + 1);
}

/* Whether the pointer is the address of an object of the cache, free or not. */
static inline bool qr_cache_owns(const struct quire_kmem_cache *cache,
				 const void *pointer)
{
	const struct quire_frame *frame = qr_frame_at(&cache->direct, pointer);

	return frame != NULL && qr_frame_cache_id(frame) == cache->id &&
	       qr_cache_has_offset(cache, qr_frame_offset(frame, pointer));
}

#endif
