/* SPDX-License-Identifier: MIT */
/* heap.h - the fast heap: malloc in size classes, with a cache for each thread.
 *
 * Model.
 *   page     4096 bytes; the source (pages.h) hands them out in chunks of many.
 *   run      neighbouring pages with one use: free, a span of slots, or one block.
 *   span     the record of a run.  Records lie apart from the pages they speak of, so
 *            that no free touches a page of blocks: such pages may be swapped out.
 *   slot     room for one small block in a span of slots; all of a span are one class.
 *            Its state, one byte of the span's record, is free, live, or remote (freed
 *            by a thread that does not own the span; the owner has not seen it).
 *   group    64 neighbouring slots, with one bit each that says: available.
 *   cache    what one thread allocates from.  It owns spans, and has a bin for each
 *            class: a stack of free slots, filled from available ones and by frees.
 *   inbox    spans of a cache in which other threads have freed slots.
 *   map      page number -> span, two levels.
 *   detour   the way of every request and free in a program that is profiled or
 *            hardened (detour.h).
 * There are no links inside of blocks: nothing that a program writes past a block's end
 * can lead the heap astray, and the slot's state tells whether a free is the first.
 *
 * Invariants.  qr_heap_validate() names the first that does not hold.
 *   H1  an available slot is free and in no bin; a slot in a bin is free;
 *   H2  used = slots - available ones; slots in a bin count as used;
 *   H3  bit w of span.groups is set where group w has an available slot;
 *   H4  a span of slots is current in one bin, or on the partial list of its class
 *       (some slot available), or on its cache's list of empty ones (all are), or full
 *       (none is), as span.state says;
 *   H5  every page of a span of slots, and the first and last page of any other run,
 *       lead to its span by the map;
 *   H6  two neighbouring free runs differ in state (dirty, clean) or in source;
 *   H7  pages held = pages in use + dirty free + clean free;
 *   H8  a cache's used_bytes and span_bytes are the sums of used * slot_bytes and of
 *       limit over its spans;
 *   H9  a page whose bit in span.purged is set has no slot but available ones.
 *
 * Locking.  A cache belongs to its thread, its spans' owner fields with it: no lock.
 *   qr_heap_lock guards runs, the map's making, records, and the lists of caches; and of
 *   every record what a neighbouring run's merge reads: start, nr_pages, kind, source
 *   and dirty.  A large block that is freed and kept by a cache stays large for that.
 *   A remote free takes no lock:
 *     1. adds 1 to the span's `announced`; whoever finds 0 there posts the span to the
 *        owner's inbox (a stack, one compare-and-swap);
 *     2. sets the slot's state to remote.
 *   Step 2 is the last touch of the span.  Until it, the slot counts as used, so the
 *   span cannot be released under the one who frees.  The owner, when it runs out of
 *   slots, takes its whole inbox at once, gathers each span's remote slots and subtracts
 *   their number from `announced`; what is left has been announced and not yet set, and
 *   such a span stays in the inbox.
 *   A cache whose thread is gone waits on a list with its spans; a new thread takes it
 *   whole, and a thread that would need new pages takes its spans over.  A post that
 *   meets the old owner's inbox is forwarded from there.
 *   Threads past their destructors, and those without memory for a cache, share one
 *   cache behind qr_late_lock, which is taken before qr_heap_lock.
 *
 * Cost.  malloc of a small block pops the bin and marks the slot live; free is two
 * dependent loads (map), the span's first line, the slot's state, and a push.  A span's
 * record is 192 bytes, and one byte and one bit for each slot.
 */
#ifndef QUIRE_HEAP_HEAP_H
#define QUIRE_HEAP_HEAP_H

#include "heap/class.h"
#include "heap/pages.h"

#include <stdatomic.h>
#include <stdbool.h>

#define QR_PAGE_SHIFT  12
#define QR_PAGE_BYTES  ((size_t)1 << QR_PAGE_SHIFT)
#define QR_GROUP_SLOTS 64u
/* One bit of span.groups for each. */
#define QR_GROUPS_MAX	    64u
#define QR_CACHE_LINE	    64
#define QR_GROUPS_OF(slots) (((slots) + QR_GROUP_SLOTS - 1) / QR_GROUP_SLOTS)
/* States are read eight at once. */
#define QR_STATES_OF(slots) (((slots) + 7) & ~7u)

#define QR_LIKELY(x)   __builtin_expect(!!(x), 1)
#define QR_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* For the fast paths, each of which is short in every place. */
#define QR_INLINE static inline __attribute__((always_inline))
/* What runs at each program's start, and tables that are mostly never touched: early.ld. */
#define QR_EARLY __attribute__((section(".text.startup")))
#define QR_TABLE __attribute__((section(".bss.tables")))

