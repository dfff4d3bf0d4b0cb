/* SPDX-License-Identifier: MIT */
/* cache.h - caches, slabs and magazines as the files of this folder share them.
 *
 * Model.  A *slab* is a run of frames of use SLAB, each of whose records names the
 * slab's descriptor and its cache; so any address leads to its slab, its cache and its
 * object.  Free objects of a slab are linked through themselves: at the object's start,
 * or behind it where its bytes must stay as they are (constructor, debugging).  A slab is
 * *full* (no object is free), *partial* or *empty* (all are), and on that list of its
 * cache.
 *
 * A *magazine* is a stack of free objects.  A CPU has one loaded and the previous one,
 * which is full or empty; the *depot* of a cache has the others, full ones and empty
 * ones.  Objects in magazines count as in use for their slab.
 *
 * A block of frames that kmalloc hands out whole belongs to a descriptor and a cache of
 * its own kind, *large*, which no caller can name; its CPUs have no magazines.
 *
 * Invariants.  quire_objects_validate() names the first that does not hold.
 *   O1  each slab is on the list that its count of objects in use says;
 *   O2  a slab's free list holds each of its free objects once, and no other;
 *   O3  an object in a magazine is in one magazine, once, and on no free list;
 *   O4  the frames of slabs and of large blocks are the zone's frames of use SLAB;
 *   O5  the previous magazine of a CPU is full or empty; full ones in the depot are;
 *   O6  each descriptor is a slab's of some list, each magazine a CPU's or a depot's.
 *
 * Locking.  A cache's lock guards its lists and its depot; a CPU's magazines belong to
 * who runs on that CPU; objects->lock guards the lists of caches and of shrinkers.
 * Order: objects -> cache; the zone's lock is taken alone.  Constructors, shrinkers and
 * the pressure upcall run with no cache's lock held.
 */
#ifndef QUIRE_CORE_OBJECTS_CACHE_H
#define QUIRE_CORE_OBJECTS_CACHE_H

#include "core/base/lock.h"
#include "core/frames/zone.h"
#include "core/objects/pool.h"
#include "quire/objects.h"

#include <stdalign.h>
#include <stdatomic.h>

/* A cache line of the processors that the fast path is laid out for. */
#define QR_LINE_BYTES 64u

/* The most objects of a slab: a page of the smallest objects.  Bitmaps of them are made
 * on the stack. */
#define QR_SLAB_OBJECTS_MAX 512u
#define QR_SLAB_FRAMES_MAX  32u

/* Who touched an object last (QUIRE_SLAB_STORE_USER). */
struct qr_track {
	const void *site;
	uint32_t cpu;
};

struct qr_slab {
	struct quire_kmem_cache *cache;
	unsigned char *first; /* object 0 */
	void *free;	      /* the first free object */
	struct qr_slab *next, *prev;
	uint32_t nr_used;
	uint32_t number; /* of this record in its pool */
	quire_pfn pfn;
};

struct qr_slab_list {
	struct qr_slab *head;
	uint64_t nr;
};

struct qr_magazine {
	struct qr_magazine *next; /* in the depot */
	uint32_t number;	  /* of this record in its pool */
	uint16_t size_class, capacity;
	uint32_t rounds; /* right while it is not the loaded one */
	uint32_t padding;
	/* round[0] is NULL, the bottom of the stack, so that the top can be looked at
	 * without asking whether there is one. */
	void *round[];
};

#define QR_MAGAZINE_CLASSES 5u

/* What a CPU has of a cache: half a line.  Those of one CPU lie side by side, by the
 * number of the cache, so that the number alone leads there.  Written by this CPU alone;
 * onlookers read. */
struct qr_cpu_cache {
	/* The loaded magazine's last object, and the last place for one.  Both lead to
	 * the same NULL where there is no magazine. */
	alignas(32) void **_Atomic top;
	void **_Atomic end;
	struct qr_magazine *previous;
	_Atomic uint32_t previous_rounds;
	_Atomic uint16_t capacity; /* 0: no magazine */
	uint16_t drain_seen;
};

/* Caches at a time.  Their numbers are kept in the records of frames; 0 is none. */
#define QR_CACHES_MAX 256u
#define QR_BOOT_ID    1u /* of the cache of caches */

/* How an address leads to the record of its frame. */
struct qr_direct {
	uintptr_t start;
	uint64_t bytes;
	uintptr_t records; /* where the record of the frame at address 0 would be */
};

