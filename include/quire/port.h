/* SPDX-License-Identifier: MIT */
/* port.h - the whole contract between the core and the ground that it stands on.
 *
 * Model.  The core's page tables are the truth.  What the ground holds is a cache of
 * them: a TLB on a machine of our own, the host's page tables under a Linux process.
 * Each port has the same two motions: *fill* translations on a fault, and *release* a
 * batch before the core relies on them being gone.  A page is taken away in three
 * steps on every port: protect (from here on no write goes unseen), read its bytes,
 * release.
 *
 * A *frame* is one page of the machine's memory; its bytes are at direct + n * page.
 * On a port with QUIRE_PORT_COPIES the bytes of a page that is mapped live with the
 * ground, not at its frame's address: fill() copies them there, and release() drops
 * them.  The frame then only stands for the page in the account; its own address is
 * used when the frame holds a table or compressed data.
 *
 * Context.  Unless an op says otherwise it is called with the machine's lock NOT held,
 * may be called by several lanes at once, and must neither call back into the core nor
 * touch memory that the core pages.  "Locked" ops are called with the lock held and
 * must be short.  An op that returns no status cannot fail.
 *
 * tests/port checks each clause; its number is the [Pn] beside it.
 */
#ifndef QUIRE_PORT_H
#define QUIRE_PORT_H

#include "quire/types.h"

#define QUIRE_PORT_VERSION 1u

/* Capabilities. */
#define QUIRE_PORT_COPIES   1u /* mapped pages live with the ground (see above) */
#define QUIRE_PORT_ACCESSED 2u /* the ground sets A and D in the core's entries */

/* fill() flags. */
#define QUIRE_FILL_READONLY 1u /* the next write must fault as a write */

/* release() flags. */
#define QUIRE_RELEASE_FORCE 1u /* the owner unmapped it: pinned or not, it goes */

/* The unit in which a swap area is handed out and addressed. */
#define QUIRE_EXTENT_SHIFT  15
#define QUIRE_EXTENT_BYTES  ((size_t)1 << QUIRE_EXTENT_SHIFT)
#define QUIRE_EXTENT_FRAMES (1u << (QUIRE_EXTENT_SHIFT - QUIRE_PAGE_SHIFT))

/* The most neighbouring extents that one transfer covers. */
#define QUIRE_TRANSFER_EXTENTS 4u
#define QUIRE_TRANSFER_FRAMES  (QUIRE_TRANSFER_EXTENTS * QUIRE_EXTENT_FRAMES)

/* The most pages that one fill() carries. */
#define QUIRE_FILL_MAX 64u

/* The most runs that one protect(), release() or discard() carries. */
#define QUIRE_RUNS_MAX 512u

struct quire_port {
	uint32_t version; /* QUIRE_PORT_VERSION */
	uint32_t caps;
	void *ctx; /* the first argument of every op */

	/* The machine's frames: nr_frames pages at direct, page aligned, reading as zero
	 * before their first use.  [P1] */
	unsigned char *direct;
	uint32_t nr_frames;
	/* CPUs that run the program now, as far as the ground knows: from two on, each
	 * protect() of a run interrupts the others, and fewer, longer runs are better. */
	_Atomic uint32_t nr_running;
	/* Where areas may lie; page aligned, below 2^47, start > 0. */
	struct quire_range window;

