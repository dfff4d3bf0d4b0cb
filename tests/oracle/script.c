/* SPDX-License-Identifier: MIT */
/* script.c - scripts by seed: calls that meet one another in a few pages. */
#include "tests/oracle/script.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* In the header of the kernel, not in every libc's. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct maker {
	uint64_t state;
	struct script *script;
	bool in_child, has_holes;
	uint64_t stored; /* where a step did last */
};

/* Steele et al., SplitMix64. */
static uint64_t next(struct maker *m)
{
	uint64_t z = m->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t below(struct maker *m, uint32_t n)
{
	return (uint32_t)(next(m) % n);
}

static bool one_in(struct maker *m, uint32_t n)
{
	return below(m, n) == 0;
}

#define PICK(m, array) ((array)[below(m, sizeof(array) / sizeof((array)[0]))])

static uint64_t page_count(struct maker *m)
{
	if (one_in(m, 12))
		return 1 + below(m, 300);
	if (one_in(m, 4))
		return 1 + below(m, 40);
	return 1 + below(m, 6);
}

static uint64_t length(struct maker *m)
{
	uint64_t bytes = page_count(m) << 12;

	if (m->script->huge != HUGE_NONE && !one_in(m, 3))
		bytes = (1 + below(m, one_in(m, 3) ? 3 : 1)) * HUGE_BYTES +
			(one_in(m, 8) ? 4096 : 0);
	if (one_in(m, 60))
		return 0;
	if (one_in(m, 12))
		return bytes - 1 - below(m, 4094);
	return bytes;
}

/* Three places of the arena that everything happens in. */
static uint32_t a_page(struct maker *m)
{
	if (one_in(m, 12))
		return below(m, ARENA_PAGES);
	if (one_in(m, 5))
		return below(m, 64);
	if (one_in(m, 3))
		return 1000 + below(m, 24);
	return ARENA_PAGES - 1 - below(m, one_in(m, 3) ? 80 : 24);
}

static uint64_t huge_address(struct maker *m)
{
	return ARENA_BASE + below(m, ARENA_BYTES / HUGE_BYTES) * HUGE_BYTES;
}

static uint64_t address(struct maker *m)
{
	if (m->script->huge != HUGE_NONE && one_in(m, 2))
		return huge_address(m) +
		       ((uint64_t)below(m, one_in(m, 3) ? 512 : 2) << 12);
	return ARENA_BASE + ((uint64_t)a_page(m) << 12);
}

/* One that is likely to be a multiple of the length of a huge page. */
static uint64_t sloppy_address(struct maker *m)
{
	if (m->script->huge != HUGE_NONE && one_in(m, 2))
		return huge_address(m) + (one_in(m, 8) ? 4096 : 0);
	return address(m) + (one_in(m, 30) ? 1 + below(m, 4095) : 0);
}

/* The range ends in the arena. */
static uint64_t clip(uint64_t addr, uint64_t bytes)
{
	uint64_t room = ARENA_BASE + ARENA_BYTES - ((addr + 4095) & ~4095ull);

	return bytes < room ? bytes : room;
}

static uint32_t protection(struct maker *m)
{
	static const uint32_t prots[] = {
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
		PROT_READ,
		PROT_READ,
		PROT_NONE,
		PROT_WRITE,
		PROT_READ | PROT_EXEC,
		PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	uint32_t prot = PICK(m, prots);

	if (m->script->huge == HUGE_CORE && prot != PROT_NONE)
		prot |= PROT_WRITE;
	return prot;
}

static void make_map(struct maker *m, struct step *s)
{
	uint32_t kind = below(m, 20);

	s->kind = STEP_MAP;
	s->prot = protection(m);
	s->bytes = length(m);
	s->flags = kind < 14 ? MAP_PRIVATE : MAP_SHARED;
	s->of_file = one_in(m, 3);
	if (s->of_file) {
		s->flags = one_in(m, 2) ? MAP_PRIVATE : MAP_SHARED;
		s->offset = one_in(m, 2) ? 0 : (uint64_t)below(m, FILE_PAGES) << 12;
		s->offset += one_in(m, 40) ? 512 : 0;
	}
	if (kind == 19)
		s->flags = one_in(m, 2) && !s->of_file ? 3 : 0;
	if (!s->of_file)
		s->flags |= MAP_ANONYMOUS;
	if (one_in(m, 12))
		s->flags |= MAP_POPULATE;
	if (one_in(m, 10))
		s->flags |= MAP_NORESERVE;
	if (one_in(m, 10))
		s->flags |= MAP_GROWSDOWN;
	if (one_in(m, 14))
		s->flags |= MAP_LOCKED;
	/* To Linux it is a file, and MAP_SHARED_VALIDATE another flag then. */
	if (m->script->huge == HUGE_POOL && one_in(m, 2) && (s->flags & 3) != 3)
		s->flags |= MAP_HUGETLB;
	if (one_in(m, 40))
		s->bytes = one_in(m, 2) ? 1ull << 47 : 3000 * 4096 - 4096;
	if (one_in(m, 3))
		return;
	s->addr = sloppy_address(m);
	if (one_in(m, 2))
		return;
	s->flags |= one_in(m, 3) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	s->bytes = clip(s->addr, s->bytes);
}

static void make_range(struct maker *m, struct step *s, enum step_kind kind)
{
	s->kind = kind;
	s->addr = sloppy_address(m);
	s->bytes = clip(s->addr, length(m));
}

static void make_remap(struct maker *m, struct step *s)
{
	uint32_t kind = below(m, 10);

	make_range(m, s, STEP_REMAP);
	s->new_bytes = one_in(m, 3) ? s->bytes : length(m);
	s->target = sloppy_address(m);
	s->flags = kind < 7 ? MREMAP_MAYMOVE : 0;
	if (kind < 3)
		s->flags |= MREMAP_FIXED;
	if (kind == 3 || kind == 0) {
		s->flags |= MREMAP_DONTUNMAP;
		s->new_bytes = s->bytes;
	}
	if ((s->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0)
		s->new_bytes = clip(s->target, s->new_bytes);
	if (kind == 0)
		s->bytes = s->new_bytes;
	if (one_in(m, 30))
		s->flags |= 8;
}

static void make_brk(struct maker *m, struct step *s)
{
	s->kind = STEP_BRK;
	s->addr = ARENA_BRK + below(m, 40 * 4096);
	if (one_in(m, 10))
		s->addr = one_in(m, 2) ? 0 : ARENA_BRK - 1 - below(m, 9000);
}

/* Not MADV_PAGEOUT: what it takes away depends on the host's memory and swap. */
static void make_advise(struct maker *m, struct step *s)
{
	static const uint32_t advices[] = {
		MADV_NORMAL,	    MADV_RANDOM,
		MADV_SEQUENTIAL,    MADV_WILLNEED,
		MADV_DONTNEED,	    MADV_DONTNEED,
		MADV_DONTNEED,	    MADV_FREE,
		MADV_FREE,	    MADV_REMOVE,
		MADV_COLD,	    MADV_COLD,
		MADV_DONTFORK,	    MADV_DOFORK,
		MADV_WIPEONFORK,    MADV_KEEPONFORK,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_HUGEPAGE,	    MADV_HUGEPAGE,
		MADV_NOHUGEPAGE,    77,
	};

	make_range(m, s, STEP_ADVISE);
	s->flags = PICK(m, advices);
	if (s->flags == MADV_REMOVE && m->script->has_store && !m->has_holes)
		s->flags = MADV_DONTNEED;
}

static void make_access(struct maker *m, struct step *s)
{
	s->kind = one_in(m, 3) ? STEP_LOAD : STEP_STORE;
	s->addr = address(m) + 8 * (uint64_t)below(m, 512);
	if (s->kind == STEP_STORE)
		m->stored = s->addr;
	else if (m->script->huge == HUGE_CORE && m->stored != 0 && !one_in(m, 6))
		s->addr = m->stored;
	s->value = next(m);
}

static void make_sync(struct maker *m, struct step *s)
{
	make_range(m, s, STEP_SYNC);
	s->flags = below(m, one_in(m, 10) ? 16 : 8);
}

static void make_incore(struct maker *m, struct step *s)
{
	make_range(m, s, STEP_INCORE);
	if (s->bytes > (uint64_t)INCORE_PAGES << 12)
		s->bytes = (uint64_t)INCORE_PAGES << 12;
}

static void make_lock(struct maker *m, struct step *s)
{
	make_range(m, s, one_in(m, 3) ? STEP_UNLOCK : STEP_LOCK);
	s->flags = one_in(m, 4);
}

static void make_lock_all(struct maker *m, struct step *s)
{
	s->kind = one_in(m, 2) ? STEP_UNLOCK_ALL : STEP_LOCK_ALL;
	s->flags = MCL_FUTURE | (one_in(m, 3) ? 4 : 0);
	if (one_in(m, 5))
		s->flags = one_in(m, 2) ? 0 : 64;
}

static void make_fork(struct maker *m, struct step *s)
{
	s->kind = m->in_child ? STEP_EXIT : STEP_FORK;
	m->in_child = !m->in_child;
}

static void make_file_call(struct maker *m, struct step *s)
{
	uint32_t kind = below(m, 6);

	s->kind = kind < 2 ? STEP_READ : kind < 5 ? STEP_WRITE : STEP_RESIZE;
	s->offset = below(m, FILE_PAGES * 4096 * (one_in(m, 3) ? 2 : 1));
	if (s->kind == STEP_RESIZE && one_in(m, 2))
		s->offset &= ~4095ull;
	s->value = next(m);
}

static void make_step(struct maker *m, struct step *s)
{
	uint32_t kind = below(m, 100);

	*s = (struct step){0};
	if (kind < 22)
		make_map(m, s);
	else if (kind < 29)
		make_range(m, s, STEP_UNMAP);
	else if (kind < 38)
		make_range(m, s, STEP_PROTECT), s->prot = protection(m);
	else if (kind < 48)
		make_remap(m, s);
	else if (kind < 52)
		m->script->has_brk ? make_brk(m, s) : make_access(m, s);
	else if (kind < 62)
		make_advise(m, s);
	else if (kind < 66)
		make_lock(m, s);
	else if (kind < 67)
		make_lock_all(m, s);
	else if (kind < 70)
		make_incore(m, s);
	else if (kind < 71)
		make_sync(m, s);
	else if (kind < 73)
		make_fork(m, s);
	else if (kind < 80)
		make_file_call(m, s);
	else
		make_access(m, s);
}

struct script script_make(uint64_t seed, bool has_brk, bool has_holes, bool has_pool)
{
	struct script script = {.seed = seed, .has_brk = has_brk};
	struct maker m = {.state = seed, .script = &script, .has_holes = has_holes};

	script.has_store = seed % 4 == 0;
	if (seed % 16 == 1 && has_pool)
		script.huge = HUGE_POOL;
	else if (seed % 16 == 3)
		script.huge = HUGE_CORE;
	script.nr_steps = 6 + below(&m, SCRIPT_STEPS - 7);
	for (uint32_t i = 0; i < script.nr_steps; i++)
		make_step(&m, &script.steps[i]);
	if (m.in_child)
		script.steps[script.nr_steps++] = (struct step){.kind = STEP_EXIT};
	return script;
}

void script_print_step(const struct step *step)
{
	static const char *const names[STEP_KINDS] = {
		"mmap",	   "munmap",	"mprotect", "mremap",	"brk",
		"madvise", "mlock2",	"munlock",  "mlockall", "munlockall",
		"mincore", "msync",	"load",	    "store",	"pread",
		"pwrite",  "ftruncate", "fork",	    "exit",
	};

	printf("%s addr %#llx+%#llx bytes %#llx prot %u flags %#x", names[step->kind],
	       step->addr < ARENA_BASE ? 0 : ARENA_BASE,
	       (unsigned long long)(step->addr < ARENA_BASE ? step->addr
							    : step->addr - ARENA_BASE),
	       (unsigned long long)step->bytes, step->prot, step->flags);
	if (step->kind == STEP_REMAP)
		printf(" to %#llx bytes %#llx",
		       (unsigned long long)(step->target - ARENA_BASE),
		       (unsigned long long)step->new_bytes);
	if (step->of_file || step->kind >= STEP_READ)
		printf(" file+%#llx", (unsigned long long)step->offset);
	putchar('\n');
}
