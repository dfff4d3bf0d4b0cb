/* SPDX-License-Identifier: MIT */
/* frames.h - the page frames of a machine: read from a memory map, kept in zones, handed
 * out and taken back.
 *
 * Model.  A *zone* is a part of physical memory with something in common: DMA is what
 * old devices reach, HIGHMEM what the core cannot address at all times, NORMAL the rest.
 * An allocation names the highest zone that will do and falls back to lower ones; what
 * lower zones keep back for those who can use nothing else is their *lowmem reserve*.
 * In front of each zone every CPU has lists of its own, so that most calls take no lock.
 *
 * Context.  A call that takes a cpu must not run on the lists of one CPU twice at a time:
 * the caller is pinned to that CPU, with preemption off where there is any.  Calls for
 * different CPUs may run side by side, and so may calls that take none.
 */
#ifndef QUIRE_FRAMES_H
#define QUIRE_FRAMES_H

#include "quire/port.h"
#include "quire/types.h"

/* What a frame is used for. */
enum quire_frame_use {
	QUIRE_FRAME_TAIL, /* inside a block, or never used; 0: the table starts so */
	QUIRE_FRAME_FREE, /* heads a free block */
	QUIRE_FRAME_WARM, /* free, but the ground still holds memory for it */
	QUIRE_FRAME_META, /* the frame table, lanes, the machine itself */
	/* What a caller may ask for: */
	QUIRE_FRAME_TABLE,  /* page tables, pools of records */
	QUIRE_FRAME_STORE,  /* compressed pages */
	QUIRE_FRAME_MAPPED, /* a page of the program: it can be moved */
	QUIRE_FRAME_SLAB,   /* objects; slot and owner are the slab allocator's */
	/* And again what it may not: */
	QUIRE_FRAME_TAKEN,  /* heads a block that the buddy system gave, of no use yet */
	QUIRE_FRAME_CACHED, /* free, on a CPU's own list */
	QUIRE_FRAME_RESERVED, /* a hole of the memory map, or somebody else's */
	QUIRE_FRAME_BAD,      /* found faulty, and never given again */
	QUIRE_FRAME_USES,
};

/* Flags of an allocation. */
#define QUIRE_ALLOC_RESERVE 1u	/* may go below min: the caller is freeing memory */
#define QUIRE_ALLOC_ZERO    2u	/* the frames' bytes are zero */
#define QUIRE_ALLOC_MOVABLE 4u	/* its page can move: keep it by others that can */
#define QUIRE_ALLOC_DMA	    8u	/* from the zone DMA alone */
#define QUIRE_ALLOC_HIGH    16u /* HIGHMEM will do */
#define QUIRE_ALLOC_URGENT  32u /* may go to half of min: the caller cannot make room */

/* Memory as firmware describes it, in bytes from physical address 0. */
enum quire_ram_type {
	QUIRE_RAM_USABLE,
	QUIRE_RAM_RECLAIMABLE, /* usable once quire_frames_reclaim() is called */
	QUIRE_RAM_RESERVED,
};

struct quire_ram {
	uint64_t base, bytes;
	enum quire_ram_type type;
};

#define QUIRE_RAM_MAX 128u /* entries */

/* Puts a map right: out has its entries sorted, page aligned (usable ones cut to whole
 * pages, reserved ones grown to them), disjoint and joined where neighbours are alike.
 * Where entries overlap the stricter type holds; empty ones are passed over.  out has room
 * for *nr_out entries, and has *nr_out afterwards.
 * QUIRE_INVALID: entry *bad ends past 2^64 or is of no type.  QUIRE_NO_SPACE: out is too
 * small; *bad is the first entry that found no room. */
enum quire_status quire_ram_sort(const struct quire_ram *map, uint32_t nr,
				 struct quire_ram *out, uint32_t *nr_out, uint32_t *bad);

