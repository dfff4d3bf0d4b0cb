/* SPDX-License-Identifier: MIT */
/* vm.h - a machine with many address spaces: processes on bare metal, or in software.
 *
 * Model.  A *vm* is the virtual memory of one machine: its frames, its swap, and the
 * address spaces (*mm*) of its processes.  The ground walks the core's page tables and
 * sets A and D in them; an mm is one root table and an identifier for the TLB (asid).
 * Calls do what Linux's system calls of the same name do, errors included.
 *
 * A machine lives in its port's frames.  Of the port it uses direct, nr_frames, the swap
 * ops, clock, wait, notify and panic; translations go by struct quire_mmu.
 *
 * Context.  Any thread; a call holds the machine's lock from beginning to end, but for the
 * time in which it writes a file back for msync, or waits for pages being written back.
 */
#ifndef QUIRE_VM_H
#define QUIRE_VM_H

#include "quire/codec.h"
#include "quire/file.h"
#include "quire/huge.h"
#include "quire/machine.h"
#include "quire/port.h"
#include "quire/stats.h"
#include "quire/types.h"

/* What the core asks of the processor. */
struct quire_mmu {
	void *ctx;
	/* After the return no CPU translates an address of run in that space by what it
	 * knew before.  Called with the machine's lock held. */
	void (*flush)(void *ctx, uint32_t asid, struct quire_run run);
};

enum quire_overcommit {
	QUIRE_OVERCOMMIT_GUESS,	 /* refuse what is obviously too much */
	QUIRE_OVERCOMMIT_ALWAYS, /* refuse nothing */
	QUIRE_OVERCOMMIT_NEVER,	 /* refuse what passes CommitLimit */
};

/* Whom the OOM killer takes. */
enum quire_oom_formula {
	QUIRE_OOM_TODAY, /* rss + swap + tables, and oom_score_adj */
	QUIRE_OOM_2_6,	 /* total size, CPU time, run time, nice, privilege */
};

struct quire_vm_config {
	const struct quire_codec *codec; /* needed unless swap is NONE */
	enum quire_swap_mode swap;
	const struct quire_mmu *mmu;
	struct quire_stats *stats; /* zeroed, outlives the machine */
	uint32_t levels;	   /* of the page tables: 4 or 5; 0: 4 */
	enum quire_overcommit overcommit;
	uint32_t overcommit_ratio; /* percent; 0: 50 */
	uint32_t max_areas;	   /* of one space; 0: 65530 */
	uint64_t stack_gap;	   /* bytes below a stack; 0: 1 MiB */
	uint64_t swap_bytes;	   /* counted into CommitLimit */
	enum quire_oom_formula oom;
	enum quire_thp_mode thp; /* where huge pages come by themselves */
	/* How much reclaim prefers to take anonymous pages: 0..200, 100 means equal; 0: 60.
	 * QUIRE_SWAPPINESS_NONE: not while there are file pages to be had. */
	uint32_t swappiness;
	/* Percent of free frames and file pages: above the first dirty pages are written
	 * back at the next tick, at the second by whoever makes one more.  0: 10, 20. */
	uint32_t dirty_background_ratio, dirty_ratio;
	/* A file dirty for so long is written back, looked for so often.  0: 30 s, 5 s. */
	uint32_t dirty_expire_ms, dirty_writeback_ms;
	/* A fault on a page that is out reads up to 2^page_cluster pages: 1..5; 0: 3.
	 * QUIRE_PAGE_CLUSTER_NONE: that page alone. */
	uint32_t page_cluster;
};

#define QUIRE_SWAPPINESS_NONE	UINT32_MAX
#define QUIRE_PAGE_CLUSTER_NONE UINT32_MAX

uint32_t quire_vm_frames_least(const struct quire_vm_config *config);
enum quire_status quire_vm_open(struct quire_vm **out, const struct quire_port *port,
				const struct quire_vm_config *config);
/* Every mm is destroyed by now. */
void quire_vm_close(struct quire_vm *vm);
/* NULL, or the name of the first invariant that does not hold. */
const char *quire_vm_validate(struct quire_vm *vm);

