/* SPDX-License-Identifier: MIT */
/* kmalloc.c - memory by the byte: a cache for each of thirteen sizes, blocks of frames
 * above.
 *
 * The sizes are Linux's: powers of two from 8 to 8192, and 96 and 192, which most of what
 * lies between 64 and 256 bytes fits.  (With powers of two alone a quarter of a block is
 * lost on the average.)
 */
#include "core/base/assert.h"
#include "core/objects/fast.h"

#define CALLER __builtin_return_address(0)

static const struct {
	uint16_t bytes;
	char name[16], dma_name[20];
} sizes[QR_KMALLOC_CACHES] = {
	{8, "kmalloc-8", "dma-kmalloc-8"},
	{16, "kmalloc-16", "dma-kmalloc-16"},
	{32, "kmalloc-32", "dma-kmalloc-32"},
	{64, "kmalloc-64", "dma-kmalloc-64"},
	{96, "kmalloc-96", "dma-kmalloc-96"},
	{128, "kmalloc-128", "dma-kmalloc-128"},
	{192, "kmalloc-192", "dma-kmalloc-192"},
	{256, "kmalloc-256", "dma-kmalloc-256"},
	{512, "kmalloc-512", "dma-kmalloc-512"},
	{1024, "kmalloc-1k", "dma-kmalloc-1k"},
	{2048, "kmalloc-2k", "dma-kmalloc-2k"},
	{4096, "kmalloc-4k", "dma-kmalloc-4k"},
	{QUIRE_KMALLOC_SLAB_MAX, "kmalloc-8k", "dma-kmalloc-8k"},
};

/* The lowest bit of a size: the size, where it is a power of two up to a page. */
static size_t natural_align(size_t bytes)
{
	size_t align = bytes & (~bytes + 1);

	return align < QUIRE_PAGE_BYTES ? align : QUIRE_PAGE_BYTES;
}

static enum quire_status create(struct quire_objects *objects, uint32_t kind, uint32_t i)
{
	bool is_dma = kind == 1;
	struct quire_kmem_cache_args args = {
		.name = is_dma ? sizes[i].dma_name : sizes[i].name,
		.size = sizes[i].bytes,
		.align = natural_align(sizes[i].bytes),
		.flags = objects->config.kmalloc_slab | (is_dma ? QUIRE_SLAB_DMA : 0),
	};

	return quire_kmem_cache_create(objects, &args, &objects->kmalloc[kind][i]);
}

/* The cache that serves no caller: its CPUs have no magazines, and each address inside a
 * large block counts as one of its objects. */
static enum quire_status create_large(struct quire_objects *objects)
{
	struct quire_kmem_cache_args args = {
		.name = "kmalloc-large",
		.size = QUIRE_PAGE_BYTES,
		.flags = QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_NO_MAGAZINE,
	};
	struct quire_kmem_cache *cache;
	enum quire_status status = qr_cache_new(objects, &args, &cache);

	if (status != QUIRE_OK)
		return status;
	cache->span = UINT32_MAX;
	cache->inverse = 0;
	objects->large_slab.cache = cache;
	objects->large = cache;
	return status;
}

enum quire_status qr_kmalloc_init(struct quire_objects *objects)
{
	uint32_t nr_kinds = objects->config.dma_zone != NULL ? QR_KMALLOC_KINDS : 1;
	enum quire_status status = create_large(objects);
	uint8_t index = 0;

	for (uint32_t kind = 0; kind < nr_kinds; kind++) {
		for (uint32_t i = 0; status == QUIRE_OK && i < QR_KMALLOC_CACHES; i++)
			status = create(objects, kind, i);
	}
	if (status != QUIRE_OK)
		return status;
	for (uint32_t grain = 0; grain < sizeof(objects->kmalloc_id); grain++) {
		if (grain * QR_KMALLOC_GRAIN > sizes[index].bytes)
			index++;
		objects->kmalloc_id[grain] = (uint8_t)objects->kmalloc[0][index]->id;
	}
	return QUIRE_OK;
}

static struct quire_zone *zone_for(struct quire_objects *objects, uint32_t flags)
{
	return (flags & QUIRE_GFP_DMA) != 0 ? objects->config.dma_zone : objects->zone;
}

/* Buddy systems with uneven blocks may give more than was asked for: all of it is the
 * block's.  The zone's lock is held. */
