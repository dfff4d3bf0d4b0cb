/* SPDX-License-Identifier: MIT */
/* objects.h - objects of one size from caches, and kmalloc over them.
 *
 * Model.  A *cache* hands out objects of one size, carved from *slabs*: runs of frames
 * that hold nothing else.  A cache with a constructor keeps free objects constructed: it
 * runs once when the slab is made, and who frees an object leaves it as constructed.
 * Each CPU has two *magazines* of free objects before the slabs.  (Bonwick, "The Slab
 * Allocator", USENIX 1994; Bonwick & Adams, "Magazines and Vmem", USENIX 2001.)
 *
 * CPUs.  A call that takes a cpu, below nr_cpus, is made by who alone uses that number
 * while the call lasts: a kernel's code with preemption off, a lane, a thread with a
 * number of its own.  That is what lets the common path do without a lock.
 *
 * Misuse.  A double free, an object of another cache, a pointer that is none of the
 * allocator's: each stops the machine by the port's panic, with a line that names cache,
 * object and misuse.  What is seen of it at once, and what only with a cache's debugging
 * flags, stands in docs/objects.md.
 */
#ifndef QUIRE_OBJECTS_H
#define QUIRE_OBJECTS_H

#include "quire/types.h"

struct quire_objects;
struct quire_kmem_cache;
struct quire_lock;
struct quire_zone;

#define QUIRE_OBJECTS_CPUS_MAX 64u

/* Flags of an allocation. */
#define QUIRE_GFP_ZERO	 1u /* the object's bytes are zero; not with a constructor */
#define QUIRE_GFP_ATOMIC 2u /* never calls for reclaim; may use the zone's reserve */
#define QUIRE_GFP_DMA	 4u /* kmalloc: from the zone that devices reach */

/* Flags of a cache. */
#define QUIRE_SLAB_RED_ZONE    1u   /* guard bytes before and behind each object */
#define QUIRE_SLAB_POISON      2u   /* free objects hold a pattern; no constructor */
#define QUIRE_SLAB_STORE_USER  4u   /* who allocated and freed each object last */
#define QUIRE_SLAB_CONSISTENCY 8u   /* each free looks through the slab's free list */
#define QUIRE_SLAB_NO_MERGE    16u  /* never shared with a cache of like objects */
#define QUIRE_SLAB_RANDOM      32u  /* free lists start in random order */
#define QUIRE_SLAB_ENCODED     64u  /* links of free lists are encoded with a secret */
#define QUIRE_SLAB_DMA	       128u /* from the zone that devices reach */
#define QUIRE_SLAB_NO_MAGAZINE 256u /* each call goes to the slabs */
#define QUIRE_SLAB_DEBUG                                                                 \
	(QUIRE_SLAB_RED_ZONE | QUIRE_SLAB_POISON | QUIRE_SLAB_STORE_USER |               \
	 QUIRE_SLAB_CONSISTENCY)

struct quire_objects_config {
	struct quire_zone *zone;
	struct quire_zone *dma_zone; /* or NULL: QUIRE_GFP_DMA finds nothing */
	/* Taken around each call to a zone; NULL: callers hold what guards the zones.
	 * dma_lock guards dma_zone, where zone_lock does not, and is taken inside it. */
	struct quire_lock *zone_lock, *dma_lock;
	uint32_t nr_cpus;      /* 1..QUIRE_OBJECTS_CPUS_MAX */
	uint32_t kmalloc_slab; /* cache flags of the caches behind kmalloc */
	uint64_t secret;       /* seeds random and encoded free lists */
	void *ctx;
	/* A zone is below its low watermark after something was taken from it: called with
	 * no lock held, and must not wait for reclaim; may be NULL. */
	void (*wake)(void *ctx);
	/* Asked for so many neighbouring frames when there are none, with no lock held, on
	 * the CPU of the allocation; NULL: nobody to ask.  True when it may be worth
	 * another try. */
	bool (*pressure)(void *ctx, uint32_t cpu, uint32_t nr_frames);
};

/* An object that somebody did not free. */
struct quire_kmem_leak {
	const char *cache;
	const void *object;
	size_t bytes;
	const void *site; /* who allocated it; NULL without QUIRE_SLAB_STORE_USER */
	uint32_t cpu;	  /* on which it did; 0 without */
};
typedef void quire_kmem_leak_fn(void *ctx, const struct quire_kmem_leak *leak);

/* Builds an allocator in the zone's frames.  The config is copied, what it points at
 * must outlive the allocator.  QUIRE_INVALID: a field is out of range.
 * QUIRE_NO_MEMORY: too few frames. */
enum quire_status quire_objects_open(struct quire_objects **out,
				     const struct quire_objects_config *config);
/* Gives every frame back.  No other call may be under way.  Reports what was never
 * freed, of kmalloc and of caches that still stand; with a NULL leak the first such
 * object stops the machine.  Returns how many there were. */
uint64_t quire_objects_close(struct quire_objects *objects, quire_kmem_leak_fn *leak,
			     void *ctx);

struct quire_kmem_cache_args {
	const char *name; /* at most 31 bytes are kept */
	size_t size;	  /* of an object, 1..QUIRE_KMEM_SIZE_MAX */
	size_t align;	/* a power of two up to a page, or 0: as the size allows, to 8 */
	uint32_t flags; /* QUIRE_SLAB_* */
	uint32_t slab_bytes; /* of a slab: a multiple of the page, up to 32; 0: chosen */
	void (*ctor)(void *object); /* may be NULL; must not call the allocator */
};
#define QUIRE_KMEM_SIZE_MAX 32768u

/* A cache; or, where merging is allowed, one that hands out like objects already.
 * QUIRE_INVALID: an argument is out of range, or the flags contradict. */