enum qr_span_kind {
	QR_SPAN_DEAD, /* a record without a run */
	QR_SPAN_SLOTS,
	QR_SPAN_LARGE, /* one block, in pages of a chunk */
	QR_SPAN_HUGE,  /* one block, a mapping of its own */
	QR_SPAN_FREE,
};

enum qr_span_state { QR_SPAN_FULL, QR_SPAN_PARTIAL, QR_SPAN_CURRENT, QR_SPAN_EMPTY };

/* Zero: records come zeroed, and what is not in use stays untouched. */
enum qr_slot_state {
	QR_SLOT_FREE,
	QR_SLOT_LIVE,
	QR_SLOT_REMOTE,
	/* Live, and its free is to be told to whoever marked it: one bit more. */
	QR_SLOT_MARKED = 4 | QR_SLOT_LIVE,
};

typedef _Atomic uint8_t qr_slot_state;

struct qr_span {
	/* Read by whoever frees; written when the run changes its use or its owner. */
	/* Of a large block NULL, or the cache of the heap that it is of (several.c). */
	_Atomic(struct qr_cache *) owner;
	uintptr_t start;
	size_t limit; /* bytes from start in which blocks begin and end */
	union {
		struct {
			uint32_t recip; /* 2^32 / slot_bytes, rounded up */
		};
		uintptr_t block; /* large and hard: where the block begins */
	};
	uint64_t *avail; /* a bit for each slot, behind the slots' states */
	uint32_t nr_pages;
	uint32_t slot_bytes;
	uint32_t nr_slots;
	uint8_t nr_groups;
	uint8_t room; /* height up to which frees may fill the bin; 0 while it drains */
	uint8_t cls;
	uint8_t kind;
	uint8_t state;
	uint8_t source;
	uint8_t dirty;	      /* free runs: not known to read as zero */
	uint8_t record_units; /* size of this record, in cache lines */
	/* Large ones: the user's, or the cache's that keeps it; the lock's never. */
	bool fresh;  /* its pages read as zero */
	bool kept;   /* freed, and kept by a cache, or at rest */
	bool marked; /* as a slot that is marked */
	bool hard;   /* blocks are as hard.h says */
	/* The owner's; of a free run, qr_heap_lock's. */
	_Alignas(QR_CACHE_LINE) union {
		uint64_t groups;
		uint64_t asked; /* of a large block: bytes asked for */
	};
	int32_t used;
	int32_t watch;	/* a free that brings used down to this is an event */
	uint32_t stamp; /* free runs: when, in milliseconds */
	struct qr_span *prev, *next; /* partial list; free list of a size */
	uint64_t purged;	     /* one bit for each page that was given back */
	struct qr_span *all_prev, *all_next; /* the owner's spans; dirty runs by age */
	/* Written by threads that free other threads' blocks. */
	_Alignas(QR_CACHE_LINE) _Atomic uint32_t announced;
	struct qr_span *inbox_next;
	_Alignas(QR_CACHE_LINE) qr_slot_state slot[]; /* as many as it has room for */
};

/* Bits that are set.  The compiler's own is a call where the processor may lack the
 * instruction. */
static inline int32_t qr_count_bits(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (int32_t)((x * 0x0101010101010101u) >> 56);
}

/* A free slot, and where its state is. */
struct qr_entry {
	void *block;
	qr_slot_state *state;
};

/* One less than there is room for, so that the height of a full bin is not that of an
 * empty one. */
#define QR_BIN_ENTRIES 15u
#define QR_BIN_ALIGN   256

/* A stack of entries, from a multiple of its size on: the last byte of the place of the
 * next one is the height, in bytes.  The places of all bins lie side by side, in few
 * cache lines.  NULL is empty, too, but may only be filled. */
struct qr_bin {
	struct qr_entry *top;
};

#define QR_ENTRY_BYTES ((uint32_t)sizeof(struct qr_entry))

/* A bin does not keep more than this of the larger classes. */
#define QR_BIN_BYTES (8u << 10)
#define QR_BIN_LEAST 2u

static inline uint32_t qr_bin_room(uint32_t slot_bytes)
{
	uint32_t nr = QR_BIN_BYTES / slot_bytes;

	if (nr > QR_BIN_ENTRIES)
		nr = QR_BIN_ENTRIES;
	return (nr > QR_BIN_LEAST ? nr : QR_BIN_LEAST) * QR_ENTRY_BYTES;
}

