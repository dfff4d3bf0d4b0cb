/* SPDX-License-Identifier: MIT */
/* vm_test.c - what a process meets: kinds of faults, fork, stacks, limits, overcommit,
 * and that the TLB needs its flushes. */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RW	(QUIRE_READ | QUIRE_WRITE)
#define PRIVATE QUIRE_MM_PRIVATE

static const struct qr_computer_config plain = {.soft = {.nr_frames = 4096},
						.nr_cpus = 2};

static uint64_t map(struct rig *rig, struct quire_mm *mm, uint64_t pages, uint32_t prot,
		    uint32_t flags)
{
	uint64_t at;

	assert_int_equal(rig_map(rig, mm, 0, pages * PAGE, prot, flags, &at), QUIRE_OK);
	return at;
}

static void expect_fault(enum quire_fault_kind kind, uint64_t address, uint32_t code)
{
	assert_int_equal(rig_fault.kind, kind);
	assert_int_equal(rig_fault.address, address);
	assert_int_equal(rig_fault.code, code);
}

static void faults_are_told_apart(void **state)
{
	struct quire_mm_figures figures;
	struct rig rig;
	struct quire_mm *mm, *child;
	uint64_t at, value;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 4, RW, PRIVATE);
	assert_int_equal(rig_load(&rig, mm, at + 8, &value), QUIRE_OK);
	assert_int_equal(value, 0);
	expect_fault(QUIRE_FAULT_ZERO, at + 8, QUIRE_PF_USER);
	assert_int_equal(rig_store(&rig, mm, at + 16, 7), QUIRE_OK);
	expect_fault(QUIRE_FAULT_COPY, at + 16,
		     QUIRE_PF_USER | QUIRE_PF_WRITE | QUIRE_PF_PRESENT);
	assert_int_equal(rig_store(&rig, mm, at + PAGE, 7), QUIRE_OK);
	expect_fault(QUIRE_FAULT_ANON, at + PAGE, QUIRE_PF_USER | QUIRE_PF_WRITE);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, at, 8), QUIRE_OK);
	expect_fault(QUIRE_FAULT_COPY, at,
		     QUIRE_PF_USER | QUIRE_PF_WRITE | QUIRE_PF_PRESENT);
	assert_int_equal(rig_store(&rig, child, at, 9), QUIRE_OK);
	expect_fault(QUIRE_FAULT_REUSE, at,
		     QUIRE_PF_USER | QUIRE_PF_WRITE | QUIRE_PF_PRESENT);
	assert_int_equal(rig_load(&rig, mm, at - 8, &value), QUIRE_FAULT);
	expect_fault(QUIRE_FAULT_MAPERR, at - 8, QUIRE_PF_USER);
	assert_int_equal(rig_protect(&rig, mm, at, PAGE, QUIRE_READ), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, at, 1), QUIRE_FAULT);
	expect_fault(QUIRE_FAULT_ACCERR, at,
		     QUIRE_PF_USER | QUIRE_PF_WRITE | QUIRE_PF_PRESENT);
	assert_int_equal(rig_access(&rig, 0, at, NULL, 0, QUIRE_EXEC), QUIRE_FAULT);
	expect_fault(QUIRE_FAULT_ACCERR, at,
		     QUIRE_PF_USER | QUIRE_PF_FETCH | QUIRE_PF_PRESENT);
	quire_mm_figures(mm, &figures);
	assert_int_equal(figures.minor_faults, 4);
	assert_int_equal(figures.rss_anon, 2);
	rig_validate(&rig);
	quire_mm_destroy(child);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void accesses_cross_pages(void **state)
{
	unsigned char out[64], in[64];
	struct rig rig;
	struct quire_mm *mm;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 2, RW, PRIVATE);
	qr_computer_switch(rig.computer, 1, mm);
	for (uint32_t bytes = 1; bytes <= 64; bytes++)
		for (uint32_t before = 0; before <= bytes; before++) {
			uint64_t va = at + PAGE - before;

			if (before == 0 && bytes > PAGE)
				continue;
			memset(out, (int)(bytes * 3 + before), sizeof(out));
			assert_int_equal(rig_access(&rig, 1, va, out, bytes, QUIRE_WRITE),
					 QUIRE_OK);
			assert_int_equal(rig_access(&rig, 1, va, in, bytes, QUIRE_READ),
					 QUIRE_OK);
			assert_memory_equal(in, out, bytes);
		}
	/* Nothing of it is written where a part may not be. */
	assert_int_equal(rig_access(&rig, 1, at + 2 * PAGE - 8, in, 8, QUIRE_READ),
			 QUIRE_OK);
	assert_int_equal(rig_access(&rig, 1, at + 2 * PAGE - 8, out, 16, QUIRE_WRITE),
			 QUIRE_FAULT);
	assert_int_equal(rig_access(&rig, 1, at + 2 * PAGE - 8, out, 8, QUIRE_READ),
			 QUIRE_OK);
	assert_memory_equal(in, out, 8);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Stores by one CPU after the page went and came again, as another CPU reads it. */
