/* SPDX-License-Identifier: MIT */
/* locate.h - from an address to its slab, and the checks of it that are never left out.
 */
#ifndef QUIRE_CORE_OBJECTS_LOCATE_H
#define QUIRE_CORE_OBJECTS_LOCATE_H

#include "core/objects/cache.h"

/* Whether an offset from a slab's first object is that of one of its objects.  n is a
 * multiple of d when n times 2^64 / d, rounded up, wraps round to less than that; for n,
 * d < 2^32.  (Lemire, Kaser & Kurz, "Faster remainder by direct computation", 2019.) */
static inline bool qr_cache_has_offset(const struct quire_kmem_cache *cache,
				       uint32_t offset)
{
	return offset < cache->span && offset * cache->inverse <= cache->inverse - 1;
}

static inline bool qr_slab_has_object(const struct qr_slab *slab, const void *object)
{
	uintptr_t offset = (uintptr_t)object - (uintptr_t)slab->first;

	return offset <= UINT32_MAX && qr_cache_has_offset(slab->cache, (uint32_t)offset);
}

/* What the record of a slab's frame says: the descriptor's address, whose upper bits are
 * those of the direct map, and in their stead the cache's number, scaled; and where the
 * frame's first byte lies from the slab's first object.  So the common path needs to look
 * at nothing but the record, four of which share a line. */
#define QR_OWNER_SHIFT 48u

static inline void qr_frame_own(struct quire_frame *frame, const struct qr_slab *slab,
				uint32_t id, uint32_t offset)
{
	uint64_t mask = ((uint64_t)1 << QR_OWNER_SHIFT) - 1;

	frame->owner = (uint64_t)(id * sizeof(struct qr_cpu_cache)) << QR_OWNER_SHIFT |
		       ((uintptr_t)slab & mask);
	frame->slot = offset;
}

static inline struct qr_slab *qr_frame_slab(const struct quire_frame *frame)
{
	uint32_t unused = 64 - QR_OWNER_SHIFT;

	return (struct qr_slab *)(uintptr_t)((int64_t)(frame->owner << unused) >> unused);
}

/* The number of the frame's cache times the size of what each CPU has of it. */
static inline size_t qr_frame_cpu_offset(const struct quire_frame *frame)
{
	return frame->owner >> QR_OWNER_SHIFT;
}

static inline uint32_t qr_frame_cache_id(const struct quire_frame *frame)
{
	return (uint32_t)(qr_frame_cpu_offset(frame) / sizeof(struct qr_cpu_cache));
}

static inline uint32_t qr_frame_offset(const struct quire_frame *frame,
				       const void *address)
{
	return frame->slot + (uint32_t)((uintptr_t)address % QUIRE_PAGE_BYTES);
}

#define QR_FRAME_SHIFT 4u /* of the size of a record */
_Static_assert(sizeof(struct quire_frame) == 1u << QR_FRAME_SHIFT, "a record's size");
_Static_assert((QR_CACHES_MAX * sizeof(struct qr_cpu_cache)) >> (64 - QR_OWNER_SHIFT) ==
		       0,
	       "the scaled number of a cache fits beside the descriptor's address");

static inline struct qr_direct qr_direct_of(const struct quire_zone *zone)
{
	uintptr_t start = (uintptr_t)zone->port->direct;

	return (struct qr_direct){
		.start = start,
		.bytes = (uint64_t)zone->port->nr_frames << QUIRE_PAGE_SHIFT,
		.records = (uintptr_t)zone->frames -
			   (start >> QUIRE_PAGE_SHIFT << QR_FRAME_SHIFT),
	};
}

/* The record of the frame that the address lies in, where it is a slab's; or NULL.  A
 * free waits for nothing so long as for this, so it is two operations and a load. */
static inline const struct quire_frame *qr_frame_at(const struct qr_direct *direct,
						    const void *address)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t record = (at >> (QUIRE_PAGE_SHIFT - QR_FRAME_SHIFT)) &
			   ~(uintptr_t)((1u << QR_FRAME_SHIFT) - 1);
	const struct quire_frame *frame;

	if (__builtin_expect(at - direct->start >= direct->bytes, false))
		return NULL;
	frame = (const struct quire_frame *)(direct->records + record);
	return __builtin_expect(frame->use == QUIRE_FRAME_SLAB, true) ? frame : NULL;
}

/* The slab of an address that is known to be an object of the cache. */
static inline struct qr_slab *qr_slab_of(const struct quire_kmem_cache *cache,
					 const void *object)
{
	return qr_frame_slab(qr_frame_at(&cache->direct, object));
}

#endif