static inline uint32_t qr_bin_height(const struct qr_bin *bin)
{
	return (uint32_t)((uintptr_t)bin->top % QR_BIN_ALIGN);
}

static inline uint32_t qr_bin_count(const struct qr_bin *bin)
{
	return qr_bin_height(bin) / QR_ENTRY_BYTES;
}

/* The lowest of its entries. */
static inline struct qr_entry *qr_bin_entries(const struct qr_bin *bin)
{
	return bin->top - qr_bin_count(bin);
}

/* What a thread keeps of large blocks that it freed: the latest, and not many pages. */
#define QR_KEPT_BLOCKS 4u
#define QR_KEPT_PAGES  256u

/* What small programs touch comes first, the bins of larger sizes last. */
struct qr_cache {
	struct qr_span *all;	 /* guarded by qr_heap_lock */
	struct qr_cache *next;	 /* idle or blank list; guarded by qr_heap_lock */
	struct qr_cache *linked; /* every cache there is; written once */
	/* What the last realloc that moved returned: a block that grows, if it comes back. */
	void *grown;
	struct qr_span *kept[QR_KEPT_BLOCKS]; /* those that are, first; latest last */
	uint32_t nr_kept, kept_pages;
	/* Spans of any class with nothing in use, latest first; pages they have. */
	struct qr_span *empty;
	size_t empty_bytes;
	size_t used_bytes; /* in its spans */
	size_t span_bytes; /* that its spans have, used or not */
	size_t peak_bytes; /* the most that used_bytes was since the last sweep, nearly */
	size_t sweep_at;   /* used_bytes below this is a reason to sweep */
	int64_t sweep_credit; /* nanoseconds that sweeps may take */
	uint64_t sweep_ns;    /* time of the last look at the credit */
	uint64_t swept_ns;    /* time of the last sweep's end */
	bool closed;	      /* a heap's own: takes over nobody's spans */
	bool hard;	      /* so are its spans */
	struct qr_rest *rest; /* hard: freed slots that rest */
	/* A heap's large blocks, by all_next; guarded by qr_heap_lock. */
	struct qr_span *large;
	_Alignas(QR_CACHE_LINE) _Atomic(struct qr_span *) inbox;
	_Alignas(QR_CACHE_LINE) struct qr_bin bin[QR_NR_CLASSES];
	struct qr_span *current[QR_NR_CLASSES];
	struct qr_span *partial[QR_NR_CLASSES];
	/* Of the requests that no bin served: their bytes, and how many they were. */
	uint64_t asked_bytes[QR_NR_CLASSES], nr_asked[QR_NR_CLASSES];
	_Alignas(QR_BIN_ALIGN) struct qr_entry entry[QR_NR_CLASSES][QR_BIN_ENTRIES + 1];
};

static inline void qr_bin_clear(struct qr_cache *cache, unsigned cls)
{
	cache->bin[cls].top = cache->entry[cls];
}

/* The thread's cache; qr_cache_none, which is always empty, until it has one. */
extern __thread struct qr_cache *qr_cache_self __attribute__((tls_model("initial-exec")));
extern struct qr_cache qr_cache_none;
/* Shared by the threads that have none, behind qr_late_lock. */
extern struct qr_cache qr_cache_late;

/* lock.c */
void qr_heap_lock(void);
void qr_heap_unlock(void);
void qr_late_lock(void);
void qr_late_unlock(void);
void qr_heap_fork_prepare(void);
void qr_heap_fork_parent(void);
void qr_heap_fork_child(void);

/* record.c: the records of spans and caches.  Locked. */
struct qr_span *qr_record_new(unsigned nr_slots);
void qr_record_free(struct qr_span *span);
/* Zeroed memory that is never given back, from a multiple of align, which is a cache
 * line or more, and at most a page. */
void *qr_record_raw(size_t bytes, size_t align);
size_t qr_record_held(void);

/* source.c: the current source and those before. */
const struct qr_heap_pages *qr_source_at(unsigned source);
unsigned qr_source_current(void);

/* runs.c: page runs.  All locked. */
struct qr_run {
	uintptr_t start;
	unsigned source;
	bool zero;	 /* reads as zero */
	size_t nr_clean; /* pages that were clean */
};
bool qr_runs_take(size_t nr_pages, size_t align, struct qr_run *run);
/* Makes the span's run a free one; the record with it. */
void qr_runs_give(struct qr_span *span, bool zero);
/* Gives back the last pages of a large block; false without memory for a record. */
bool qr_runs_shrink(struct qr_span *span, size_t nr_pages);
/* Takes in the free pages that follow; false where there are too few. */
bool qr_runs_grow(struct qr_span *span, size_t nr_pages);