static bool reads_stale(bool ignores_flushes)
{
	struct qr_computer_config config = plain;
	struct rig rig;
	struct quire_mm *mm;
	uint64_t at, value = 1, got = 0;
	bool is_stale;

	config.ignores_flushes = ignores_flushes;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 1, RW, PRIVATE);
	qr_computer_switch(rig.computer, 0, mm);
	qr_computer_switch(rig.computer, 1, mm);
	(void)rig_access(&rig, 0, at, &value, 8, QUIRE_WRITE);
	(void)rig_access(&rig, 1, at, &got, 8, QUIRE_READ);
	(void)rig_advise(&rig, mm, at, PAGE, QUIRE_MM_DONTNEED);
	is_stale = rig_access(&rig, 1, at, &got, 8, QUIRE_READ) == QUIRE_OK && got == 1;
	quire_mm_destroy(mm);
	if (ignores_flushes)
		qr_computer_delete(rig.computer);
	else
		rig_close(&rig);
	return is_stale;
}

static void tlb_is_flushed(void **state)
{
	(void)state;
	assert_true(reads_stale(true));
	assert_false(reads_stale(false));
}

static void tlb_counts(void **state)
{
	struct qr_computer_config config = plain;
	struct qr_cpu_counts counts;
	struct rig rig;
	struct quire_mm *mm, *other;
	uint64_t at, value;

	(void)state;
	config.tlb[QR_PAGE_4K] = (struct qr_tlb_shape){4, 2};
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 16, RW, PRIVATE | QUIRE_MM_POPULATE);
	/* Two pages of one set stay, a third drives one out. */
	for (uint32_t turn = 0; turn < 4; turn++)
		for (uint32_t way = 0; way < 2; way++)
			assert_int_equal(rig_load(&rig, mm, at + way * 4 * PAGE, &value),
					 QUIRE_OK);
	counts = qr_computer_counts(rig.computer, 0);
	/* Populating goes as far as memory does: then there are faults, and more walks. */
	assert_true(rig_is_injected() || counts.misses == 2);
	assert_true(rig_is_injected() || counts.hits[QR_PAGE_4K] == 6);
	assert_true(rig_is_injected() || counts.faults == 0);
	assert_int_equal(rig_load(&rig, mm, at + 8 * PAGE, &value), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, at, &value), QUIRE_OK);
	counts = qr_computer_counts(rig.computer, 0);
	assert_true(rig_is_injected() || counts.misses == 4);
	/* Another space's pages are others, and a switch flushes nothing. */
	assert_int_equal(rig_fork(&rig, mm, &other), QUIRE_OK);
	assert_int_equal(rig_load(&rig, other, at, &value), QUIRE_OK);
	assert_int_equal(rig_store(&rig, other, at + PAGE, 5), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, at + PAGE, &value), QUIRE_OK);
	assert_int_equal(value, 0);
	quire_mm_destroy(mm);
	rig_validate(&rig);
	assert_int_equal(rig_load(&rig, other, at + PAGE, &value), QUIRE_OK);
	assert_int_equal(value, 5);
	quire_mm_destroy(other);
	rig_close(&rig);
}

static uint64_t *table_at(struct rig *rig, uint64_t pfn)
{
	return (uint64_t *)(void *)(rig->vm->port->direct + (pfn << 12));
}

/* Tables put together by hand, since it is the processor that is tested: a page of 2 MiB
 * and one of 1 GiB over the same RAM. */