#define QUIRE_UNLIMITED UINT64_MAX

/* A turn of the page-out daemon, for the port to call between what the processes do: where
 * free frames are below the low watermark, pages go out until they are at the high one.
 * Returns whether any went. */
bool quire_vm_balance(struct quire_vm *vm);

/* Resource limits, in bytes; QUIRE_UNLIMITED for none. */
struct quire_limits {
	uint64_t address_space, data, stack, locked;
};

struct quire_mm_config {
	struct quire_range window; /* of user addresses; start > 0 */
	uint64_t mmap_top;	   /* areas are placed downwards from here */
	uint64_t mmap_bottom;	   /* and upwards from here where that fails */
	quire_vaddr brk;	   /* where the break starts */
	struct quire_limits limits;
	bool is_privileged; /* may lock more than its limit, and scores less with OOM */
	/* For the OOM killer: the second line for the older formula. */
	int32_t oom_score_adj;
	int32_t nice;
	uint64_t cpu_seconds, run_seconds;
	bool has_raw_io;
	/* For reports. */
	uint32_t pid, uid;
	char name[16];
};

enum quire_status quire_mm_create(struct quire_vm *vm,
				  const struct quire_mm_config *config,
				  struct quire_mm **out);
/* Everything goes back. */
void quire_mm_destroy(struct quire_mm *mm);
enum quire_status quire_mm_fork(struct quire_mm *parent, struct quire_mm **out);
/* exec: the same process with an empty address space. */
enum quire_status quire_mm_exec(struct quire_mm *mm,
				const struct quire_mm_config *config);

/* mmap: exactly one of SHARED and PRIVATE. */
#define QUIRE_MM_SHARED	   0x01u
#define QUIRE_MM_PRIVATE   0x02u
#define QUIRE_MM_FIXED	   0x10u
#define QUIRE_MM_NOREPLACE 0x20u
#define QUIRE_MM_GROWSDOWN 0x40u
#define QUIRE_MM_LOCKED	   0x80u
#define QUIRE_MM_NORESERVE 0x100u
#define QUIRE_MM_POPULATE  0x200u
/* From the pool of pages of 2 MiB, or of 1 GiB; bytes are rounded up to whole ones, start
 * is a multiple.  QUIRE_NO_MEMORY: the pool cannot promise so many. */
#define QUIRE_MM_HUGETLB 0x400u
#define QUIRE_MM_HUGE_1G 0x800u

enum quire_status quire_mm_map(struct quire_mm *mm, uint64_t start, uint64_t bytes,
			       uint32_t prot, uint32_t flags, uint64_t *out);
enum quire_status quire_mm_unmap(struct quire_mm *mm, uint64_t start, uint64_t bytes);
enum quire_status quire_mm_protect(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				   uint32_t prot);
/* flags as quire_mremap. */
enum quire_status quire_mm_remap(struct quire_mm *mm, uint64_t start, uint64_t old_bytes,
				 uint64_t new_bytes, uint32_t flags, uint64_t target,
				 uint64_t *out);
/* As Linux's brk: the break afterwards, which is where it was when it cannot be had. */
uint64_t quire_mm_brk(struct quire_mm *mm, uint64_t want);

enum quire_mm_advice {
	QUIRE_MM_NORMAL,
	QUIRE_MM_RANDOM,
	QUIRE_MM_SEQUENTIAL,
	QUIRE_MM_WILLNEED,
	QUIRE_MM_DONTNEED,
	QUIRE_MM_FREE,
	QUIRE_MM_REMOVE,
	QUIRE_MM_COLD,
	QUIRE_MM_PAGEOUT,
	QUIRE_MM_DONTFORK,
	QUIRE_MM_DOFORK,
	QUIRE_MM_WIPEONFORK,
	QUIRE_MM_KEEPONFORK,
	QUIRE_MM_HUGEPAGE,
	QUIRE_MM_NOHUGEPAGE,
	QUIRE_MM_POPULATE_READ,
	QUIRE_MM_POPULATE_WRITE,
	QUIRE_MM_COLLAPSE, /* huge pages where small ones are, now */
	QUIRE_MM_ADVICES,
};
enum quire_status quire_mm_advise(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				  enum quire_mm_advice advice);