struct qr_runs_count {
	size_t held, used, dirty, clean; /* pages */
	size_t huge;			 /* pages, not part of held */
	size_t huge_blocks, large_blocks;
};
extern struct qr_runs_count qr_runs_count;
/* NULL, or which of H5 to H7 does not hold. */
const char *qr_runs_validate(void);

/* purge.c: when dirty runs go back to the source. */
void qr_purge_note_give(size_t nr_pages);
/* nr_clean of them were clean. */
void qr_purge_note_take(size_t nr_pages, size_t nr_clean);
size_t qr_purge_all(size_t keep_pages);
uint32_t qr_purge_now(void);
/* runs.c for purge.c: the oldest dirty run becomes a clean one; pages, or 0 if none. */
size_t qr_runs_purge_oldest(void);
/* The oldest dirty run's stamp, false if there is none. */
bool qr_runs_oldest_stamp(uint32_t *stamp);

/* span.c: spans of slots, by their owner. */
struct qr_span *qr_span_create(struct qr_cache *cache, unsigned cls);
/* used has come down to watch. */
void qr_span_event(struct qr_cache *cache, struct qr_span *span);
/* Makes the remote slots available. */
void qr_span_gather(struct qr_cache *cache, struct qr_span *span);
void qr_span_post(struct qr_span *span);
/* Releases a span whatever is in use of it; locked. */
void qr_span_abandon(struct qr_span *span);
/* The span is no bin's any more: partial, full, or released when it is empty. */
void qr_span_settle(struct qr_cache *cache, struct qr_span *span);
void qr_span_release_empty(struct qr_cache *cache);
/* The cache is about to get a new span: its oldest empty one makes room for it. */
void qr_span_make_room(struct qr_cache *cache);
/* The span to allocate from next, made current; NULL if there is none. */
struct qr_span *qr_span_choose(struct qr_cache *cache, unsigned cls);

/* sweep.c: whole pages of available slots go back to the source. */
void qr_cache_sweep(struct qr_cache *cache);
/* used_bytes is above peak_bytes; or the cache has lost a span. */
void qr_sweep_arm(struct qr_cache *cache);
void qr_sweep_disarm(struct qr_cache *cache);
/* used_bytes has come down to sweep_at. */
void qr_sweep_check(struct qr_cache *cache);
/* The slot is about to be used: its pages are no longer those that were given back. */
void qr_sweep_unpurge(struct qr_cache *cache, struct qr_span *span, uint32_t slot);
bool qr_sweep_page_is_free(const struct qr_span *span, uint32_t page);

/* refill.c: bins. */
/* A slot for a request of so many bytes, from wherever there is one; NULL without
 * memory. */
void *qr_cache_refill(struct qr_cache *cache, unsigned cls, size_t bytes);
/* The same past the detour; cache is NULL for a thread that has none. */
void *qr_cache_serve(struct qr_cache *cache, unsigned cls, size_t bytes);
/* Makes the slots of a class's bin available. */
void qr_bin_flush(struct qr_cache *cache, unsigned cls);
/* The same, and the bin gives up its span. */
void qr_bin_retreat(struct qr_cache *cache, unsigned cls);

/* cache.c: caches, from the making to the taking over. */
/* The thread's own, made or taken over now; NULL if it is to use the late one. */
struct qr_cache *qr_cache_acquire(void);
/* Gathers what other threads freed. */
void qr_cache_drain(struct qr_cache *cache);
/* Takes over the spans of a thread that is gone; false if there is none. */
bool qr_cache_adopt(struct qr_cache *cache);
/* Everything unused goes to the free runs. */
void qr_cache_flush(struct qr_cache *cache);
/* A new one, which is no thread's; NULL without memory.  Locked. */
struct qr_cache *qr_cache_make(void);
/* The first of all caches, by the field linked. */
struct qr_cache *qr_cache_first(void);
/* Called before a second thread's first request is served; may be NULL.  Set at start. */
extern void (*qr_cache_second)(void);

