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

/* The objects that the loaded magazine has room for, at most nr, go there; each that lies
 * in the same frame as the one before needs no look at the frame's record. */
static uint32_t give_rounds(struct quire_kmem_cache *cache, struct qr_cpu_cache *cc,
			    uint32_t nr, void *const *objects)
{
	void **top = qr_cpu_top(cc);
	uint32_t room = (uint32_t)(qr_cpu_end(cc) - top);
	const struct quire_frame *frame;
	uintptr_t page = UINTPTR_MAX;
	void *last = *top;
	uint32_t slot = 0;

	if (nr > room)
		nr = room;
	for (uint32_t i = 0; i < nr; i++) {
		uintptr_t at = (uintptr_t)objects[i];

		if (__builtin_expect(at / QUIRE_PAGE_BYTES != page, false)) {
			frame = qr_frame_at(&cache->direct, objects[i]);
			if (frame == NULL || qr_frame_cache_id(frame) != cache->id)
				refuse(cache, objects[i]);
			page = at / QUIRE_PAGE_BYTES;
			slot = frame->slot;
		}
		if (__builtin_expect(
			    objects[i] == last ||
				    !qr_cache_has_offset(
					    cache,
					    slot + (uint32_t)(at % QUIRE_PAGE_BYTES)),
			    false))
			refuse(cache, objects[i]);
		last = objects[i];
		*++top = last;
	}
	qr_cpu_set_top(cc, top);
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