static void large_pages_have_a_tlb_each(void **state)
{
	enum { LEAF = 0x87, TABLE = 0x07 }; /* present, writable, user; large */
	const uint64_t large = RIG_BASE, huge = RIG_BASE + (1ull << 30), frame = 512;
	struct qr_cpu_counts counts;
	struct quire_mm *mm;
	quire_pfn upper, lower;
	struct rig rig;
	uint64_t *root, value;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	root = table_at(&rig, quire_mm_root(mm));
	assert_true(qr_zone_alloc(&rig.vm->zone, QUIRE_FRAME_TABLE, QUIRE_ALLOC_ZERO,
				  &upper));
	assert_true(qr_zone_alloc(&rig.vm->zone, QUIRE_FRAME_TABLE, QUIRE_ALLOC_ZERO,
				  &lower));
	root[0] = (uint64_t)upper.n << 12 | TABLE;
	table_at(&rig, upper.n)[large >> 30] = (uint64_t)lower.n << 12 | TABLE;
	table_at(&rig, upper.n)[huge >> 30] = LEAF;
	table_at(&rig, lower.n)[0] = frame << 12 | LEAF;
	table_at(&rig, frame + 77)[3] = 4711;
	assert_int_equal(rig_load(&rig, mm, large + 77 * PAGE + 24, &value), QUIRE_OK);
	assert_int_equal(value, 4711);
	assert_int_equal(rig_store(&rig, mm, large + 78 * PAGE, 4712), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, large + 79 * PAGE, 4713), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, huge + (frame + 78) * PAGE, &value),
			 QUIRE_OK);
	assert_int_equal(value, 4712);
	assert_int_equal(rig_load(&rig, mm, huge + (frame + 79) * PAGE, &value),
			 QUIRE_OK);
	assert_int_equal(value, 4713);
	counts = qr_computer_counts(rig.computer, 0);
	/* The first store walks again, to set D. */
	assert_int_equal(counts.walks, 3);
	assert_int_equal(counts.hits[QR_PAGE_2M], 1);
	assert_int_equal(counts.hits[QR_PAGE_1G], 1);
	assert_int_equal(counts.hits[QR_PAGE_4K], 0);
	assert_true((table_at(&rig, lower.n)[0] & 0x60) == 0x60);
	assert_true((table_at(&rig, upper.n)[huge >> 30] & 0x60) == 0x20);
	root[0] = 0;
	rig.vm->config.mmu->flush(rig.vm->config.mmu->ctx, quire_mm_asid(mm),
				  (struct quire_run){{large}, 1});
	rig.vm->config.mmu->flush(rig.vm->config.mmu->ctx, quire_mm_asid(mm),
				  (struct quire_run){{huge + 5 * PAGE}, 1});
	qr_zone_free(&rig.vm->zone, upper);
	qr_zone_free(&rig.vm->zone, lower);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void stacks_grow(void **state)
{
	struct rig rig;
	struct quire_mm *mm;
	struct quire_mm_config config = rig_mm_config();
	uint64_t top, value, wall;

	(void)state;
	rig_open(&rig, plain);
	config.limits.stack = 600 * PAGE;
	assert_int_equal(rig_create(&rig, &config, &mm), QUIRE_OK);
	top = RIG_BASE + 4096 * PAGE;
	assert_int_equal(rig_map(&rig, mm, top - PAGE, PAGE, RW,
				 PRIVATE | QUIRE_MM_FIXED | QUIRE_MM_GROWSDOWN, &value),
			 QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, top - 100 * PAGE, 1), QUIRE_OK);
	assert_true(rig_fault.grew_stack || rig_is_injected());
	assert_int_equal(rig_store(&rig, mm, top - 600 * PAGE, 1), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, top - 601 * PAGE, 1), QUIRE_FAULT);
	/* The gap to what lies below stays: 256 pages. */
	wall = top - 1000 * PAGE;
	config.limits.stack = QUIRE_UNLIMITED;
	quire_mm_set_limits(mm, &config.limits);
	assert_int_equal(
		rig_map(&rig, mm, wall, PAGE, RW, PRIVATE | QUIRE_MM_FIXED, &value),
		QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, wall + 257 * PAGE, 1), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, wall + 256 * PAGE, 1), QUIRE_FAULT);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void limits_hold(void **state)
{
	struct quire_limits limits = {20 * PAGE, 10 * PAGE, QUIRE_UNLIMITED, 4 * PAGE};
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at, value;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	quire_mm_set_limits(mm, &limits);
	at = map(&rig, mm, 10, RW, PRIVATE);
	assert_int_equal(rig_map(&rig, mm, 0, PAGE, RW, PRIVATE, &value),
			 QUIRE_NO_MEMORY);
	map(&rig, mm, 10, QUIRE_READ, PRIVATE);
	assert_int_equal(rig_map(&rig, mm, 0, PAGE, QUIRE_READ, PRIVATE, &value),
			 QUIRE_NO_MEMORY);
	assert_int_equal(rig_brk(&rig, mm, RIG_BASE + PAGE), RIG_BASE);
	assert_int_equal(rig_lock(&rig, mm, at, 4 * PAGE, 0), QUIRE_OK);
	assert_int_equal(rig_lock(&rig, mm, at, 5 * PAGE, 0), QUIRE_NO_MEMORY);
	assert_int_equal(rig_map(&rig, mm, at, PAGE, RW,
				 PRIVATE | QUIRE_MM_FIXED | QUIRE_MM_LOCKED, &value),
			 QUIRE_AGAIN);
	limits.locked = 0;
	quire_mm_set_limits(mm, &limits);
	assert_int_equal(rig_lock(&rig, mm, at, PAGE, 0), QUIRE_DENIED);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void overcommit_has_three_modes(void **state)
{
	struct qr_computer_config config = plain;
	struct quire_vm_figures figures;
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	assert_int_equal(rig_map(&rig, mm, 0, 4097 * PAGE, RW, PRIVATE, &at),
			 QUIRE_NO_MEMORY);
	map(&rig, mm, 4096, RW, PRIVATE);
	map(&rig, mm, 4096, RW, PRIVATE);
	map(&rig, mm, 8192, RW, PRIVATE | QUIRE_MM_NORESERVE);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.committed, 8192);
	quire_mm_destroy(mm);
	rig_close(&rig);

	config.vm.overcommit = QUIRE_OVERCOMMIT_ALWAYS;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	map(&rig, mm, 40000, RW, PRIVATE);
	quire_mm_destroy(mm);
	rig_close(&rig);

	config.vm.overcommit = QUIRE_OVERCOMMIT_NEVER;
	config.vm.swap_bytes = 100 * PAGE;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.commit_limit, 2048 + 100);
	at = map(&rig, mm, 1000, RW, PRIVATE | QUIRE_MM_NORESERVE);
	map(&rig, mm, 1000, RW, QUIRE_MM_SHARED);
	map(&rig, mm, 4000, QUIRE_READ, PRIVATE);
	assert_int_equal(rig_map(&rig, mm, 0, 149 * PAGE, RW, PRIVATE, &at),
			 QUIRE_NO_MEMORY);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_NO_MEMORY);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.committed, 2000);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* The highest page that each number of levels can name, and the first that it cannot. */
