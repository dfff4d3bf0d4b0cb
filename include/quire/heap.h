/* SPDX-License-Identifier: MIT */
/* heap.h - the block heap, and what the library's malloc offers beyond malloc.
 *
 * The block heap is an allocator for kernels, embedded use and study.
 *
 * Model.
 *   block     a run of bytes, used or free, with a meta block of 32 bytes before it that
 *             holds its size, its state and its two neighbours.
 *   region    memory that blocks fill without a gap: given by the caller, or grown at
 *             its end, page by page, as sbrk(2) does.
 *   mapping   a large block of its own, outside of the regions.
 *   fit       the policy that chooses the free block for a request.
 * A free block that is larger than a request is split.  Two free neighbours never exist:
 * a block that is freed merges with its free neighbours at once.
 *
 * Context.  Nothing here takes a lock: a heap's calls are one after another.  Code may
 * run freestanding; all memory is the caller's.  Blocks are aligned to 16 bytes.
 */
#ifndef QUIRE_HEAP_H
#define QUIRE_HEAP_H

#include "quire/types.h"

#define QUIRE_BLOCK_ALIGN 16u

enum quire_fit {
	QUIRE_FIT_FIRST, /* the free block with the lowest address; O(free blocks) */
	QUIRE_FIT_NEXT,	 /* the first after the last one chosen; O(free blocks) */
	QUIRE_FIT_BEST,	 /* the smallest that is large enough; O(free blocks) */
	/* Lists by size in two levels, and a bitmap for each: a good fit in O(1).
	 * (Masmano, Ripoll, Crespo, Real: "TLSF", ECRTS 2004.) */
	QUIRE_FIT_SEGREGATED,
};

enum quire_block_state {
	QUIRE_BLOCK_FREE,
	QUIRE_BLOCK_USED,
	QUIRE_BLOCK_MAPPED, /* used, in a mapping of its own */
};

/* The meta block.  Two free neighbours of a free block do not exist. */
struct quire_block {
	size_t bytes; /* of the block, a multiple of QUIRE_BLOCK_ALIGN */
	uint32_t state;
	uint32_t check; /* of the other fields and the address */
	/* The neighbours by address, NULL at the region's ends; of a mapping, the
	 * mappings made before and after it. */
	struct quire_block *before, *after;
};

/* What a heap may ask of its ground.  Any pointer may be NULL. */
struct quire_block_ops {
	void *ctx;
	/* Moves the end of a region of zeroes, by whole pages; returns where the end was,
	 * aligned to 16, or (void *)-1 where it cannot move.  As sbrk(2); others may move
	 * the end between two calls, up only. */
	void *(*sbrk)(void *ctx, intptr_t increment);
	/* Zeroed pages, or NULL. */
	void *(*map)(void *ctx, size_t bytes);
	void (*unmap)(void *ctx, void *addr, size_t bytes);
	/* The same contents in new_bytes, perhaps elsewhere; NULL, and nothing changed,
	 * where that cannot be. */
	void *(*remap)(void *ctx, void *addr, size_t bytes, size_t new_bytes);
	/* The heap was misused or its meta blocks were written over: says what and at
	 * which block, and does not return.  NULL: the processor's trap. */
	void (*stop)(void *ctx, const char *what, const void *block);
};

/* As mallopt(3) describes them, with the same defaults. */
enum quire_block_option {
	QUIRE_BLOCK_TRIM_THRESHOLD, /* bytes free at the top before it is given back */
	QUIRE_BLOCK_TOP_PAD,	    /* bytes asked of sbrk beyond what is needed */
	QUIRE_BLOCK_MMAP_THRESHOLD, /* from here on a request gets a mapping */
	QUIRE_BLOCK_MMAP_MAX,	    /* mappings at one time; 0 turns them off */
};

#define QUIRE_BLOCK_SIZE_LISTS 640u

struct quire_block_heap {
	const struct quire_block_ops *ops;
	enum quire_fit fit;
	struct quire_block_region *regions; /* the last one that sbrk made is the first */
	struct quire_block *mappings;
	size_t page_bytes;

	/* Free blocks: by address on one list, or by size on many. */
	struct quire_block *list[QUIRE_BLOCK_SIZE_LISTS];
	uint64_t filled_first;
	uint16_t filled_second[QUIRE_BLOCK_SIZE_LISTS / 16];
	struct quire_block *rover; /* next fit: where the search goes on */

	/* Options; the two thresholds move until one of them is set. */
	size_t trim_threshold, top_pad, mmap_threshold, mmap_max;
	bool dynamic;

	/* The account: held = used + free + meta. */
	size_t nr_used, nr_free, nr_mappings;
	size_t used_bytes, free_bytes, mapped_bytes;
	size_t held_bytes; /* regions and mappings, meta blocks included */
	size_t peak_bytes; /* the highest of held_bytes */
	uint64_t nr_calls; /* of sbrk, map, unmap and remap, ever */
};

/* An empty heap in *heap.  ops may be NULL, and stays the caller's; page_bytes, a power
 * of two, is the grain of sbrk and map. */
void quire_block_init(struct quire_block_heap *heap, enum quire_fit fit,
		      const struct quire_block_ops *ops, size_t page_bytes);

/* Gives the heap memory at [start, start + bytes), which stays its own.  QUIRE_INVALID
 * where it is too small for one block. */
enum quire_status quire_block_add(struct quire_block_heap *heap, void *start,
				  size_t bytes) __attribute__((warn_unused_result));