struct quire_kmem_cache {
	/* What the fast path reads. */
	struct qr_direct direct;
	uint64_t inverse; /* of the stride: tells multiples of it */
	uint32_t span;	  /* bytes from a slab's first object to the end of its last */
	uint32_t id;
	uint32_t size; /* bytes that a caller may use */
	uint32_t flags;
	struct quire_objects *objects;
	struct qr_cpu_cache *cpus; /* of CPU 0; the next CPU's is QR_CACHES_MAX further */

	/* The layout of an object; offsets from the address that the caller has. */
	uint32_t stride;
	uint32_t align;
	uint32_t left;	  /* red zone before */
	uint32_t right;	  /* end of the red zone behind */
	uint32_t link_at; /* the link of the free list */
	uint32_t track_at;
	uint32_t per_slab;
	uint32_t slab_order;
	uint32_t slab_frames;
	uint32_t nr_colours;
	void (*ctor)(void *object);
	struct quire_zone *zone;
	uint64_t secret;

	struct quire_lock lock;
	struct qr_slab_list full, partial, empty;
	struct qr_magazine *depot_full, *depot_empty;
	_Atomic uint32_t nr_depot_full, depot_rounds;
	uint32_t nr_depot_empty;
	uint32_t empty_max; /* slabs kept though nobody uses them */
	uint32_t depot_max; /* full magazines kept */
	uint32_t size_class, size_class_max;
	uint32_t nr_contended;
	uint32_t next_colour;
	_Atomic uint16_t drain_wanted;

	uint32_t nr_names; /* by merging */
	struct quire_kmem_cache *next;
	char name[32];
};

#define QR_KMALLOC_CACHES 13u
#define QR_KMALLOC_GRAIN  8u
#define QR_KMALLOC_KINDS  2u /* of the zone, of the DMA zone */

struct quire_objects {
	struct qr_direct direct;
	void *nothing;		   /* NULL: the top of no magazine */
	struct qr_cpu_cache *cpus; /* QR_CACHES_MAX for each CPU */
	/* NULL: the number is free.  0 is a cache of no objects: that of frames whose
	 * record names none. */
	struct quire_kmem_cache *by_id[QR_CACHES_MAX];
	/* By bytes / GRAIN, rounded up: the number of the cache. */
	uint8_t kmalloc_id[QUIRE_KMALLOC_SLAB_MAX / QR_KMALLOC_GRAIN + 1];
	struct quire_objects_config config;
	struct quire_zone *zone;
	struct quire_kmem_cache *kmalloc[QR_KMALLOC_KINDS][QR_KMALLOC_CACHES];
	struct quire_kmem_cache *large;
	struct quire_kmem_cache none;
	struct qr_slab large_slab;
	_Atomic uint64_t nr_large_frames;

	/* Guarded by the zone's lock. */
	struct quire_pool slabs;
	struct quire_pool magazines[QR_MAGAZINE_CLASSES];
	uint64_t nr_slabs_made;

	struct quire_lock lock;
	struct quire_kmem_cache *caches; /* in order of creation */
	struct quire_shrinker *shrinkers;
	_Atomic uint32_t is_shrinking;

	quire_pfn pfn; /* the block that this lies in */
	uint32_t order;
	quire_pfn cpus_pfn; /* the block of the CPUs */
	uint32_t cpus_order;
	struct quire_kmem_cache *boot; /* the cache of caches, behind this */
};

/* Around calls to the zone, and, where zone is the DMA zone, to that one too. */
void qr_objects_lock_zone(struct quire_objects *objects, const struct quire_zone *zone);
void qr_objects_unlock_zone(struct quire_objects *objects, const struct quire_zone *zone);
/* A caller that runs on no CPU of the allocator's: it has no magazines. */
#define QR_CPU_NONE UINT32_MAX

/* cache.c */
/* A cache with a number, allocated and laid out, but on no list. */
enum quire_status qr_cache_new(struct quire_objects *objects,
			       const struct quire_kmem_cache_args *args,
			       struct quire_kmem_cache **out);
/* The layout of a cache that is otherwise all zero, but for its number. */
enum quire_status qr_cache_init(struct quire_kmem_cache *cache,
				struct quire_objects *objects,
				const struct quire_kmem_cache_args *args);
