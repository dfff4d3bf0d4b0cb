/* SPDX-License-Identifier: MIT */
/* alloc.c - objects out of caches and back. */
#include "core/base/assert.h"
#include "core/objects/fast.h"

/* Who called the function that this stands in. */
#define CALLER __builtin_return_address(0)

void *quire_kmem_cache_alloc(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags)
{
	QUIRE_EXPECT((flags & QUIRE_GFP_ZERO) == 0 || cache->ctor == NULL);
	return qr_cache_alloc(cache, qr_cpu_cache(cache, cpu), cpu, flags, CALLER);
}

void quire_kmem_cache_free(struct quire_kmem_cache *cache, uint32_t cpu, void *object)
{
	if (__builtin_expect(!qr_cache_owns(cache, object), false)) {
		if (object != NULL)
			qr_misuse_of_pointer(cache->objects, cache, object);
		return;
	}
	qr_cache_free(cache, qr_cpu_cache(cache, cpu), cpu, object, CALLER);
}

/* As many as the loaded magazine has, at most nr. */
static uint32_t take_rounds(struct qr_cpu_cache *cc, uint32_t nr, void **out)
{
	uint32_t rounds = qr_cpu_rounds(cc);

	if (nr > rounds)
		nr = rounds;
	if (nr == 0)
		return 0;
	memcpy(out, qr_cpu_top(cc) - nr + 1, nr * sizeof(*out));
	qr_cpu_set_top(cc, qr_cpu_top(cc) - nr);
	return nr;
}

bool quire_kmem_cache_alloc_bulk(struct quire_kmem_cache *cache, uint32_t cpu,
				 uint32_t flags, uint32_t nr, void **out)
{
	struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);
	uint32_t taken = 0;

	while (taken < nr) {
		taken += take_rounds(cc, nr - taken, out + taken);
		if (taken == nr)
			break;
		out[taken] = qr_cache_alloc_slow(cache, cpu, flags, CALLER);
		if (out[taken] == NULL) {
			quire_kmem_cache_free_bulk(cache, cpu, taken, out);
			return false;
		}
		taken++;
	}
	for (uint32_t i = 0; (flags & QUIRE_GFP_ZERO) != 0 && i < nr; i++)
		memset(out[i], 0, cache->size);
	return true;
}

/* Stops over a pointer that is not an object of the cache's, or was freed just before. */
static __attribute__((noreturn)) void refuse(struct quire_kmem_cache *cache,
					     const void *pointer)
{
	if (qr_cache_owns(cache, pointer))
		qr_misuse(cache, QR_DOUBLE_FREE, pointer, 0);
	qr_misuse_of_pointer(cache->objects, cache, pointer);
}

/* The first object of the slab that the pointer is an object of. */
static uintptr_t slab_start(struct quire_kmem_cache *cache, const void *pointer)
{
	if (!qr_cache_owns(cache, pointer))
		qr_misuse_of_pointer(cache->objects, cache, pointer);
	return (uintptr_t)pointer -
	       qr_frame_offset(qr_frame_at(&cache->direct, pointer), pointer);
}

/* The objects that the loaded magazine has room for, at most nr, go there; each that lies
 * in the same slab as the one before needs no look at its frame's record. */
static uint32_t give_rounds(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc,
			    uint32_t nr, void *const *objects)
{
	/* The compiler cannot know that no store below changes these. */
	const uint64_t inverse = cache->inverse;
	const uint32_t span = cache->span;
	void **top = qr_cpu_top(cc), *last = *top;
	uint32_t room = (uint32_t)(qr_cpu_end(cc) - top);
	uintptr_t start = 0;

	if (nr > room)
		nr = room;
	for (uint32_t i = 0; i < nr; i++) {
		void *object = objects[i];
		uintptr_t offset = (uintptr_t)object - start;

		if (__builtin_expect(offset >= span, false)) {
			start = slab_start(cache, object);
			offset = (uintptr_t)object - start;
		}
		/* Within the span all that is left of the check is the multiplication. */
		if (__builtin_expect(object == last, false) ||
		    __builtin_expect(offset * inverse > inverse - 1, false))
			refuse(cache, object);
		top[i + 1] = object;
		last = object;
	}
	qr_cpu_set_top(cc, top + nr);
	return nr;
}

void quire_kmem_cache_free_bulk(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t nr,
				void *const *objects)
{
	struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);
	uint32_t given = 0;

	while (given < nr) {
		given += give_rounds(cache, cc, nr - given, objects + given);
		if (given == nr)
			break;
		if (!qr_cache_owns(cache, objects[given]))
			refuse(cache, objects[given]);
		qr_cache_free(cache, cc, cpu, objects[given], CALLER);
		given++;
	}
}