enum quire_status quire_kmem_cache_create(struct quire_objects *objects,
					  const struct quire_kmem_cache_args *args,
					  struct quire_kmem_cache **out);
/* An object, or NULL.  flags: QUIRE_GFP_ZERO, QUIRE_GFP_ATOMIC.  With ATOMIC callable
 * wherever the zone is. */
void *quire_kmem_cache_alloc(struct quire_kmem_cache *cache, uint32_t cpu,
			     uint32_t flags);
/* NULL is allowed and does nothing. */
void quire_kmem_cache_free(struct quire_kmem_cache *cache, uint32_t cpu, void *object);
/* nr objects, or none: false. */
bool quire_kmem_cache_alloc_bulk(struct quire_kmem_cache *cache, uint32_t cpu,
				 uint32_t flags, uint32_t nr, void **out);
void quire_kmem_cache_free_bulk(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t nr,
				void *const *objects);
/* Gives free slabs back; returns how many frames.  The other CPUs' magazines are emptied
 * when each comes to the depot next, or by quire_objects_drain(). */
uint32_t quire_kmem_cache_shrink(struct quire_kmem_cache *cache, uint32_t cpu);
/* The cache is gone, unless objects are still in use: each is reported, the cache stays
 * as it is, and their number is returned.  With a NULL leak the first stops the machine.
 * No other call on the cache may be under way.  A merged cache is gone with its last
 * name. */
uint64_t quire_kmem_cache_destroy(struct quire_kmem_cache *cache,
				  quire_kmem_leak_fn *leak, void *ctx);
/* The bytes that a caller may use of an object. */
size_t quire_kmem_cache_size(const struct quire_kmem_cache *cache);
/* Looks at every object of a cache with debugging flags, as a free of each would, and
 * stops the machine where one was damaged. */
void quire_kmem_cache_check(struct quire_kmem_cache *cache);

/* What kmalloc(0) returns: not NULL, of no use but to be freed. */
#define QUIRE_ZERO_SIZE ((void *)16)
/* The largest object that comes from a slab; what is larger is a block of frames. */
#define QUIRE_KMALLOC_SLAB_MAX 8192u

/* bytes that are physically contiguous, or NULL.  Aligned to the size where that is a
 * power of two up to a page, else to 8 at least. */
void *quire_kmalloc(struct quire_objects *objects, uint32_t cpu, size_t bytes,
		    uint32_t flags);
void *quire_kzalloc(struct quire_objects *objects, uint32_t cpu, size_t bytes,
		    uint32_t flags);
/* nr elements, zeroed; NULL also where nr * bytes overflows. */
void *quire_kcalloc(struct quire_objects *objects, uint32_t cpu, size_t nr, size_t bytes,
		    uint32_t flags);
/* As realloc(3); 0 bytes free and give QUIRE_ZERO_SIZE.  NULL: old is as it was.  With
 * QUIRE_GFP_ZERO what is beyond ksize(old) is zero. */
void *quire_krealloc(struct quire_objects *objects, uint32_t cpu, void *old, size_t bytes,
		     uint32_t flags);
/* The bytes that may be used, at least those asked for; 0 for NULL and
 * QUIRE_ZERO_SIZE. */
size_t quire_ksize(const struct quire_objects *objects, const void *object);
void quire_kfree(struct quire_objects *objects, uint32_t cpu, const void *object);

/* Somebody who can give up memory that he keeps for speed alone. */
struct quire_shrinker {
	/* How many objects could be given up. */
	uint64_t (*count)(void *ctx);
	/* Gives up to nr of them up; returns how many, or QUIRE_SHRINK_STOP.  May free
	 * objects; must not make or destroy caches, or register shrinkers. */
	uint64_t (*scan)(void *ctx, uint64_t nr);
	void *ctx;
	uint32_t seeks; /* the cost of making one anew; 2 is the cost of a page */
	uint32_t batch; /* objects a scan; 0: 128 */
	/* The allocator's own. */
	uint64_t nr_deferred;
	struct quire_shrinker *next;
};
#define QUIRE_SHRINK_STOP UINT64_MAX

void quire_shrinker_register(struct quire_objects *objects,
			     struct quire_shrinker *shrinker);
void quire_shrinker_unregister(struct quire_objects *objects,
			       struct quire_shrinker *shrinker);
/* Memory is short: every shrinker gives up its share at this priority (12: a little, 0:
 * all), then free slabs of every cache go.  Returns objects given up plus frames freed.
 * Nothing where it is under way already. */
uint64_t quire_objects_shrink(struct quire_objects *objects, uint32_t cpu,
			      uint32_t priority);
/* Empties this CPU's magazines of every cache: before the CPU goes offline, or when it
 * is idle and memory is short. */
void quire_objects_drain(struct quire_objects *objects, uint32_t cpu);
/* NULL, or the name of the first invariant that does not hold.  No other call may be
 * under way. */
const char *quire_objects_validate(struct quire_objects *objects);

/* One cache as slabinfo has it. */
struct quire_slabinfo {
	char name[32];
	uint64_t active_objs; /* handed out */
	uint64_t num_objs;
	uint32_t objsize; /* what one takes in the slab */
	uint32_t objperslab;
	uint32_t pagesperslab;
	uint64_t active_slabs; /* full and partial */
	uint64_t num_slabs;
	uint32_t limit, batchcount;    /* rounds of a CPU's two magazines, and of one */
	uint64_t sharedavail;	       /* objects in the depot */
	uint32_t aliases;	       /* further caches merged into it */
	uint64_t full, partial, empty; /* slabs */
};
/* The cache number index, in order of creation; false where there is none. */
bool quire_slabinfo(struct quire_objects *objects, uint32_t index,
		    struct quire_slabinfo *out);

#endif