/* mlock2's, and mlockall's */
#define QUIRE_MM_ONFAULT 1u
enum quire_status quire_mm_lock(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				uint32_t flags);
enum quire_status quire_mm_unlock(struct quire_mm *mm, uint64_t start, uint64_t bytes);
#define QUIRE_MM_LOCK_CURRENT 2u
#define QUIRE_MM_LOCK_FUTURE  4u
enum quire_status quire_mm_lock_all(struct quire_mm *mm, uint32_t flags);
enum quire_status quire_mm_unlock_all(struct quire_mm *mm);
/* vec[i] is 1 where page i is in memory. */
enum quire_status quire_mm_incore(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				  unsigned char *vec);
#define QUIRE_MM_SYNC_ASYNC	 1u
#define QUIRE_MM_SYNC_INVALIDATE 2u
#define QUIRE_MM_SYNC_SYNC	 4u
enum quire_status quire_mm_sync(struct quire_mm *mm, uint64_t start, uint64_t bytes,
				uint32_t flags);
void quire_mm_set_limits(struct quire_mm *mm, const struct quire_limits *limits);

/* The processor's page-fault error code.  (Intel SDM volume 3, 4.7.) */
#define QUIRE_PF_PRESENT 1u /* a right was lacking, not the page */
#define QUIRE_PF_WRITE	 2u
#define QUIRE_PF_USER	 4u
#define QUIRE_PF_FETCH	 16u

enum quire_fault_kind {
	QUIRE_FAULT_SPURIOUS, /* somebody was faster; nothing to do */
	QUIRE_FAULT_ZERO,     /* minor: the shared zero page */
	QUIRE_FAULT_ANON,     /* minor: a new page of zeros */
	QUIRE_FAULT_MAPPED,   /* minor: a page that was in memory */
	QUIRE_FAULT_COPY,     /* minor: copied on write */
	QUIRE_FAULT_REUSE,    /* minor: copy on write, but nobody else had it any more */
	QUIRE_FAULT_MAJOR,    /* back from swap, or read from a file's store */
	QUIRE_FAULT_MAPERR,   /* SIGSEGV: nothing is mapped there */
	QUIRE_FAULT_ACCERR,   /* SIGSEGV: what is mapped does not allow it */
	QUIRE_FAULT_BUS,      /* SIGBUS: past the end of the file, or its store failed */
	QUIRE_FAULT_OOM,      /* no memory, and none to be had */
	QUIRE_FAULT_KINDS,
};

/* What a fault came to. */
struct quire_fault {
	uint64_t address; /* as CR2 has it */
	uint32_t code;	  /* QUIRE_PF_* */
	enum quire_fault_kind kind;
	bool grew_stack; /* and before that an area grew down to it */
};

/* QUIRE_OK: the access may be tried again.  QUIRE_FAULT, QUIRE_PAST_END: the process gets
 * SIGSEGV, SIGBUS.  QUIRE_NO_MEMORY: the OOM killer's turn.  QUIRE_IO, QUIRE_CORRUPT: the
 * page's bytes are lost; with QUIRE_FAULT_BUS a file's store could not be read, and the
 * process gets SIGBUS. */
enum quire_status quire_mm_fault(struct quire_mm *mm, uint64_t address, uint32_t code,
				 struct quire_fault *out);

/* Whom the OOM killer takes: the space's asid and score, counted as a kill; false where
 * nobody may be killed.  The caller ends the process. */
bool quire_vm_oom_victim(struct quire_vm *vm, uint32_t *asid, uint64_t *points);
/* The score that it goes by; 0: never. */
uint64_t quire_mm_oom_points(struct quire_mm *mm);
/* What the process uses of time, and its adjustments: they change while it runs. */
void quire_mm_set_config(struct quire_mm *mm, const struct quire_mm_config *config);

