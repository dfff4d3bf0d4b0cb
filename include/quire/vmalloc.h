/* SPDX-License-Identifier: MIT */
/* vmalloc.h - memory that is contiguous by address only.
 *
 * Model.  An *area* is a run of pages in a window of addresses, each over a frame of its
 * own from anywhere, with a guard page behind that is never there.  What is freed is
 * unmapped at once, but stays *lazy* until enough has gathered: then one flush makes every
 * CPU forget it all, and only after that its addresses and its frames are used again.
 * (Linux's mm/vmalloc.c; there the frames go before the flush.)
 *
 * Ground.  A port whose MMU reads the core's tables; one with QUIRE_PORT_COPIES has none.
 * Calls may come from any thread; cpu is as in quire/objects.h.  None may be made from a
 * shrinker, or with the lock of the zone held.
 */
#ifndef QUIRE_VMALLOC_H
#define QUIRE_VMALLOC_H

#include "quire/objects.h"
#include "quire/types.h"

struct quire_vmalloc;

struct quire_vmalloc_config {
	struct quire_objects *objects; /* its zone gives the frames */
	struct quire_range window;     /* page aligned, below 2^47; start > 0 */
	uint64_t lazy_max; /* lazy pages that bring about a flush; 0: 32 MiB of them */
};

/* QUIRE_INVALID: the window is none.  QUIRE_UNSUPPORTED: the port copies. */
enum quire_status quire_vmalloc_open(struct quire_vmalloc **out,
				     const struct quire_vmalloc_config *config);
/* Every area is freed by now: QUIRE_BUSY where one is not, and nothing has happened. */
enum quire_status quire_vmalloc_close(struct quire_vmalloc *v);
/* The root of the tables, for the MMU. */
quire_pfn quire_vmalloc_root(const struct quire_vmalloc *v);

/* bytes, rounded up to pages; 0: there is no room, or bytes is 0.  flags: QUIRE_GFP_ZERO,
 * QUIRE_GFP_ATOMIC. */
quire_vaddr quire_vmalloc(struct quire_vmalloc *v, uint32_t cpu, uint64_t bytes,
			  uint32_t flags);
quire_vaddr quire_vzalloc(struct quire_vmalloc *v, uint32_t cpu, uint64_t bytes,
			  uint32_t flags);
/* The caller's frames, which stay his, in that order; they must live until the area is
 * freed and a flush has come: quire_vmalloc_flush() sees to it. */
quire_vaddr quire_vmap(struct quire_vmalloc *v, uint32_t cpu, const quire_pfn *pfns,
		       uint32_t nr, uint32_t flags);
/* An area's first address; 0 is allowed.  Any other stops the machine. */
void quire_vfree(struct quire_vmalloc *v, quire_vaddr start);
/* The frame under an address; false where there is none: guard, freed, never there. */
bool quire_vmalloc_to_page(struct quire_vmalloc *v, quire_vaddr va, quire_pfn *out);
/* What is lazy is gone from every CPU, and given back; returns how many pages. */
uint64_t quire_vmalloc_flush(struct quire_vmalloc *v);

struct quire_vmalloc_info {
	uint64_t areas, pages; /* in use */
	uint64_t lazy_pages;
	uint64_t flushes;
};
struct quire_vmalloc_info quire_vmalloc_info(struct quire_vmalloc *v);
/* NULL, or the name of the first invariant that does not hold.  No other call may be
 * under way. */
const char *quire_vmalloc_validate(struct quire_vmalloc *v);

#endif