static void tables_have_four_or_five_levels(void **state)
{
	(void)state;
	for (uint32_t levels = 4; levels <= 5; levels++) {
		const uint64_t end = 1ull << (levels == 4 ? 47 : 56);
		struct quire_mm_config config = rig_mm_config();
		struct qr_computer_config computer = plain;
		struct quire_mm_figures figures;
		struct quire_mm *mm;
		struct rig rig;
		uint64_t at, value;

		computer.vm.levels = levels;
		rig_open(&rig, computer);
		config.window.end.a = config.mmap_top = end;
		assert_int_equal(rig_create(&rig, &config, &mm), QUIRE_OK);
		at = map(&rig, mm, 1, RW, PRIVATE);
		assert_int_equal(at, end - PAGE);
		assert_int_equal(rig_store(&rig, mm, at, 7), QUIRE_OK);
		assert_int_equal(rig_store(&rig, mm, map(&rig, mm, 600, RW, PRIVATE), 8),
				 QUIRE_OK);
		assert_int_equal(rig_load(&rig, mm, at, &value), QUIRE_OK);
		assert_int_equal(value, 7);
		assert_int_equal(rig_load(&rig, mm, end, &value), QUIRE_FAULT);
		assert_int_equal(rig_fault.kind, QUIRE_FAULT_MAPERR);
		/* Not canonical, and the kernel's half. */
		assert_int_equal(rig_load(&rig, mm, 1ull << 62, &value), QUIRE_FAULT);
		assert_int_equal(rig_load(&rig, mm, ~7ull, &value), QUIRE_FAULT);
		quire_mm_figures(mm, &figures);
		assert_int_equal(figures.tables, levels + 1);
		rig_validate(&rig);
		config.window.end.a = end * 2;
		assert_int_equal(rig_exec(&rig, mm, &config), QUIRE_INVALID);
		quire_mm_destroy(mm);
		rig_close(&rig);
	}
}

static void exec_starts_anew(void **state)
{
	struct quire_mm_config config = rig_mm_config();
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at, value;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 8, RW, PRIVATE);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(rig_store(&rig, mm, at + i * PAGE, i + 1), QUIRE_OK);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(rig_exec(&rig, child, &config), QUIRE_OK);
	assert_int_equal(rig_load(&rig, child, at, &value), QUIRE_FAULT);
	assert_int_equal(rig_load(&rig, mm, at + 7 * PAGE, &value), QUIRE_OK);
	assert_int_equal(value, 8);
	rig_validate(&rig);
	quire_mm_destroy(child);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* More than there is, in two processes with a common past. */