/* Reports, as Linux prints them: text of at most room - 1 bytes and a zero byte; returns
 * the bytes that all of it takes. */
size_t quire_report_maps(struct quire_mm *mm, char *text, size_t room);
size_t quire_report_smaps(struct quire_mm *mm, char *text, size_t room);
size_t quire_report_smaps_rollup(struct quire_mm *mm, char *text, size_t room);
size_t quire_report_status(struct quire_mm *mm, char *text, size_t room);
size_t quire_report_meminfo(struct quire_vm *vm, char *text, size_t room);
/* As free(1) prints it, in KiB. */
size_t quire_report_free(struct quire_vm *vm, char *text, size_t room);
size_t quire_report_vmstat(struct quire_vm *vm, char *text, size_t room);
/* What the kernel log says when victim is killed for lack of memory. */
size_t quire_report_oom(struct quire_vm *vm, struct quire_mm *victim, char *text,
			size_t room);
/* /proc/PID/pagemap's word for the page of va: frame or swap slot, and its bits. */
uint64_t quire_report_pagemap(struct quire_mm *mm, uint64_t va);

/* For the processor. */
uint64_t quire_mm_root(const struct quire_mm *mm); /* the top table's frame */
uint32_t quire_mm_asid(const struct quire_mm *mm);
/* The top table of the space with that asid; false when there is none. */
bool quire_vm_root(struct quire_vm *vm, uint32_t asid, uint64_t *root);

/* One area as the walk sees it. */
struct quire_mm_area {
	struct quire_range range;
	uint32_t prot;
	bool is_shared, is_locked, is_charged, grows_down, is_break;
	uint64_t offset; /* bytes, of files and shared ones */
	uint32_t object;
	const char *file; /* its name, NULL where none is mapped */
};
/* The first area that ends above at; false when there is none. */
bool quire_mm_area_next(struct quire_mm *mm, uint64_t at, struct quire_mm_area *out);

/* The account of one process; pages unless it says otherwise. */
struct quire_mm_figures {
	uint64_t total, data, stack, locked; /* sizes of areas */
	uint64_t rss_anon, rss_file, rss_shared, swapped, tables;
	uint64_t huge;	  /* of rss_anon: in huge pages */
	uint64_t hugetlb; /* from pools, not in rss */
	uint64_t areas;
	uint64_t minor_faults, major_faults; /* getrusage's */
	uint64_t peak_total, peak_rss;
};
void quire_mm_figures(struct quire_mm *mm, struct quire_mm_figures *out);

/* The account of the machine; pages. */
struct quire_vm_figures {
	uint64_t total, free, tables, store, meta;
	uint64_t anon, shared, file; /* pages in memory */
	uint64_t hugetlb;	     /* in pools, used or free */
	uint64_t active_anon, active_file;
	uint64_t mapped;    /* of shared and file: those that an entry names */
	uint64_t dirty;	    /* of file */
	uint64_t writeback; /* of file: on their way to the store */
	uint64_t swapped;
	uint64_t swap_cached; /* of them: read ahead, and in memory as well */
	uint64_t committed, commit_limit;
	uint64_t faults[QUIRE_FAULT_KINDS];
	uint64_t pages_in, pages_out, flushes; /* in, out: of swap */
	uint64_t swap_ahead, swap_ahead_hits;  /* of in: read ahead, and used then */
	uint64_t file_in, file_out;	       /* read from stores, written to them */
	uint64_t dirtied, written;
	/* By whoever lacked a frame, and by the page-out daemon. */
	uint64_t scanned[2], stolen[2], stalls, daemon_runs;
	/* Refaults of anonymous pages and of files; how many of them became active at
	 * once, and how many had been active before they went. */
	uint64_t refaults[2], activated[2], restored[2];
	uint64_t oom_kills;
	uint64_t spaces;
};
void quire_vm_figures(struct quire_vm *vm, struct quire_vm_figures *out);

#endif
