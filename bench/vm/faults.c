/* SPDX-License-Identifier: MIT */
/* faults.c - what the core's share of faults, fork and mmap costs, and the host's whole
 * cost of the same.  Prints JSON, ns each. */
#include "bench/vm/bench.h"
#include "ports/soft/computer.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE   0x100000000ull
#define BYTES  (1ull << 36)
#define FRAMES 65536u
#define PAGES  20000u
#define PAIRS  20000u
#define AREAS  100000u
#define RW     (QUIRE_READ | QUIRE_WRITE)

struct bed {
	struct quire_mm *mm;
	uint32_t code;
};

static void ok(enum quire_status status)
{
	if (status != QUIRE_OK)
		abort();
}

static double core_faults(void *ctx)
{
	struct bed *bed = ctx;
	struct quire_fault fault;
	double start, ns;
	uint64_t at;

	ok(quire_mm_map(bed->mm, 0, PAGES << 12, RW, QUIRE_MM_PRIVATE, &at));
	start = bench_now();
	for (uint32_t i = 0; i < PAGES; i++)
		ok(quire_mm_fault(bed->mm, at + ((uint64_t)i << 12), bed->code, &fault));
	ns = (bench_now() - start) / PAGES;
	ok(quire_mm_unmap(bed->mm, at, PAGES << 12));
	return ns;
}

/* A write to each page after a fork: the copy. */
static double core_copies(void *ctx)
{
	struct bed *bed = ctx;
	struct quire_fault fault;
	struct quire_mm *child;
	double start, ns;
	uint64_t at;

	ok(quire_mm_map(bed->mm, 0, PAGES << 12, RW, QUIRE_MM_PRIVATE | QUIRE_MM_POPULATE,
			&at));
	ok(quire_mm_fork(bed->mm, &child));
	start = bench_now();
	for (uint32_t i = 0; i < PAGES; i++)
		ok(quire_mm_fault(child, at + ((uint64_t)i << 12),
				  QUIRE_PF_WRITE | QUIRE_PF_PRESENT, &fault));
	ns = (bench_now() - start) / PAGES;
	quire_mm_destroy(child);
	ok(quire_mm_unmap(bed->mm, at, PAGES << 12));
	return ns;
}

static double core_fork(void *ctx)
{
	struct bed *bed = ctx;
	struct quire_mm *child;
	double start, ns;
	uint64_t at;

	ok(quire_mm_map(bed->mm, 0, PAGES << 12, RW, QUIRE_MM_PRIVATE | QUIRE_MM_POPULATE,
			&at));
	start = bench_now();
	ok(quire_mm_fork(bed->mm, &child));
	ns = (bench_now() - start) / PAGES;
	quire_mm_destroy(child);
	ok(quire_mm_unmap(bed->mm, at, PAGES << 12));
	return ns;
}

static double core_pairs(void *ctx)
{
	struct bed *bed = ctx;
	double start = bench_now();
	uint64_t at;

	for (uint32_t i = 0; i < PAIRS; i++) {
		ok(quire_mm_map(bed->mm, 0, 4096, RW, QUIRE_MM_PRIVATE, &at));
		ok(quire_mm_unmap(bed->mm, at, 4096));
	}
	return (bench_now() - start) / PAIRS;
}

/* Areas that nothing joins, a page apart, with a page of room between them. */
static void crowd(struct quire_mm *mm)
{
	uint64_t at;

	for (uint32_t i = 0; i < AREAS; i++)
		ok(quire_mm_map(mm, BASE + BYTES / 2 + (uint64_t)i * 8192, 4096, RW,
				QUIRE_MM_PRIVATE | QUIRE_MM_FIXED, &at));
}

static double host_faults(void *ctx)
{
	size_t bytes = (size_t)PAGES << 12;
	volatile char *at;
	double start, ns;

	(void)ctx;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	if (at == MAP_FAILED ||
	    madvise((void *)(uintptr_t)at, bytes, MADV_NOHUGEPAGE) != 0)
		abort();
	start = bench_now();
	for (size_t i = 0; i < PAGES; i++)
		at[i << 12] = 1;
	ns = (bench_now() - start) / PAGES;
	munmap((void *)(uintptr_t)at, bytes);
	return ns;
}

/* fork() alone of a process with that many pages, less one without: the pages' share. */
static double host_fork_once(void)
{
	double start = bench_now(), ns;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ns = bench_now() - start;
	waitpid(pid, NULL, 0);
	return ns;
}

static double host_fork(void *ctx)
{
	size_t bytes = (size_t)PAGES << 12;
	double bare = host_fork_once(), full;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)ctx;
	if (at == MAP_FAILED || madvise(at, bytes, MADV_NOHUGEPAGE) != 0)
		abort();
	for (size_t i = 0; i < PAGES; i++)
		at[i << 12] = 1;
	full = host_fork_once();
	munmap(at, bytes);
	return (full - bare) / PAGES;
}

static double host_pairs(void *ctx)
{
	double start = bench_now();

	(void)ctx;
	for (uint32_t i = 0; i < PAIRS; i++) {
		void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			abort();
		munmap(at, 4096);
	}
	return (bench_now() - start) / PAIRS;
}

static void host(void)
{
	bench_print("host: demand-zero write", bench_measure(host_faults, NULL));
	bench_print("host: fork, a page", bench_measure(host_fork, NULL));
	bench_print("host: mmap and munmap", bench_measure(host_pairs, NULL));
}

int main(void)
{
	const struct qr_computer_config config = {
		.soft = {.nr_frames = FRAMES},
		.vm = {.overcommit = QUIRE_OVERCOMMIT_ALWAYS, .max_areas = 2 * AREAS},
	};
	const struct quire_mm_config space = {
		.window = {{BASE}, {BASE + BYTES}},
		.mmap_top = BASE + BYTES,
		.mmap_bottom = BASE,
		.brk = {BASE},
		.limits = {QUIRE_UNLIMITED, QUIRE_UNLIMITED, QUIRE_UNLIMITED,
			   QUIRE_UNLIMITED},
	};
	struct qr_computer *computer = qr_computer_new(&config);
	struct bed bed = {.code = QUIRE_PF_WRITE};

	host();
	if (computer == NULL)
		abort();
	ok(quire_mm_create(qr_computer_vm(computer), &space, &bed.mm));
	bench_print("demand-zero write", bench_measure(core_faults, &bed));
	bed.code = 0;
	bench_print("read of the page of zeros", bench_measure(core_faults, &bed));
	bench_print("copy on write", bench_measure(core_copies, &bed));
	bench_print("fork, a page", bench_measure(core_fork, &bed));
	bench_print("mmap and munmap", bench_measure(core_pairs, &bed));
	crowd(bed.mm);
	bench_print("mmap and munmap among 100,000 areas",
		    bench_measure(core_pairs, &bed));
	bench_end();
	quire_mm_destroy(bed.mm);
	qr_computer_delete(computer);
	return 0;
}