static void go_out_and_come_back(uint32_t nr_frames, uint64_t pages, uint64_t step)
{
	struct qr_computer_config config = {
		.soft = {.nr_frames = nr_frames, .nr_disks = 4, .disk_extents = 4096},
		.vm = {.swap = QUIRE_SWAP_FILE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
	};
	struct quire_vm_figures figures;
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at, value, random = 1;

	rig_open(&rig, config);
	mm = rig_mm(&rig);
	at = map(&rig, mm, pages, RW, PRIVATE);
	for (uint64_t i = 0; i < pages; i++)
		for (uint64_t k = 0; k < PAGE; k += step) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			assert_int_equal(rig_store(&rig, mm, at + i * PAGE + k,
						   k == 0 ? i + 1 : random),
					 QUIRE_OK);
		}
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	rig_validate(&rig);
	for (uint64_t i = 0; i < pages; i++) {
		assert_int_equal(rig_load(&rig, child, at + i * PAGE, &value), QUIRE_OK);
		assert_int_equal(value, i + 1);
		assert_int_equal(rig_store(&rig, child, at + i * PAGE, ~i), QUIRE_OK);
	}
	rig_validate(&rig);
	for (uint64_t i = 0; i < pages; i++) {
		assert_int_equal(rig_load(&rig, mm, at + i * PAGE, &value), QUIRE_OK);
		assert_int_equal(value, i + 1);
	}
	quire_vm_figures(rig.vm, &figures);
	assert_true(figures.pages_out > pages && figures.pages_in > pages);
	assert_true(figures.faults[QUIRE_FAULT_MAJOR] > 0);
	quire_mm_destroy(mm);
	rig_validate(&rig);
	quire_mm_destroy(child);
	rig_close(&rig);
}

static void pages_go_out_and_come_back(void **state)
{
	(void)state;
	go_out_and_come_back(1024, 1600, 512);
}

/* The same among few. */
static void some_pages_go_out_and_come_back(void **state)
{
	(void)state;
	go_out_and_come_back(300, 280, PAGE);
}

/* Asks for frames in all the ways that the others do not. */
static void frames_are_asked_for(void **state)
{
	struct quire_mm *mm, *child;
	uint64_t at, shared, moved, value;
	struct rig rig;

	(void)state;
	rig_open(&rig, plain);
	mm = rig_mm(&rig);
	at = map(&rig, mm, 8, RW, PRIVATE);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(rig_store(&rig, mm, at + i * PAGE, i), QUIRE_OK);
	assert_int_equal(rig_protect(&rig, mm, at + 2 * PAGE, PAGE, QUIRE_READ),
			 QUIRE_OK);
	assert_int_equal(rig_remap(&rig, mm, at + 4 * PAGE, 4 * PAGE, 600 * PAGE,
				   QUIRE_REMAP_MAYMOVE, 0, &moved),
			 QUIRE_OK);
	shared = map(&rig, mm, 4, RW, QUIRE_MM_SHARED);
	assert_int_equal(rig_store(&rig, mm, shared, 3), QUIRE_OK);
	assert_int_equal(rig_brk(&rig, mm, RIG_BASE + 3 * PAGE), RIG_BASE + 3 * PAGE);
	assert_int_equal(rig_lock(&rig, mm, RIG_BASE, 3 * PAGE, 0), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, at, PAGE, QUIRE_MM_RANDOM), QUIRE_OK);
	assert_int_equal(rig_unmap(&rig, mm, moved + 200 * PAGE, PAGE), QUIRE_OK);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(rig_store(&rig, child, RIG_BASE, 1), QUIRE_OK);
	assert_int_equal(rig_load(&rig, child, moved + 3 * PAGE, &value), QUIRE_OK);
	assert_int_equal(value, 7);
	rig_validate(&rig);
	quire_mm_destroy(child);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		faults_are_told_apart,
		accesses_cross_pages,
		tlb_is_flushed,
		tlb_counts,
		stacks_grow,
		limits_hold,
		overcommit_has_three_modes,
		tables_have_four_or_five_levels,
		exec_starts_anew,
		some_pages_go_out_and_come_back,
		frames_are_asked_for,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_told_apart),
		cmocka_unit_test(accesses_cross_pages),
		cmocka_unit_test(tlb_is_flushed),
		cmocka_unit_test(tlb_counts),
		cmocka_unit_test(large_pages_have_a_tlb_each),
		cmocka_unit_test(stacks_grow),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(overcommit_has_three_modes),
		cmocka_unit_test(tables_have_four_or_five_levels),
		cmocka_unit_test(exec_starts_anew),
		cmocka_unit_test(pages_go_out_and_come_back),
		cmocka_unit_test(some_pages_go_out_and_come_back),
		cmocka_unit_test(frames_are_asked_for),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