/* large.c: blocks with pages of their own. */
/* mapped: a mapping of its own, whatever the size. */
struct qr_span *qr_large_new(size_t bytes, size_t align, bool mapped);
/* One that the cache kept, of least to most bytes, for a request of fewer; or NULL. */
struct qr_span *qr_large_kept(size_t bytes, size_t least, size_t most);
/* The span's block, all zero; NULL of NULL. */
void *qr_large_zeroed(const struct qr_span *span, size_t bytes);
/* Pages of a size, in no account but the runs', and not marked; without errno. */
struct qr_span *qr_large_take(size_t bytes);
void qr_large_free(struct qr_span *span, const void *block);
/* Makes a large block one of the cache's heap. */
void qr_large_own(struct qr_cache *cache, struct qr_span *span);
/* Gives the pages of a large block back; zero where they read so. */
void qr_large_release(struct qr_span *span, bool zero);
/* Frees all that are. */
void qr_large_free_owned(struct qr_cache *cache);
/* Gives up what the cache kept. */
void qr_large_flush(struct qr_cache *cache);
/* The block resized where it lies or by moving its pages; NULL where neither is. */
void *qr_large_resize(struct qr_span *span, size_t bytes);
/* From this size on a block that grows is better moved by the source. */
#define QR_REMAP_MIN ((size_t)1 << 20)

/* alloc.c: the heap's interface, and what the fast paths leave over. */
void *qr_heap_malloc(size_t bytes);
void *qr_heap_calloc(size_t nr, size_t bytes);
void *qr_heap_aligned(size_t align, size_t bytes);
void *qr_heap_realloc(void *block, size_t bytes);
void qr_heap_free(void *block);
size_t qr_heap_usable(void *block);
/* Gives back all but pad bytes of free pages; whether any went. */
bool qr_heap_trim(size_t pad);
/* The span of a block in use, as far as can be told; ends the process if there is no
 * such block. */
struct qr_span *qr_heap_span_of(void *block);
/* Whether a block of old_bytes serves as one of bytes: up to twice too large is what a
 * block has that grows. */
bool qr_heap_fits(size_t old_bytes, size_t bytes);
void *qr_alloc_slow(size_t bytes);
void qr_free_slow(void *block, struct qr_span *span);
/* The same past the detour. */
void qr_free_other(void *block, struct qr_span *span);
/* Leaves a slot, which the caller has made its own, to the span's owner. */
void qr_free_announce(struct qr_span *span, qr_slot_state *state);
/* Frees a block of one of the cache's own spans that is marked, or not live at all. */
void qr_free_marked(struct qr_cache *cache, struct qr_span *span, void *block);

/* report.c: corruption; all end the process. */
__attribute__((noreturn)) void qr_report_bad_free(const void *block,
						  const struct qr_span *span);
__attribute__((noreturn)) void qr_report_double_free(const void *block,
						     const struct qr_span *span);
__attribute__((noreturn)) void qr_report_written(const void *block, size_t bytes,
						 const char *where);
/* Returns where the address is not one of a hard span's. */
void qr_report_fault(uintptr_t address);
__attribute__((noreturn)) void qr_report_broken(const char *what, const void *where);

/* The block of a large span, and what may be used of it. */
static inline uintptr_t qr_large_block(const struct qr_span *span)
{
	return QR_UNLIKELY(span->hard) ? span->block : span->start;
}

static inline size_t qr_large_usable(const struct qr_span *span)
{
	return QR_UNLIKELY(span->hard) ? span->asked : span->limit;
}

/* several.c: heaps beside malloc's, at a fork. */
void qr_several_fork_prepare(void);
void qr_several_fork_end(void);

/* account.c */
struct qr_heap_account {
	size_t held;   /* bytes from the sources, records included */
	size_t spans;  /* bytes in spans of slots */
	size_t used;   /* bytes in blocks, small and large */
	size_t blocks; /* blocks in use */
	size_t huge;   /* bytes in mappings of their own */
	size_t huge_blocks;
	size_t kept; /* bytes in freed blocks that caches keep */
	size_t free_dirty, free_clean, records;
};
void qr_heap_account(struct qr_heap_account *account);
/* NULL, or the invariant that does not hold.  No other thread uses the heap. */
const char *qr_heap_validate(void);

/* report.c: one line on stderr; length bytes of detail. */
void qr_heap_warn(const char *what, const char *detail, size_t length);

/* conf.c: QUIRE_CONF and mallopt. */
#define QR_PROFILE_RATE ((size_t)512 << 10)
#define QR_PATH_MAX	1024u

struct qr_heap_conf {
	bool stats;	     /* print the account at exit */
	size_t decay_ms;     /* dirty runs older than this go back */
	bool hardened;	     /* as hard.h says */
	size_t guard_sample; /* one small block in so many has its own pages */
	bool profile;	     /* sample, and write what was found at exit */
	bool leaks;	     /* name what is in use at exit */
	size_t profile_rate; /* bytes for each sample; 0: the default */
	size_t profile_signal;
	char profile_file[QR_PATH_MAX];
};
extern struct qr_heap_conf qr_heap_conf;
/* Reads "key:value,..."; warns once of each key that is not known. */
void qr_conf_parse(const char *text);

#endif
