/* SPDX-License-Identifier: MIT */
/* huge.h - large pages of a machine with many spaces (vm.h).
 *
 * Model.  A *transparent* huge page stands for 512 pages of a private anonymous area: it
 * comes with the first fault in an aligned 2 MiB of the area, or by a *collapse* of the
 * small pages there, and is split into small ones when only a part of it is unmapped,
 * protected, moved, written after a fork, or when it is to be swapped out.  Nobody notices
 * but by the clock.  Pages of a *pool* are set aside beforehand and mapped by
 * QUIRE_MM_HUGETLB alone; they are never split and never swapped out.
 *
 * Names and meaning of the settings and counts are those of Linux's
 * Documentation/admin-guide/mm/transhuge.rst and hugetlbpage.rst.
 */
#ifndef QUIRE_HUGE_H
#define QUIRE_HUGE_H

#include "quire/types.h"

struct quire_vm;

#define QUIRE_HUGE_SHIFT 21
#define QUIRE_HUGE_BYTES ((uint64_t)1 << QUIRE_HUGE_SHIFT)
#define QUIRE_HUGE_PAGES 512u

/* Which areas. */
enum quire_thp_mode {
	QUIRE_THP_NEVER,
	QUIRE_THP_MADVISE, /* those with QUIRE_MM_HUGEPAGE */
	QUIRE_THP_ALWAYS,  /* all but those with QUIRE_MM_NOHUGEPAGE */
};

struct quire_thp {
	enum quire_thp_mode enabled;
	/* Whose faults move pages to make a huge page of scattered free frames. */
	enum quire_thp_mode defrag;
	/* Of the 512 pages that a collapse starts from, at most so many may be missing, out,
	 * or shared with another process: 0..512.  khugepaged alone is bound by them. */
	uint32_t max_ptes_none, max_ptes_swap, max_ptes_shared;
	uint32_t pages_to_scan; /* in one call of quire_vm_khugepaged() */
};

/* At the start: enabled as the machine's configuration says, defrag MADVISE, 511, 64, 256
 * and 4096. */
void quire_vm_thp(struct quire_vm *vm, struct quire_thp *out);
/* QUIRE_INVALID: a number is out of range; nothing changed. */
enum quire_status quire_vm_set_thp(struct quire_vm *vm, const struct quire_thp *thp);

/* One turn of the collapsing daemon: it goes on where it stopped, and looks at
 * pages_to_scan pages.  The port calls it when there is time.  Returns the huge pages
 * that it made. */
uint32_t quire_vm_khugepaged(struct quire_vm *vm);

enum quire_huge_size {
	QUIRE_HUGE_2M,
	QUIRE_HUGE_1G,
	QUIRE_HUGE_SIZES,
};

/* Makes the pool of that size nr pages large, as far as frames can be had and pages given
 * back: those in use and those promised stay.  Returns its size afterwards. */
uint64_t quire_vm_set_hugetlb(struct quire_vm *vm, enum quire_huge_size size,
			      uint64_t nr);

struct quire_hugetlb_figures {
	uint64_t total, free, reserved; /* HugePages_Total, _Free, _Rsvd */
};

struct quire_huge_figures {
	uint64_t anon; /* transparent huge pages */
	uint64_t fault_alloc, fault_fallback;
	uint64_t collapse_alloc, collapse_alloc_failed, collapsed, full_scans;
	uint64_t split_page, split_pmd; /* pages; entries that named them */
	uint64_t compact_stall, compact_success, compact_fail;
	uint64_t migrate_success, migrate_fail; /* small pages moved for a huge one */
	struct quire_hugetlb_figures hugetlb[QUIRE_HUGE_SIZES];
};
void quire_vm_huge_figures(struct quire_vm *vm, struct quire_huge_figures *out);

#endif