enum quire_zone_kind {
	QUIRE_ZONE_DMA,
	QUIRE_ZONE_NORMAL,
	QUIRE_ZONE_HIGHMEM,
	QUIRE_ZONES,
};

/* How a zone keeps its free frames. */
enum quire_buddy_kind {
	QUIRE_BUDDY_BINARY, /* blocks of 2^k, aligned */
	QUIRE_BUDDY_FIBONACCI,
	QUIRE_BUDDY_WEIGHTED,
	QUIRE_BUDDY_TERTIARY,
	QUIRE_BUDDY_KINDS,
};

/* What is checked beyond what always is. */
#define QUIRE_FRAMES_TRACE  1u /* remember who took and who freed each frame last */
#define QUIRE_FRAMES_POISON 2u /* fill free frames, and see whether somebody writes */
#define QUIRE_FRAMES_GROUP  4u /* keep frames of pages that can move together */

#define QUIRE_CPUS_MAX 256u

struct quire_frames_config {
	const struct quire_port
		*port; /* direct, nr_frames, discard, wait, notify, panic */
	const struct quire_ram *map;
	uint32_t nr_map;
	uint32_t nr_cpus; /* 1..QUIRE_CPUS_MAX */
	uint32_t flags;	  /* QUIRE_FRAMES_ */
	/* Where DMA and NORMAL end, in bytes: multiples of 4 MiB; 0: 16 MiB, and the end
	 * of memory. */
	uint64_t dma_end, normal_end;
	enum quire_buddy_kind buddies[QUIRE_ZONES];
	uint32_t fibonacci_lag;	  /* 0: 2 */
	uint64_t min_free_kbytes; /* 0: by Linux's formula */
	uint32_t watermark_scale; /* in 10,000ths of a zone; 0: 10 */
	/* 1/n of the zones above are kept back in each; all 0: 256, 32, 0. */
	uint32_t reserve_ratios[QUIRE_ZONES];

	void *ctx;
	/* Free memory is below low: page out until it is above high.  Called with no lock
	 * held, and must not wait for that; may be NULL. */
	void (*wake)(void *ctx);
	/* Nothing is left for a block of that order: frees what it can, and says whether
	 * that was anything.  Called on the CPU of the allocation with no lock held, may
	 * free but not allocate; NULL: there is nothing to free. */
	bool (*pressure)(void *ctx, uint32_t cpu, uint32_t order);
	/* Moves the page in from (a MAPPED frame, no further references) with all that
	 * leads to it to the frame to; false: it cannot be moved now.  Called with the
	 * zone's lock held.  NULL: no page can be moved. */
	bool (*move)(void *ctx, quire_pfn from, quire_pfn to);
};

struct quire_frames;

/* Builds the frame table in the memory that the map shows.  QUIRE_INVALID: the map or
 * another field is wrong; *bad is the entry of the map, or nr_map.  QUIRE_NO_MEMORY: too
 * little usable memory. */
enum quire_status quire_frames_open(struct quire_frames **out,
				    const struct quire_frames_config *config,
				    uint32_t *bad);

/* 2^order neighbouring frames, order 0..10, for use (TABLE, STORE, MAPPED or SLAB).
 * False when there is none, or the watermarks forbid it. */
bool quire_frames_alloc(struct quire_frames *f, uint32_t cpu, enum quire_frame_use use,
			uint32_t order, uint32_t flags, quire_pfn *out);
/* Stops the machine where the block was not taken so. */
void quire_frames_free(struct quire_frames *f, uint32_t cpu, quire_pfn pfn,
		       uint32_t order);
/* nr neighbouring frames, the first a multiple of align (a power of two), from wherever
 * that many are free. */
bool quire_frames_alloc_run(struct quire_frames *f, enum quire_frame_use use, uint32_t nr,
			    uint32_t align, uint32_t flags, quire_pfn *out);
void quire_frames_free_run(struct quire_frames *f, quire_pfn pfn, uint32_t nr);

