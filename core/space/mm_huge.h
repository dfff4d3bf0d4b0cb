/* SPDX-License-Identifier: MIT */
/* mm_huge.h - transparent huge pages, and the pools of MAP_HUGETLB.
 *
 * Model.  A huge page is a MAPPED block of order 9 whose first frame's record says whose
 * it is and how many entries name it; these are entries of the directories, never of a
 * leaf.  For each such entry its space has an empty table in *deposit*: splitting puts
 * it in the entry's place and so cannot fail.  A page is split in all spaces at once: no
 * frame is named by both kinds of entries.
 *
 * A *pool* has pages that were set aside: free ones, on a list, and ones in use.  A page
 * is *reserved* for each page of an area, or of a shared object, that has promised it and
 * has not got it yet.  A fork inherits pages but no promise.
 *
 * Invariants.  quire_vm_validate() names the first that does not hold.
 *   H1  an entry of a large page lies in one area that allows as much, aligned to its
 *       size, and nr_large is their number, of those nr_huge are transparent;
 *   H2  a space has nr_huge deposited tables, and they are empty;
 *   H3  nr_entries of a block is the number of entries that name it (an object counts as
 *       one), and its owner says where they are found;
 *   H4  a pool's total is its free pages and those in use; reserved is the sum of what
 *       areas and objects are promised, and never more than free.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_SPACE_MM_HUGE_H
#define QUIRE_CORE_SPACE_MM_HUGE_H

#include "core/files/page.h"
#include "core/paging/tables.h"
#include "quire/huge.h"
#include "quire/vm.h"

#define QUIRE_HUGE_ORDER 9u

struct quire_area;

struct qr_pool_of_pages {
	uint64_t total, nr_free, reserved;
	uint64_t late;	/* of the free ones: objects had them when the call began */
	uint32_t first; /* free page, linked by owner; 0: none */
};

struct qr_huge {
	struct quire_thp thp;
	struct quire_huge_figures figures;
	/* Where khugepaged goes on. */
	uint32_t scan_asid;
	uint64_t scan_va;
	/* After compaction failed, 2^defer_shift faults do without. */
	uint32_t defer_shift, nr_deferred;
	struct qr_pool_of_pages pools[QUIRE_HUGE_SIZES];
};

/* ---- mm_huge.c */

/* The transparent huge page that va lies inside, not at its start, is split: an area is
 * going to end there, or a call to act from there on. */
void qr_huge_cut(struct quire_mm *mm, uint64_t va);
/* All that have a page in [start, end). */
void qr_huge_split_range(struct quire_mm *mm, uint64_t start, uint64_t end);
/* The page becomes 512 pages, in every space that has it. */
void qr_huge_split(struct quire_vm *vm, quire_pfn pfn);
/* What mm_pages.c, mm_fork.c and mm_remap.c do with small pages, for the large ones of a
 * range that was cut at both ends.  copy: false where a frame is lacking. */
void qr_large_zap(struct quire_mm *mm, uint64_t start, uint64_t end);
void qr_large_reprotect(struct quire_mm *mm, const struct quire_area *area,
			uint64_t start, uint64_t end);
bool qr_large_copy(struct quire_mm *parent, struct quire_mm *child,
		   const struct quire_area *area);
/* The tables for the range's new place are there. */
void qr_large_move(struct quire_mm *mm, uint64_t from, uint64_t to, uint64_t bytes);
/* MADV_COLD: accessed bits are cleared; MADV_FREE: bytes may be forgotten. */
void qr_large_age(struct quire_mm *mm, uint64_t start, uint64_t end);
void qr_large_free_lazily(struct quire_mm *mm, uint64_t start, uint64_t end);
/* Nobody has the page any more, whose bytes are not needed. */
void qr_huge_drop(struct quire_vm *vm, quire_pfn pfn);
/* The entry of an empty table goes into mm's deposit, and is counted. */
void qr_huge_enter(struct quire_mm *mm, const struct qr_large *at, quire_entry e,
		   quire_pfn table);

/* ---- mm_collapse.c */

/* Whether a huge page may be at base, an address in area.  asked: by madvise, where the
 * mode does not matter. */
bool qr_huge_is_allowed(const struct quire_vm *vm, const struct quire_area *area,
			uint64_t base, bool asked);
/* A fault of an anonymous area: true where a huge page was the answer. */
bool qr_huge_fault(struct quire_mm *mm, struct quire_area *area, uint64_t va, bool write,
		   enum quire_fault_kind *kind);
/* madvise's COLLAPSE for a part of an area. */
enum quire_status qr_huge_collapse(struct quire_mm *mm, struct quire_area *area,
				   uint64_t start, uint64_t end);

/* ---- mm_move.c */

/* A free block of 2 MiB for a page; may_move: small pages make room for it. */
bool qr_huge_take(struct quire_vm *vm, bool may_move, quire_pfn *out);
/* A compaction that does not count how often it failed before. */
bool qr_huge_compact(struct quire_vm *vm);

#endif
