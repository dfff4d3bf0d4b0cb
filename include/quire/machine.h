/* SPDX-License-Identifier: MIT */
/* machine.h - one Quire machine: an address space paged over a bounded set of frames.
 *
 * A machine lives entirely in its port's frames.  Several live side by side.  Every
 * call may come from any thread, unless it says otherwise; none may be made from a port
 * op.  The calls that take a lane do long work (compress, transfer); one lane serves
 * one caller at a time.
 *
 * Addresses and lengths follow mmap(2): a length is rounded up to pages, an address
 * that is not page aligned is QUIRE_INVALID.
 */
#ifndef QUIRE_MACHINE_H
#define QUIRE_MACHINE_H

#include "quire/codec.h"
#include "quire/port.h"
#include "quire/stats.h"
#include "quire/types.h"

struct quire;

/* Where pages go that find no room in frames. */
enum quire_swap_mode {
	QUIRE_SWAP_NONE, /* nowhere: what is touched stays */
	QUIRE_SWAP_RAM,	 /* the compressed store */
	QUIRE_SWAP_FILE, /* the store first, then swap areas of the port */
};

struct quire_config {
	const struct quire_codec *codec; /* needed unless swap is NONE */
	enum quire_swap_mode swap;
	uint64_t store_bytes; /* bound of the compressed store; 0: by what pays */
	uint32_t nr_lanes;    /* callers of fault() at a time, 1..QUIRE_LANES_MAX */
	bool has_writer;      /* a thread calls quire_write_back(), which see */
	bool has_daemon;      /* a thread calls quire_page_out(), which see */
	struct quire_stats
		*stats; /* zeroed memory of the caller's, outlives the machine */
};

#define QUIRE_LANES_MAX 16u

/* The fewest frames that a machine of this configuration runs on. */
uint32_t quire_frames_least(const struct quire_config *config);

/* Builds a machine in port's frames.  port and config->codec must outlive it.
 * QUIRE_INVALID: a field is out of range.  QUIRE_NO_MEMORY: too few frames. */
enum quire_status quire_open(struct quire **out, const struct quire_port *port,
			     const struct quire_config *config);
/* Gives every page back to the ground.  No other call may be under way. */
void quire_close(struct quire *q);

/* mmap flags. */
#define QUIRE_MAP_FIXED	    1u /* exactly there, replacing what is there */
#define QUIRE_MAP_NOREPLACE 2u /* exactly there, QUIRE_EXISTS when taken */
#define QUIRE_MAP_LOCKED    4u /* pages stay in once touched */
#define QUIRE_MAP_FOREIGN   8u /* keep the addresses, but the ground backs them itself */

/* A new area of zero pages.  hint is an address to try, or 0.  align is a power of two
 * of at least a page, or 0. */
enum quire_status quire_mmap(struct quire *q, quire_vaddr hint, uint64_t bytes,
			     uint32_t prot, uint32_t flags, uint64_t align,
			     quire_vaddr *out);
enum quire_status quire_munmap(struct quire *q, quire_vaddr start, uint64_t bytes);
/* QUIRE_NO_MEMORY where part of the range is in no area, as mprotect(2). */
enum quire_status quire_mprotect(struct quire *q, quire_vaddr start, uint64_t bytes,
				 uint32_t prot);

/* The classic heap: a break that starts at the base of an area of its own.  want 0 asks
 * where it is.  QUIRE_NO_MEMORY: it stays where it was. */
enum quire_status quire_brk(struct quire *q, quire_vaddr want, quire_vaddr *out);

/* mremap flags. */
#define QUIRE_REMAP_MAYMOVE   1u
#define QUIRE_REMAP_FIXED     2u /* to target, replacing what is there */
#define QUIRE_REMAP_DONTUNMAP 4u /* the old area stays, empty */

/* As mremap(2); lane as in quire_fault, since pages may have to be copied. */
enum quire_status quire_mremap(struct quire *q, uint32_t lane, quire_vaddr start,
			       uint64_t old_bytes, uint64_t new_bytes, uint32_t flags,
			       quire_vaddr target, quire_vaddr *out);

