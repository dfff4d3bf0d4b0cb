/* SPDX-License-Identifier: MIT */
/* kernel.h - what a kernel allocates from, put together: frames in zones, caches and
 * kmalloc over them, vmalloc over both; joined where memory is short.
 *
 * Model.  Each part is used by its own header's calls: quire/frames.h, quire/objects.h,
 * quire/vmalloc.h.  Objects lie in NORMAL (in DMA, where there is nothing else), those of
 * QUIRE_GFP_DMA in DMA.
 *
 * Pressure, in three steps.
 *   low   A zone falls below its low watermark, whoever takes from it: the wake upcall asks
 *         for the page-out daemon, a thread of the kernel's that calls
 *         quire_kernel_balance() till it is above high.
 *   min   Frames are wanted that the watermarks forbid: shrinkers, magazines, depots and
 *         empty slabs give back, at rising urgency; then the kernel's own pressure upcall
 *         is asked; and the allocation is tried again.
 *   none  Objects are wanted and no frame is there for a slab: shrinkers and caches, as
 *         above; frames on CPUs' lists; a block is made by moving pages; then the upcall.
 *
 * Context.  As in quire/frames.h.  Neither kind of allocation may be made from a shrinker,
 * a constructor or an upcall.
 */
#ifndef QUIRE_KERNEL_H
#define QUIRE_KERNEL_H

#include "quire/frames.h"
#include "quire/objects.h"
#include "quire/vmalloc.h"

struct quire_kernel;

struct quire_kernel_config {
	/* nr_cpus at most QUIRE_OBJECTS_CPUS_MAX, and not QUIRE_FRAMES_POISON, which
	 * slabs would write to: caches have a poison of their own.  Its upcalls are the
	 * kernel's, and serve objects too. */
	struct quire_frames_config frames;
	uint32_t kmalloc_slab; /* cache flags of the caches behind kmalloc */
	uint64_t secret;       /* seeds random and encoded free lists */
	struct quire_range
		window;	   /* of vmalloc, see quire/vmalloc.h; empty: no vmalloc */
	uint64_t lazy_max; /* the same */
};

/* Builds it all in the memory that the map shows.  Status and *bad as
 * quire_frames_open(); QUIRE_UNSUPPORTED and QUIRE_INVALID as quire_vmalloc_open() too.
 * What was refused may have been written to. */
enum quire_status quire_kernel_open(struct quire_kernel **out,
				    const struct quire_kernel_config *config,
				    uint32_t *bad);
/* No other call may be under way.  QUIRE_BUSY: an area of vmalloc is in use, and nothing
 * has happened.  Otherwise leak and ctx are told of each object in use; with a NULL leak
 * the first stops the machine.  The frames are the caller's from then on. */
enum quire_status quire_kernel_close(struct quire_kernel *kernel,
				     quire_kmem_leak_fn *leak, void *ctx);

struct quire_frames *quire_kernel_frames(struct quire_kernel *kernel);
struct quire_objects *quire_kernel_objects(struct quire_kernel *kernel);
/* NULL without a window. */
struct quire_vmalloc *quire_kernel_vmalloc(struct quire_kernel *kernel);

/* The daemon's work: has everybody give back, at rising urgency, till every zone has more
 * than its high watermark free; whether it has.  cpu is the daemon's. */
bool quire_kernel_balance(struct quire_kernel *kernel, uint32_t cpu);

/* NULL, or the name of the first invariant that does not hold, of any part.  No other
 * call may be under way. */
const char *quire_kernel_validate(struct quire_kernel *kernel);

#endif