/* One more user of a frame that is in use.  Past 65,535 the count stays there for good, and
 * so does the frame. */
void quire_frames_get(struct quire_frames *f, quire_pfn pfn);
/* One user less; the last one frees it.  True when it did. */
bool quire_frames_put(struct quire_frames *f, uint32_t cpu, quire_pfn pfn);
/* The users of a frame in use. */
uint32_t quire_frames_users(const struct quire_frames *f, quire_pfn pfn);

/* Never gives the frame again: its memory is faulty.  False where it is in use as a part
 * of something. */
bool quire_frames_retire(struct quire_frames *f, quire_pfn pfn);
/* The CPU's own lists go back to the zones. */
void quire_frames_drain(struct quire_frames *f, uint32_t cpu);
/* Makes free blocks of 2^order frames by moving pages; whether there is one now. */
bool quire_frames_compact(struct quire_frames *f, uint32_t order);
/* Frames of reclaimable entries of the map are usable from now on; how many. */
uint32_t quire_frames_reclaim(struct quire_frames *f);
/* The n-th allocation from now fails (1: the next); 0: none does. */
void quire_frames_fail_in(struct quire_frames *f, uint64_t n);

#define QUIRE_INFO_ORDERS 62u
#define QUIRE_INFO_GROUPS 2u

/* A zone as /proc/zoneinfo, buddyinfo and pagetypeinfo show it. */
struct quire_zone_info {
	const char *name;
	const char *buddy;
	uint32_t start, spanned; /* frames, holes included */
	uint32_t present;	 /* without holes */
	uint32_t managed;	 /* without what was never the zone's */
	uint32_t free, cached;	 /* in the zone; on the CPUs' lists */
	uint32_t min, low, high;
	uint32_t reserve[QUIRE_ZONES]; /* kept back from callers who may use zone j */
	uint32_t uses[QUIRE_FRAME_USES];
	uint32_t nr_orders;
	uint32_t sizes[QUIRE_INFO_ORDERS]; /* frames of a block of each order */
	uint32_t blocks[QUIRE_INFO_GROUPS][QUIRE_INFO_ORDERS];
	uint32_t runs[QUIRE_INFO_GROUPS]; /* of 512 frames, that belong to the group */
	uint32_t nr_cpus, batch, list_high;
};
/* False when the machine has no such zone. */
bool quire_frames_info(struct quire_frames *f, enum quire_zone_kind kind,
		       struct quire_zone_info *out);
/* Frames on one CPU's lists in front of the zone. */
uint32_t quire_frames_cached(struct quire_frames *f, enum quire_zone_kind kind,
			     uint32_t cpu);
/* What frame n is used for; the use of the block's first frame inside a block. */
enum quire_frame_use quire_frames_use(struct quire_frames *f, quire_pfn pfn);
/* What Linux shows of its zones, in its words and columns: text that ends with a zero byte,
 * cut where there is no room.  The length is that of the whole text. */
size_t quire_frames_buddyinfo(struct quire_frames *f, char *text, size_t room);
size_t quire_frames_zoneinfo(struct quire_frames *f, char *text, size_t room);
size_t quire_frames_pagetypeinfo(struct quire_frames *f, char *text, size_t room);

/* A zone's frames as a picture, row by row: each cell stands for so many of them, and shows
 * what most are used for. */
struct quire_picture {
	enum quire_zone_kind zone;
	uint32_t columns; /* cells in a row, at least 1 */
	uint32_t frames;  /* of a cell; 0: as many as fit the zone into 32 rows */
	bool svg;	  /* else one character a cell, and a line that explains them */
};
size_t quire_frames_picture(struct quire_frames *f, const struct quire_picture *picture,
			    char *text, size_t room);

/* NULL, or the name of the first invariant that does not hold.  No call may be under
 * way. */
const char *quire_frames_validate(struct quire_frames *f);

#endif