static void own_block(struct quire_objects *objects, struct quire_zone *zone,
		      quire_pfn pfn, uint32_t order)
{
	uint32_t nr = qr_zone_block_frames(zone, pfn);

	for (uint32_t i = 0; i < nr; i++)
		qr_frame_own(qr_zone_frame(zone, (quire_pfn){pfn.n + i}),
			     &objects->large_slab, objects->large->id,
			     i == 0 ? order + 1 : 0);
	atomic_fetch_add_explicit(&objects->nr_large_frames, nr, memory_order_relaxed);
}

static bool take_block(struct quire_objects *objects, uint32_t order, uint32_t flags,
		       quire_pfn *out)
{
	struct quire_zone *zone = zone_for(objects, flags);
	uint32_t atomic = (flags & QUIRE_GFP_ATOMIC) != 0 ? QUIRE_ALLOC_RESERVE : 0;
	bool got;

	qr_objects_lock_zone(objects, zone);
	got = qr_zone_alloc_block(zone, QUIRE_FRAME_SLAB, order, atomic, out);
	if (got)
		own_block(objects, zone, *out, order);
	qr_objects_unlock_zone(objects, zone);
	return got;
}

static void *alloc_large(struct quire_objects *objects, uint32_t cpu, size_t bytes,
			 uint32_t flags)
{
	uint32_t order = 0;
	quire_pfn pfn;
	void *block;

	if (zone_for(objects, flags) == NULL)
		return NULL;
	while (order <= QUIRE_ORDER_MAX && QUIRE_PAGE_BYTES << order < bytes)
		order++;
	if (order > QUIRE_ORDER_MAX)
		return NULL;
	for (uint32_t attempt = 0; !take_block(objects, order, flags, &pfn); attempt++) {
		if (!qr_objects_reclaim(objects, cpu, flags, 1u << order, attempt))
			return NULL;
	}
	qr_objects_watch(objects, zone_for(objects, flags));
	block = qr_zone_address(objects->zone, pfn);
	if ((flags & QUIRE_GFP_ZERO) != 0)
		memset(block, 0, QUIRE_PAGE_BYTES << order);
	return block;
}

static quire_pfn pfn_of(const struct quire_objects *objects, const void *object)
{
	uintptr_t offset = (uintptr_t)object - (uintptr_t)objects->zone->port->direct;

	return (quire_pfn){(uint32_t)(offset >> QUIRE_PAGE_SHIFT)};
}

/* Whether the address is that of the first byte of a large block. */
static bool is_large_block(const struct quire_objects *objects, const void *object,
			   uint32_t *order)
{
	return (uintptr_t)object % QUIRE_PAGE_BYTES == 0 &&
	       qr_frame_heads_large(qr_zone_frame(objects->zone, pfn_of(objects, object)),
				    order);
}

static struct quire_zone *zone_of(struct quire_objects *objects, quire_pfn pfn)
{
	struct quire_zone *dma = objects->config.dma_zone;

	if (dma != NULL && pfn.n - dma->base < dma->buddy.nr_frames)
		return dma;
	return objects->zone;
}

void qr_kmalloc_free_large(struct quire_objects *objects, const void *object)
{
	quire_pfn pfn = pfn_of(objects, object);
	struct quire_zone *zone = zone_of(objects, pfn);
	uint32_t order, nr;

	if (!is_large_block(objects, object, &order))
		qr_misuse_of_pointer(objects, NULL, object);
	qr_objects_lock_zone(objects, zone);
	nr = qr_zone_block_frames(zone, pfn);
	qr_zone_free_block(zone, pfn, order);
	qr_objects_unlock_zone(objects, zone);
	atomic_fetch_sub_explicit(&objects->nr_large_frames, nr, memory_order_relaxed);
}

/* What is seldom asked for: large blocks, nothing, memory for devices. */
static void *alloc_rare(struct quire_objects *objects, uint32_t cpu, size_t bytes,
			uint32_t flags, const void *site)
{
	uint32_t i = 0;

	if (bytes == 0)
		return QUIRE_ZERO_SIZE;
	if (bytes > QUIRE_KMALLOC_SLAB_MAX)
		return alloc_large(objects, cpu, bytes, flags);
	if (objects->config.dma_zone == NULL)
		return NULL;
	while (sizes[i].bytes < bytes)
		i++;
	return qr_cache_alloc(objects->kmalloc[1][i],
			      qr_cpu_cache(objects->kmalloc[1][i], cpu), cpu, flags,
			      site);
}