	/* Makes [va, va + nr pages) accessible; nr is 1..QUIRE_FILL_MAX and the range
	 * lies in one area whose pages are not mapped.  With COPIES the bytes come from
	 * src, or are zero where src is NULL; without, src is NULL and the frames hold
	 * them.  [P2] After QUIRE_OK each byte reads as given, and everybody who waits for
	 * one of the pages is woken.  [P3] With READONLY the first write to a page faults
	 * as QUIRE_WRITE; without, no write faults.  [P4] QUIRE_NO_MEMORY: nothing was
	 * filled.  QUIRE_FAULT: the ground has lost the range (taken away behind the
	 * machine's back); as if filled and at once released. */
	enum quire_status (*fill)(void *ctx, quire_vaddr va, uint32_t nr, const void *src,
				  uint32_t flags);
	/* on: not locked; from the return on, every write to a mapped page of the runs
	 * faults before it takes effect, on all CPUs.  [P5] off: locked or not;
	 * writes pass again, and writers that wait are woken.  [P6] Pages that are not mapped are
	 * passed over; calls may meet on the same pages. */
	void (*protect)(void *ctx, const struct quire_run *runs, uint32_t nr, bool on);
	/* After the return no CPU reaches the old pages of the runs; the next access
	 * faults.  [P7] A page in use by a device (pinned) is left mapped, unless FORCE,
	 * and its bit is set in kept: bit i counts pages over all the runs, in order.
	 * kept has room for every page, cleared by the caller; NULL with FORCE.  [P8]
	 * Locked with FORCE, not locked without. */
	void (*release)(void *ctx, const struct quire_run *runs, uint32_t nr,
			uint32_t flags, uint64_t *kept);
	/* Locked.  Everybody who waits for a page of the run tries again.  [P9] */
	void (*wake)(void *ctx, struct quire_run run);
	/* The address of the bytes of a mapped page, for reading, or NULL when it cannot
	 * be had (the page is then left where it is): so where a device may still write
	 * the page and release() would not find that out.  May use scratch, one page.
	 * Only called with COPIES, on a protected page.  prot is the area's.  [P10] */
	const void *(*look)(void *ctx, quire_vaddr va, uint32_t prot, void *scratch);
	/* Locked.  The bytes of these frames are not wanted: the ground may take the
	 * memory back until the frame is written again.  pfns has nr, 1..QUIRE_RUNS_MAX,
	 * entries.  NULL where frames cost the same used or free.  [P11] */
	void (*discard)(void *ctx, const quire_pfn *pfns, uint32_t nr);
	/* Locked.  The range's protection is prot from now on; QUIRE_PROT_GONE: it is no
	 * longer part of an area, and all its pages are gone.  Accesses against it fault
	 * as QUIRE_FAULT or are signalled by the ground itself.  [P12] */
	enum quire_status (*area_set)(void *ctx, struct quire_range range, uint32_t prot);

	/* Swap areas are numbered 0.. in the order of swap_open().  A write begins at an
	 * extent's start and carries 1..QUIRE_TRANSFER_FRAMES frames; a read begins at
	 * any page and carries as much at most; buffers are page aligned.  A write is
	 * durable enough when a read returns it.  [P13]
	 * QUIRE_IO: the contents of the target are unknown; QUIRE_NO_SPACE: the device is
	 * full, nothing was written.  [P14] */
	enum quire_status (*swap_open)(void *ctx, uint32_t area, uint64_t *nr_extents);
	enum quire_status (*swap_write)(void *ctx, uint32_t area, uint64_t extent,
					const quire_pfn *pfns, uint32_t nr);
	enum quire_status (*swap_read)(void *ctx, uint32_t area, uint64_t byte, void *buf,
				       size_t bytes);

	/* Whether this copy of the machine is the only one that holds the area, now that
	 * the others (see quire_fork_prepare) may have ended.  NULL: always. */
	bool (*swap_sole)(void *ctx, uint32_t area);

	/* Nanoseconds that never go back.  [P15] Callable anywhere. */
	uint64_t (*clock)(void *ctx);
	/* Sleeps while *word == value, spurious returns allowed; wakes nr sleepers. [P16]
	 * Callable anywhere. */
	void (*wait)(void *ctx, _Atomic uint32_t *word, uint32_t value);
	void (*notify)(void *ctx, _Atomic uint32_t *word, uint32_t nr);
	/* Stops the machine for good, with a line that says why.  Never returns.
	 * Callable anywhere. */
	void (*panic)(void *ctx, const char *why) __attribute__((noreturn));
};

/* area_set(): the range belongs to no area. */
#define QUIRE_PROT_GONE 0x80000000u

#endif