/* What madvise(2) may say; values of our own, ports translate. */
enum quire_advice {
	QUIRE_ADVICE_NORMAL,
	QUIRE_ADVICE_RANDOM,	 /* no reading ahead */
	QUIRE_ADVICE_SEQUENTIAL, /* read far ahead */
	QUIRE_ADVICE_DONTNEED,	 /* contents go at once; reads give zeros */
	QUIRE_ADVICE_FREE,	 /* the same: zeros are allowed at any time */
	QUIRE_ADVICE_COLD,	 /* first to go */
	QUIRE_ADVICE_PAGEOUT,	 /* out now, as far as possible; needs no lane: marks */
};
enum quire_status quire_madvise(struct quire *q, quire_vaddr start, uint64_t bytes,
				enum quire_advice advice);

/* Locks or unlocks every area of the range: pages that are in, or come in, stay in.
 * The caller touches them afterwards to bring them in. */
enum quire_status quire_mlock(struct quire *q, quire_vaddr start, uint64_t bytes,
			      bool on);
/* The same for all areas; future: for those to come also. */
enum quire_status quire_mlock_all(struct quire *q, bool current, bool future);
/* vec[i] = 1 where page i is resident; QUIRE_NO_MEMORY where a page is in no area.
 * vec is written in chunks with the lock not held. */
enum quire_status quire_mincore(struct quire *q, quire_vaddr start, uint64_t bytes,
				unsigned char *vec);

/* One area as the walk sees it. */
struct quire_area_info {
	struct quire_range range;
	uint32_t prot;
	bool locked, foreign;
};
/* The first area that ends above at; false when there is none. */
bool quire_area_next(struct quire *q, quire_vaddr at, struct quire_area_info *out);

/* Resolves a fault of access at va: QUIRE_READ, or QUIRE_WRITE for a write.
 * QUIRE_OK: the page is there, waiters are woken.  QUIRE_BUSY: somebody else is at it
 * and will wake the waiters.  QUIRE_FAULT: no area, or not allowed: the program's
 * fault.  QUIRE_NO_MEMORY: nothing can be reclaimed: out of memory.  QUIRE_IO,
 * QUIRE_CORRUPT: the page's contents are lost. */
enum quire_status quire_fault(struct quire *q, uint32_t lane, quire_vaddr va,
			      uint32_t access);
/* Evicts while free frames are below the high watermark; called by a lane when it has
 * nothing more urgent to do.  True when there was work. */
bool quire_balance(struct quire *q, uint32_t lane);
/* The same after a fault: may be left to the page-out daemon, below. */
void quire_after_fault(struct quire *q, uint32_t lane);

/* For a thread of its own, over and over: writes to swap areas what the store has above its
 * share, and sleeps until there is such.  Faults then need not wait for devices, unless
 * the writer falls behind.  False once quire_stop_writing() was called. */
bool quire_write_back(struct quire *q);
void quire_stop_writing(struct quire *q);
/* The page-out daemon's thread, over and over: evicts from the low watermark to the high
 * one, and sleeps until free frames are below the low one.  While the program leaves
 * processors idle (port->nr_running) lanes leave evicting to it, unless free frames fall
 * below the least.  False once quire_stop_paging_out() was called. */
bool quire_page_out(struct quire *q);
void quire_stop_paging_out(struct quire *q);

/* From now on the account is kept in stats, which takes over what the old one said. */
void quire_set_stats(struct quire *q, struct quire_stats *stats);
/* NULL, or the name of the first invariant that does not hold.  No lane may be at work. */
const char *quire_validate(struct quire *q);

/* Around a copy of the whole machine (fork): prepare stops every lane and leaves the
 * lock held; then each copy goes on with resume.  Swap areas in use are sealed: both
 * copies read them, neither writes; new pages go to a new swap area. */
void quire_fork_prepare(struct quire *q);
void quire_fork_resume(struct quire *q, bool child);

/* Hands the bytes of every page that is out to put, in order of address: for a copy that
 * cannot go on paging.  Only in a copy, between quire_fork_prepare and the end; the
 * machine is of no use afterwards.  QUIRE_IO, QUIRE_CORRUPT: a page's contents are lost. */
enum quire_status quire_fork_restore(struct quire *q, uint32_t lane,
				     void (*put)(void *ctx, quire_vaddr va,
						 const void *bytes),
				     void *ctx);

#endif