static inline void *alloc(struct quire_objects *objects, uint32_t cpu, size_t bytes,
			  uint32_t flags, const void *site)
{
	uint32_t id;

	if (__builtin_expect(bytes - 1 >= QUIRE_KMALLOC_SLAB_MAX ||
				     (flags & QUIRE_GFP_DMA) != 0,
			     false))
		return alloc_rare(objects, cpu, bytes, flags, site);
	id = objects->kmalloc_id[(bytes + QR_KMALLOC_GRAIN - 1) / QR_KMALLOC_GRAIN];
	return qr_cache_alloc(objects->by_id[id],
			      &objects->cpus[cpu * QR_CACHES_MAX + id], cpu, flags, site);
}

static inline bool is_nothing(const void *object)
{
	return (uintptr_t)object <= (uintptr_t)QUIRE_ZERO_SIZE;
}

/* The record of the frame of an address that is an object's, large blocks among them;
 * else NULL. */
static inline const struct quire_frame *frame_of(const struct quire_objects *objects,
						 const void *object)
{
	const struct quire_frame *frame = qr_frame_at(&objects->direct, object);

	if (__builtin_expect(frame == NULL, false))
		return NULL;
	if (__builtin_expect(
		    !qr_cache_has_offset(objects->by_id[qr_frame_cache_id(frame)],
					 qr_frame_offset(frame, object)),
		    false))
		return NULL;
	return frame;
}

static inline void give(struct quire_objects *objects, uint32_t cpu, const void *object,
			const void *site)
{
	const struct quire_frame *frame = frame_of(objects, object);
	unsigned char *cpus = (unsigned char *)&objects->cpus[cpu * QR_CACHES_MAX];
	struct qr_cpu_cache *cc;

	if (__builtin_expect(frame == NULL, false)) {
		if (!is_nothing(object))
			qr_misuse_of_pointer(objects, NULL, object);
		return;
	}
	cc = (struct qr_cpu_cache *)(void *)(cpus + qr_frame_cpu_offset(frame));
	qr_cache_free(objects->by_id[qr_frame_cache_id(frame)], cc, cpu,
		      (void *)(uintptr_t)object, site);
}

void *quire_kmalloc(struct quire_objects *objects, uint32_t cpu, size_t bytes,
		    uint32_t flags)
{
	return alloc(objects, cpu, bytes, flags, CALLER);
}

void *quire_kzalloc(struct quire_objects *objects, uint32_t cpu, size_t bytes,
		    uint32_t flags)
{
	return alloc(objects, cpu, bytes, flags | QUIRE_GFP_ZERO, CALLER);
}

void *quire_kcalloc(struct quire_objects *objects, uint32_t cpu, size_t nr, size_t bytes,
		    uint32_t flags)
{
	size_t all;

	if (__builtin_mul_overflow(nr, bytes, &all))
		return NULL;
	return alloc(objects, cpu, all, flags | QUIRE_GFP_ZERO, CALLER);
}

void quire_kfree(struct quire_objects *objects, uint32_t cpu, const void *object)
{
	give(objects, cpu, object, CALLER);
}

size_t quire_ksize(const struct quire_objects *objects, const void *object)
{
	const struct quire_frame *frame;
	const struct quire_kmem_cache *cache;
	uint32_t order;

	if (is_nothing(object))
		return 0;
	frame = frame_of(objects, object);
	if (frame == NULL)
		qr_misuse_of_pointer(objects->large->objects, NULL, object);
	cache = objects->by_id[qr_frame_cache_id(frame)];
	if (cache != objects->large)
		return cache->size;
	if (!is_large_block(objects, object, &order))
		qr_misuse_of_pointer(objects->large->objects, NULL, object);
	return QUIRE_PAGE_BYTES << order;
}

void *quire_krealloc(struct quire_objects *objects, uint32_t cpu, void *old, size_t bytes,
		     uint32_t flags)
{
	size_t had = quire_ksize(objects, old);
	void *object;

	if (bytes != 0 && bytes <= had)
		return old;
	object = alloc(objects, cpu, bytes, flags & ~QUIRE_GFP_ZERO, CALLER);
	if (object == NULL)
		return NULL;
	if (bytes != 0) {
		if (had != 0)
			memcpy(object, old, had);
		if ((flags & QUIRE_GFP_ZERO) != 0)
			memset((unsigned char *)object + had, 0,
			       quire_ksize(objects, object) - had);
	}
	give(objects, cpu, old, CALLER);
	return object;
}