/* Gives back magazines and empty slabs, all of them; no other call is under way. */
void qr_cache_empty(struct quire_kmem_cache *cache);
/* The slabs that are left go too, objects in use and all. */
void qr_cache_abandon(struct quire_kmem_cache *cache);
/* Reports every object in use, magazines having been emptied. */
uint64_t qr_cache_leaks(struct quire_kmem_cache *cache, quire_kmem_leak_fn *leak,
			void *ctx);

/* slab.c; those marked "locked" with the cache's lock held. */
/* A new slab, on the empty list; false when frames are lacking. */
bool qr_slab_new(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags);
/* Locked.  Up to nr objects; returns how many there were. */
uint32_t qr_slab_take(struct quire_kmem_cache *cache, uint32_t nr, void **out);
/* Locked.  Slabs that need not be kept are put on gone, for qr_slab_release(). */
void qr_slab_put(struct quire_kmem_cache *cache, void *object, struct qr_slab **gone);
/* Locked.  Moves empty slabs to gone until only keep are left. */
void qr_slab_trim(struct quire_kmem_cache *cache, uint64_t keep, struct qr_slab **gone);
/* Gives the frames of a chain of slabs back; returns how many. */
uint32_t qr_slab_release(struct quire_kmem_cache *cache, struct qr_slab *gone);
/* The free object after one, its link checked. */
void *qr_slab_next_free(const struct qr_slab *slab, const void *object);
uint32_t qr_slab_index(const struct qr_slab *slab, const void *object);
/* Frames that the slab has of the zone. */
uint32_t qr_slab_frames(const struct qr_slab *slab);
/* Sets a bit for each free object; false where the list is not sound. */
bool qr_slab_mark_free(const struct qr_slab *slab, uint64_t *bits);

/* magazine.c: what the fast path leaves to do. */
void qr_magazine_init(struct quire_kmem_cache *cache);
void *qr_cache_alloc_slow(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags,
			  const void *site);
void qr_cache_free_slow(struct quire_kmem_cache *cache, uint32_t cpu, void *object,
			const void *site);
/* Straight from the slabs and back to them. */
void *qr_cache_alloc_direct(struct quire_kmem_cache *cache, uint32_t cpu, uint32_t flags,
			    const void *site);
void qr_cache_free_direct(struct quire_kmem_cache *cache, uint32_t cpu, void *object,
			  const void *site);
/* The CPU's magazines go back to the slabs, and to their pool; returns the frames that
 * this set free. */
uint32_t qr_magazine_drain(struct quire_kmem_cache *cache, uint32_t cpu);
/* The same for the depot. */
uint32_t qr_magazine_drain_depot(struct quire_kmem_cache *cache);

/* shrink.c */
/* Something was taken from the zone: wakes the owner's daemon where that left little. */
void qr_objects_watch(struct quire_objects *objects, const struct quire_zone *zone);
/* Whether another try may find frames: somebody was asked to give some back.  attempt
 * counts from 0. */
bool qr_objects_reclaim(struct quire_objects *objects, uint32_t cpu, uint32_t flags,
			uint32_t nr_frames, uint32_t attempt);

/* kmalloc.c */
/* The order with which a block of frames was taken whole, by the record of its first
 * frame; false for any other. */
static inline bool qr_frame_heads_large(const struct quire_frame *frame, uint32_t *order)
{
	*order = frame->slot - 1;
	return frame->slot != 0;
}
enum quire_status qr_kmalloc_init(struct quire_objects *objects);
void qr_kmalloc_free_large(struct quire_objects *objects, const void *object);

/* debug.c: objects of caches with a debugging flag, the cache's lock held. */
static inline bool qr_cache_is_debugged(const struct quire_kmem_cache *cache)
{
	return (cache->flags & QUIRE_SLAB_DEBUG) != 0;
}
/* Bytes of the patterns as a fresh free object has them. */
void qr_debug_init(const struct quire_kmem_cache *cache, unsigned char *object);
void qr_debug_alloc(const struct qr_slab *slab, unsigned char *object, uint32_t cpu,
		    const void *site);
void qr_debug_free(const struct qr_slab *slab, unsigned char *object, uint32_t cpu,
		   const void *site);
/* Looks at an object in the state that it should be in. */
void qr_debug_check(const struct qr_slab *slab, unsigned char *object, bool is_free);
/* NULL without QUIRE_SLAB_STORE_USER; which: 0 the last allocation, 1 the last free. */
const struct qr_track *qr_debug_track(const struct quire_kmem_cache *cache,
				      const void *object, uint32_t which);

#endif
