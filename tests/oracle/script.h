/* SPDX-License-Identifier: MIT */
/* script.h - a random script of memory calls, and what each came to.
 *
 * Model.  A script is run twice: by the host's Linux as system calls of a child process,
 * and by the core on the software machine.  Both have the same *arena*: a range of
 * addresses with nothing in it, nothing free around it, and the break inside.  After each
 * step both say what it returned, how many minor faults it took, and which areas the
 * arena has; these must agree.  Addresses in results are relative to the arena.
 *
 * Each script has a file, FILE_PAGES long at first: one in memory, or, where has_store, one
 * on a disk: then which of its pages happen to be in memory, and so the minor faults,
 * is a matter of the file system's, and not compared.
 *
 * Scripts of some kinds have huge pages.  HUGE_POOL: areas from a pool, which has POOL_PAGES
 * on both sides.  HUGE_CORE: the core makes transparent ones wherever it can, and
 * everything that a process may notice has to be the same: all but minor faults and
 * mincore.  A read that brings a page begins an area's history, which on Linux a page of
 * zeros does not; so there is little but writing in them.
 *
 * A forked child runs the steps up to STEP_EXIT, then its parent goes on behind.
 */
#ifndef QUIRE_TESTS_ORACLE_SCRIPT_H
#define QUIRE_TESTS_ORACLE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_BASE  0x200000000000ull
#define ARENA_PAGES 2048u
#define ARENA_BYTES ((uint64_t)ARENA_PAGES << 12)
#define ARENA_BRK   (ARENA_BASE + 16 * 4096)

/* The file is never longer than twice as much. */
#define FILE_PAGES 12u

#define SCRIPT_STEPS 32u
#define RESULT_AREAS 48u
#define INCORE_PAGES 64u

/* Limits of the processes, bytes. */
#define LIMIT_LOCKED (96u * 4096)
#define LIMIT_STACK  (64u * 4096)

enum step_kind {
	STEP_MAP,
	STEP_UNMAP,
	STEP_PROTECT,
	STEP_REMAP,
	STEP_BRK,
	STEP_ADVISE,
	STEP_LOCK,
	STEP_UNLOCK,
	STEP_LOCK_ALL,
	STEP_UNLOCK_ALL,
	STEP_INCORE,
	STEP_SYNC,
	STEP_LOAD,
	STEP_STORE,
	STEP_READ, /* pread, pwrite and ftruncate of the file */
	STEP_WRITE,
	STEP_RESIZE,
	STEP_FORK,
	STEP_EXIT,
	STEP_KINDS,
};

/* Arguments as the system call's, flags and advice by Linux's numbers. */
struct step {
	enum step_kind kind;
	uint32_t prot, flags;
	uint64_t addr, bytes, new_bytes, target;
	uint64_t value;	 /* of a store or a write */
	uint64_t offset; /* bytes, in the file */
	bool of_file;	 /* mmap: of the file */
};

enum huge_kind { HUGE_NONE, HUGE_POOL, HUGE_CORE };

#define HUGE_BYTES (2ull << 20)
#define POOL_PAGES 3u

struct script {
	uint64_t seed;
	enum huge_kind huge;
	uint32_t nr_steps;
	bool has_brk, has_store;
	struct step steps[SCRIPT_STEPS];
};

struct result_area {
	uint32_t start, end; /* pages of the arena */
	uint32_t prot;	     /* 1 read, 2 write, 4 execute, 8 shared */
	uint32_t offset;     /* pages, of shared ones and files */
};

struct result {
	int64_t value; /* an address relative to the arena, or -errno; a load's bytes */
	int64_t fault; /* of an access: 0, or the signal and si_code; of a read: bytes */
	uint64_t incore;
	uint32_t minor;
	uint32_t nr_areas;
	bool was_run;
	/* Of the core: from the next step on a known difference shows, and also in what the
	 * host's child does afterwards. */
	bool is_known, is_tainting;
	struct result_area areas[RESULT_AREAS];
};

/* has_holes: MADV_REMOVE may be tried on a file on a disk. */
struct script script_make(uint64_t seed, bool has_brk, bool has_holes, bool has_pool);
void script_print_step(const struct step *step);

/* pool.c: false where the host's pool cannot be had as it should be. */
struct pool {
	uint64_t nr_before;
	int lock;
	bool is_changed;
};
bool pool_open(struct pool *pool);
void pool_close(struct pool *pool);

/* soft.c: by the core; NULL or what was wrong with it. */
struct soft_side;
struct soft_side *soft_side_new(void);
void soft_side_delete(struct soft_side *side);
const char *soft_side_run(struct soft_side *side, const struct script *script,
			  struct result *results, bool validate_each);

/* host.c: by the host, in a child process that stays. */
struct host_side;
#define HOST_BATCH 32u
struct host_side *host_side_new(void);
void host_side_delete(struct host_side *side);
/* Whether the child's break could be moved into the arena. */
bool host_side_has_brk(const struct host_side *side);
/* Whether the file system of its file can punch holes: not every one can. */
bool host_side_has_holes(const struct host_side *side);
/* Up to HOST_BATCH scripts; results of script i at results[i * SCRIPT_STEPS]; false where
 * the child died. */
bool host_side_run(struct host_side *side, const struct script *scripts, uint32_t nr,
		   struct result *results);

#endif