/* A block of at least bytes, also of 0; NULL without memory. */
void *quire_block_alloc(struct quire_block_heap *heap, size_t bytes);
/* At a multiple of align, a power of two. */
void *quire_block_alloc_aligned(struct quire_block_heap *heap, size_t align,
				size_t bytes);
/* Zeroed, of nr * bytes; NULL also where the product overflows. */
void *quire_block_alloc_zeroed(struct quire_block_heap *heap, size_t nr, size_t bytes);
/* In place where the block is large enough, or its neighbour behind is free, or the end
 * of the region can move; otherwise moved.  NULL without memory, the old block as it
 * was.  block may be NULL. */
void *quire_block_resize(struct quire_block_heap *heap, void *block, size_t bytes);
/* block may be NULL. */
void quire_block_free(struct quire_block_heap *heap, void *block);
/* Bytes that may be used of a block. */
size_t quire_block_usable(const struct quire_block_heap *heap, const void *block);

/* QUIRE_INVALID for an option that there is not. */
enum quire_status quire_block_set(struct quire_block_heap *heap,
				  enum quire_block_option option, size_t value)
	__attribute__((warn_unused_result));
/* Gives back the free end of the region that sbrk made, but for pad bytes; how much. */
size_t quire_block_trim(struct quire_block_heap *heap, size_t pad);

/* Calls visit for each block, regions first, by address, until it returns false.  The
 * heap is not changed meanwhile. */
void quire_block_walk(const struct quire_block_heap *heap,
		      bool (*visit)(void *ctx, const void *block, size_t bytes,
				    enum quire_block_state state),
		      void *ctx);
/* NULL, or what does not hold. */
const char *quire_block_validate(const struct quire_block_heap *heap);

/* From here on: the heap behind malloc, in programs that libquire.so is loaded into.
 * Any of its functions may be called from any thread, but not from a signal handler. */

/* libquire.so shows no other names to a program than these and the C library's. */
#define QUIRE_EXPORTED __attribute__((visibility("default")))

/* Where the bytes are.  Each sum stands below its parts.  Other threads that allocate
 * meanwhile make the parts approximate, not the sums. */
struct quire_heap_stats {
	uint64_t nr_blocks;
	/* What the program asked for in these blocks; of small ones, learnt from those
	 * requests of each size class that a thread's cache could not serve. */
	uint64_t asked_bytes;
	uint64_t rounding_bytes; /* of size classes and pages */
	uint64_t usable_bytes;
	uint64_t unused_bytes; /* freed, or not used yet, where blocks are */
	uint64_t span_bytes;
	uint64_t free_bytes;	 /* whole pages for the next blocks */
	uint64_t returned_bytes; /* the same, given back: addresses alone */
	uint64_t record_bytes;	 /* the heap's own */
	uint64_t held_bytes;
	uint64_t resident_bytes; /* of those held, in RAM now */
	uint64_t absent_bytes;	 /* and not: never touched, given back, swapped out */
	uint64_t process_bytes;	 /* the whole process in RAM; 0 where /proc is missing */
	/* Of usable_bytes, in mappings of their own. */
	uint64_t nr_huge, huge_bytes;
};

QUIRE_EXPORTED void quire_heap_stats(struct quire_heap_stats *stats);
/* The same as one JSON object, ended by a zero byte; returns its length, as snprintf. */
QUIRE_EXPORTED size_t quire_heap_stats_json(char *text, size_t bytes);

/* Calls visit for each block in use, by address, with what may be used of it, until it
 * returns false; whether it never did.  Blocks that are allocated or freed meanwhile may
 * be met or not; visit may do either. */
QUIRE_EXPORTED bool quire_heap_walk(bool (*visit)(void *ctx, void *block, size_t bytes),
				    void *ctx);

/* Writes what the profiler has sampled so far, as at exit: to path in pprof's format, and
 * as folded stacks beside it.  False where the process is not profiled (QUIRE_CONF=
 * profile:1), or path cannot be written. */
QUIRE_EXPORTED bool quire_heap_profile_dump(const char *path);

/* Heaps beside malloc's: what lives and dies together goes into one, and goes with it.
 *
 * A heap may be used from several threads; its calls wait for each other.  free() and
 * malloc_usable_size() take blocks of any heap; realloc() may move one to malloc's. */
struct quire_heap;

/* An empty heap; NULL without memory.  While it is empty it takes no pages. */
QUIRE_EXPORTED struct quire_heap *quire_heap_create(void);
/* Frees all its blocks at once, and the heap; no other thread uses either meanwhile.
 * heap may be NULL. */
QUIRE_EXPORTED void quire_heap_destroy(struct quire_heap *heap);

/* As malloc, calloc, aligned_alloc, realloc and free: NULL, and errno says ENOMEM,
 * without memory.  A block of another heap ends the process. */
QUIRE_EXPORTED void *quire_heap_malloc(struct quire_heap *heap, size_t bytes);
QUIRE_EXPORTED void *quire_heap_calloc(struct quire_heap *heap, size_t nr, size_t bytes);
/* align is a power of two; NULL, and EINVAL, where it is not. */
QUIRE_EXPORTED void *quire_heap_aligned(struct quire_heap *heap, size_t align,
					size_t bytes);
/* At zero bytes the block is freed, and NULL returned. */
QUIRE_EXPORTED void *quire_heap_realloc(struct quire_heap *heap, void *block,
					size_t bytes);
QUIRE_EXPORTED void quire_heap_free(struct quire_heap *heap, void *block);

#endif
