/* SPDX-License-Identifier: MIT */
/* huge_test.c - transparent huge pages: how they come, what splits them, and that the
 * processor sees them. */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RW   (QUIRE_READ | QUIRE_WRITE)
#define HUGE QUIRE_HUGE_BYTES
#define AT   (RIG_BASE + 8 * HUGE)

static const struct qr_computer_config plenty = {
	.soft = {.nr_frames = 8192},
	.vm = {.thp = QUIRE_THP_ALWAYS},
	.nr_cpus = 2,
};

static struct quire_huge_figures figures_of(const struct rig *rig)
{
	struct quire_huge_figures figures;

	quire_vm_huge_figures(rig->vm, &figures);
	return figures;
}

static void map_at(struct rig *rig, struct quire_mm *mm, uint64_t start, uint64_t bytes)
{
	uint64_t at;

	assert_int_equal(rig_map(rig, mm, start, bytes, RW,
				 QUIRE_MM_PRIVATE | QUIRE_MM_FIXED, &at),
			 QUIRE_OK);
}

static void store(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	assert_int_equal(rig_store(rig, mm, va, value), QUIRE_OK);
}

static void expect(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	uint64_t got;

	assert_int_equal(rig_load(rig, mm, va, &got), QUIRE_OK);
	assert_int_equal(got, value);
}

static uint64_t huge_of(struct quire_mm *mm)
{
	struct quire_mm_figures figures;

	quire_mm_figures(mm, &figures);
	return figures.huge;
}

/* Where an allocation fails there may be small pages instead. */
static void expect_huge(struct quire_mm *mm, uint64_t pages)
{
	if (!rig_is_injected())
		assert_int_equal(huge_of(mm), pages * QUIRE_HUGE_PAGES);
}

static void a_first_fault_brings_a_huge_page(void **state)
{
	struct quire_mm_figures figures;
	struct qr_cpu_counts counts;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, plenty);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT - PAGE, 2 * HUGE);
	store(&rig, mm, AT + 5 * PAGE, 5);
	expect_huge(mm, 1);
	for (uint32_t i = 0; i < QUIRE_HUGE_PAGES; i++)
		expect(&rig, mm, AT + i * PAGE, i == 5 ? 5 : 0);
	counts = qr_computer_counts(rig.computer, 0);
	assert_true(rig_is_injected() ||
		    (counts.hits[QR_PAGE_2M] == QUIRE_HUGE_PAGES && counts.faults == 1));
	/* Not where the area has no whole one. */
	store(&rig, mm, AT - PAGE, 1);
	store(&rig, mm, AT + HUGE, 1);
	expect_huge(mm, 1);
	quire_mm_figures(mm, &figures);
	assert_true(rig_is_injected() || (figures.rss_anon == QUIRE_HUGE_PAGES + 2 &&
					  figures.minor_faults == 3));
	/* Nor where small ones are already. */
	map_at(&rig, mm, AT + 4 * HUGE, HUGE - PAGE);
	store(&rig, mm, AT + 4 * HUGE, 1);
	map_at(&rig, mm, AT + 5 * HUGE - PAGE, PAGE);
	store(&rig, mm, AT + 5 * HUGE - PAGE, 1);
	expect_huge(mm, 1);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void modes_say_where(void **state)
{
	struct qr_computer_config config = plenty;
	struct quire_thp thp;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	config.vm.thp = QUIRE_THP_MADVISE;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, 6 * HUGE);
	store(&rig, mm, AT, 1);
	expect_huge(mm, 0);
	assert_int_equal(rig_advise(&rig, mm, AT + HUGE, HUGE, QUIRE_MM_HUGEPAGE),
			 QUIRE_OK);
	store(&rig, mm, AT + HUGE, 1);
	expect_huge(mm, 1);
	quire_vm_thp(rig.vm, &thp);
	thp.enabled = QUIRE_THP_ALWAYS;
	assert_int_equal(quire_vm_set_thp(rig.vm, &thp), QUIRE_OK);
	store(&rig, mm, AT + 2 * HUGE, 1);
	expect_huge(mm, 2);
	assert_int_equal(rig_advise(&rig, mm, AT + 3 * HUGE, HUGE, QUIRE_MM_NOHUGEPAGE),
			 QUIRE_OK);
	store(&rig, mm, AT + 3 * HUGE, 1);
	expect_huge(mm, 2);
	thp.enabled = QUIRE_THP_NEVER;
	assert_int_equal(quire_vm_set_thp(rig.vm, &thp), QUIRE_OK);
	store(&rig, mm, AT + 4 * HUGE, 1);
	expect_huge(mm, 2);
	thp.max_ptes_none = 513;
	assert_int_equal(quire_vm_set_thp(rig.vm, &thp), QUIRE_INVALID);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Some pages are enough where it is done over and over. */
static uint32_t fill_step(void)
{
	return rig_is_injected() ? 32 : 1;
}

/* Each page of a huge one has its number in it. */
static void fill(struct rig *rig, struct quire_mm *mm, uint64_t at)
{
	for (uint32_t i = 0; i < QUIRE_HUGE_PAGES; i += fill_step())
		store(rig, mm, at + i * PAGE, at + i);
}

static void expect_filled(struct rig *rig, struct quire_mm *mm, uint64_t at,
			  uint64_t from, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++)
		if (i % fill_step() == 0)
			expect(rig, mm, at + i * PAGE, from + i);
}

static void what_takes_a_part_splits(void **state)
{
	uint64_t to;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, plenty);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, 6 * HUGE);
	for (uint32_t i = 0; i < 6; i++)
		fill(&rig, mm, AT + i * HUGE);
	expect_huge(mm, 6);
	assert_int_equal(rig_unmap(&rig, mm, AT + 5 * PAGE, PAGE), QUIRE_OK);
	expect_huge(mm, 5);
	assert_int_equal(rig_protect(&rig, mm, AT + HUGE + PAGE, PAGE, QUIRE_READ),
			 QUIRE_OK);
	expect_huge(mm, 4);
	assert_int_equal(
		rig_advise(&rig, mm, AT + 2 * HUGE + PAGE, PAGE, QUIRE_MM_DONTNEED),
		QUIRE_OK);
	expect_huge(mm, 3);
	assert_int_equal(rig_remap(&rig, mm, AT + 3 * HUGE + 32 * PAGE, PAGE, PAGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
				   AT + 20 * HUGE, &to),
			 QUIRE_OK);
	expect_huge(mm, 2);
	/* Whole ones stay whole: protected, moved, locked. */
	assert_int_equal(rig_protect(&rig, mm, AT + 4 * HUGE, HUGE, QUIRE_READ),
			 QUIRE_OK);
	assert_int_equal(rig_remap(&rig, mm, AT + 5 * HUGE, HUGE, HUGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
				   AT + 30 * HUGE, &to),
			 QUIRE_OK);
	assert_int_equal(rig_lock(&rig, mm, AT + 30 * HUGE, HUGE, 0), QUIRE_OK);
	expect_huge(mm, 2);
	assert_int_equal(rig_store(&rig, mm, AT + 4 * HUGE, 1), QUIRE_FAULT);
	rig_validate(&rig);
	expect_filled(&rig, mm, AT, AT, 0, 5);
	expect_filled(&rig, mm, AT, AT, 6, 512);
	expect_filled(&rig, mm, AT + HUGE, AT + HUGE, 0, 512);
	expect_filled(&rig, mm, AT + 2 * HUGE, AT + 2 * HUGE, 2, 512);
	expect(&rig, mm, AT + 2 * HUGE + PAGE, 0);
	expect(&rig, mm, AT + 20 * HUGE, AT + 3 * HUGE + 32);
	expect_filled(&rig, mm, AT + 4 * HUGE, AT + 4 * HUGE, 0, 512);
	expect_filled(&rig, mm, AT + 30 * HUGE, AT + 5 * HUGE, 0, 512);
	/* To a place that no huge page may have. */
	assert_int_equal(rig_remap(&rig, mm, AT + 30 * HUGE, HUGE, HUGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
				   AT + 40 * HUGE + PAGE, &to),
			 QUIRE_OK);
	expect_huge(mm, 1);
	expect_filled(&rig, mm, AT + 40 * HUGE + PAGE, AT + 5 * HUGE, 0, 512);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void a_fork_shares_until_one_writes(void **state)
{
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	rig_open(&rig, plenty);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, 2 * HUGE);
	fill(&rig, mm, AT);
	fill(&rig, mm, AT + HUGE);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	expect_huge(child, 2);
	assert_true(rig_is_injected() || figures_of(&rig).anon == 2);
	store(&rig, child, AT + 32 * PAGE, 1);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_COPY);
	/* It is split for both. */
	expect_huge(mm, 1);
	expect_huge(child, 1);
	expect(&rig, mm, AT + 32 * PAGE, AT + 32);
	expect_filled(&rig, child, AT, AT, 33, 512);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	store(&rig, child, AT + HUGE, 7);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_REUSE);
	expect_huge(child, 1);
	expect_filled(&rig, child, AT + HUGE, AT + HUGE, 1, 512);
	quire_mm_destroy(child);
	rig_close(&rig);
}

static void small_pages_collapse(void **state)
{
	struct qr_computer_config config = plenty;
	struct quire_huge_figures figures;
	struct quire_mm *mm, *child;
	struct quire_thp thp;
	struct rig rig;
	uint32_t nr;

	(void)state;
	config.vm.thp = QUIRE_THP_MADVISE;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, 4 * HUGE);
	fill(&rig, mm, AT);
	store(&rig, mm, AT + HUGE + 3 * PAGE, 3);
	/* Asked for; the pages a fork has in common, and those that are not there. */
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, AT, 2 * HUGE, QUIRE_MM_COLLAPSE), QUIRE_OK);
	assert_int_equal(huge_of(mm), 2 * QUIRE_HUGE_PAGES);
	expect_filled(&rig, mm, AT, AT, 0, 512);
	expect(&rig, mm, AT + HUGE + 3 * PAGE, 3);
	expect(&rig, mm, AT + HUGE + 4 * PAGE, 0);
	store(&rig, mm, AT, 99);
	expect_filled(&rig, child, AT, AT, 0, 512);
	rig_validate(&rig);
	quire_mm_destroy(child);
	/* Nothing there at all; and an area that says no. */
	assert_int_equal(rig_advise(&rig, mm, AT + 2 * HUGE, HUGE, QUIRE_MM_COLLAPSE),
			 QUIRE_INVALID);
	assert_int_equal(rig_advise(&rig, mm, AT, HUGE, QUIRE_MM_NOHUGEPAGE), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, AT, HUGE, QUIRE_MM_COLLAPSE),
			 QUIRE_INVALID);
	/* The daemon, where the area asks for it and enough is there. */
	store(&rig, mm, AT + 3 * HUGE, 1);
	assert_int_equal(quire_vm_khugepaged(rig.vm), 0);
	assert_int_equal(rig_advise(&rig, mm, AT + 3 * HUGE, HUGE, QUIRE_MM_HUGEPAGE),
			 QUIRE_OK);
	quire_vm_thp(rig.vm, &thp);
	thp.max_ptes_none = 510;
	assert_int_equal(quire_vm_set_thp(rig.vm, &thp), QUIRE_OK);
	assert_int_equal(quire_vm_khugepaged(rig.vm), 0);
	store(&rig, mm, AT + 3 * HUGE + PAGE, 2);
	nr = quire_vm_khugepaged(rig.vm);
	assert_true(nr == 1 || (nr == 0 && rig_is_injected()));
	expect(&rig, mm, AT + 3 * HUGE + PAGE, 2);
	figures = figures_of(&rig);
	assert_true(rig_is_injected() ||
		    (figures.collapsed == 3 && figures.full_scans >= 2));
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static const struct qr_computer_config swapping = {
	.soft = {.nr_frames = 4096, .nr_disks = 2, .disk_extents = 1024},
	.vm = {.swap = QUIRE_SWAP_FILE,
	       .thp = QUIRE_THP_ALWAYS,
	       .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static void reclaim_splits(void **state)
{
	const uint32_t nr = 12;
	struct quire_huge_figures figures;
	struct quire_vm_figures pages;
	enum quire_status status;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, nr * HUGE);
	for (uint32_t i = 0; i < nr; i++)
		for (uint32_t k = 0; k < QUIRE_HUGE_PAGES; k++)
			store(&rig, mm, AT + i * HUGE + k * PAGE, AT + k * nr + i);
	rig_validate(&rig);
	for (uint32_t i = 0; i < nr; i++)
		for (uint32_t k = 0; k < QUIRE_HUGE_PAGES; k++)
			expect(&rig, mm, AT + i * HUGE + k * PAGE, AT + k * nr + i);
	figures = figures_of(&rig);
	quire_vm_figures(rig.vm, &pages);
	assert_true(pages.pages_out > 0 && (rig_is_injected() || figures.split_page > 0));
	rig_validate(&rig);
	/* What is out is read for a collapse. */
	(void)rig_unmap(&rig, mm, AT + 2 * HUGE, (nr - 2) * HUGE);
	status = rig_advise(&rig, mm, AT, 2 * HUGE, QUIRE_MM_COLLAPSE);
	/* After another history there may be no room, which a collapse does not make by
	 * reclaim. */
	assert_true(status == QUIRE_OK ||
		    (rig_is_injected() && status == QUIRE_NO_MEMORY));
	if (status == QUIRE_OK)
		assert_int_equal(huge_of(mm), 2 * QUIRE_HUGE_PAGES);
	for (uint32_t k = 0; k < QUIRE_HUGE_PAGES; k += 4)
		expect(&rig, mm, AT + k * PAGE, AT + k * nr);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Bytes that are not needed go without being written anywhere. */
static void lazily_freed_ones_go_whole(void **state)
{
	struct quire_vm_figures pages;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, 2 * HUGE);
	fill(&rig, mm, AT);
	fill(&rig, mm, AT + HUGE);
	expect_huge(mm, 2);
	assert_int_equal(rig_advise(&rig, mm, AT, 2 * HUGE, QUIRE_MM_FREE), QUIRE_OK);
	store(&rig, mm, AT + HUGE + PAGE, 7);
	map_at(&rig, mm, AT + 4 * HUGE, 6 * HUGE);
	for (uint32_t i = 0; i < 6; i++)
		fill(&rig, mm, AT + (4 + i) * HUGE);
	/* One went, the other is needed again. */
	quire_vm_figures(rig.vm, &pages);
	assert_true(pages.anon < 8 * QUIRE_HUGE_PAGES);
	if (!rig_is_injected())
		expect(&rig, mm, AT, 0);
	expect(&rig, mm, AT + HUGE + PAGE, 7);
	for (uint32_t i = 0; i < 6; i++)
		expect_filled(&rig, mm, AT + (4 + i) * HUGE, AT + (4 + i) * HUGE, 0, 512);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Every second frame of a machine is taken: no block is left, but half of the frames. */
static void moving_pages_makes_room(void **state)
{
	struct qr_computer_config config = plenty;
	struct quire_huge_figures figures;
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t shared, nr = 3900;

	(void)state;
	config.soft.nr_frames = 4096;
	config.vm.thp = QUIRE_THP_MADVISE;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, nr * PAGE);
	for (uint64_t i = 0; i < nr; i++)
		store(&rig, mm, AT + i * PAGE, i + 1);
	for (uint64_t i = 0; i < nr; i += 2)
		assert_int_equal(
			rig_advise(&rig, mm, AT + i * PAGE, PAGE, QUIRE_MM_DONTNEED),
			QUIRE_OK);
	assert_int_equal(rig_map(&rig, mm, 0, 8 * PAGE, RW, QUIRE_MM_SHARED, &shared),
			 QUIRE_OK);
	for (uint64_t i = 0; i < 8; i++)
		store(&rig, mm, shared + i * PAGE, i + 1);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	map_at(&rig, mm, AT + 20 * HUGE, HUGE);
	assert_int_equal(rig_advise(&rig, mm, AT + 20 * HUGE, HUGE, QUIRE_MM_HUGEPAGE),
			 QUIRE_OK);
	store(&rig, mm, AT + 20 * HUGE, 1);
	figures = figures_of(&rig);
	expect_huge(mm, 1);
	assert_true(rig_is_injected() ||
		    (figures.compact_success == 1 && figures.migrate_success > 100 &&
		     figures.migrate_fail == 0));
	rig_validate(&rig);
	for (uint64_t i = 1; i < nr; i += 2) {
		expect(&rig, mm, AT + i * PAGE, i + 1);
		expect(&rig, child, AT + i * PAGE, i + 1);
	}
	for (uint64_t i = 0; i < 8; i++) {
		store(&rig, mm, shared + i * PAGE, i + 2);
		expect(&rig, child, shared + i * PAGE, i + 2);
	}
	quire_mm_destroy(child);
	/* Without leave to do so there are small pages. */
	if (!rig_is_injected()) {
		struct quire_thp thp;
		uint64_t fallback = figures.fault_fallback;

		quire_vm_thp(rig.vm, &thp);
		thp.defrag = QUIRE_THP_NEVER;
		assert_int_equal(quire_vm_set_thp(rig.vm, &thp), QUIRE_OK);
		map_at(&rig, mm, AT + 30 * HUGE, HUGE);
		assert_int_equal(
			rig_advise(&rig, mm, AT + 30 * HUGE, HUGE, QUIRE_MM_HUGEPAGE),
			QUIRE_OK);
		store(&rig, mm, AT + 30 * HUGE, 1);
		expect_huge(mm, 1);
		assert_int_equal(figures_of(&rig).fault_fallback, fallback + 1);
	}
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* A store by one CPU after the page was split, as another CPU's TLB has it whole. */
static bool reads_stale(bool ignores_flushes)
{
	struct qr_computer_config config = plenty;
	uint64_t value = 1, got = 0;
	struct quire_mm *mm, *child;
	bool is_stale;
	struct rig rig;

	config.ignores_flushes = ignores_flushes;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, HUGE);
	qr_computer_switch(rig.computer, 0, mm);
	qr_computer_switch(rig.computer, 1, mm);
	assert_int_equal(rig_access(&rig, 0, AT, &value, 8, QUIRE_WRITE), QUIRE_OK);
	assert_int_equal(rig_access(&rig, 1, AT, &got, 8, QUIRE_READ), QUIRE_OK);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	value = 2;
	assert_int_equal(rig_access(&rig, 0, AT, &value, 8, QUIRE_WRITE), QUIRE_OK);
	assert_int_equal(rig_access(&rig, 1, AT, &got, 8, QUIRE_READ), QUIRE_OK);
	qr_computer_switch(rig.computer, 0, child);
	assert_int_equal(rig_access(&rig, 0, AT, &value, 8, QUIRE_READ), QUIRE_OK);
	is_stale = got != 2 || value != 1;
	quire_mm_destroy(child);
	quire_mm_destroy(mm);
	if (ignores_flushes)
		qr_computer_delete(rig.computer);
	else
		rig_close(&rig);
	return is_stale;
}

static void the_tlb_is_flushed(void **state)
{
	(void)state;
	assert_true(reads_stale(true));
	assert_false(reads_stale(false));
}

static void flushes_are_enough(void **state)
{
	(void)state;
	assert_false(reads_stale(false));
}

static void expect_reports(struct rig *rig, struct quire_mm *mm)
{
	static char text[16384];

	(void)quire_report_smaps(mm, text, sizeof(text));
	assert_non_null(strstr(text, "AnonHugePages:      2048 kB\n"));
	assert_non_null(strstr(text, "Private_Dirty:      2048 kB\n"));
	(void)quire_report_meminfo(rig->vm, text, sizeof(text));
	assert_non_null(strstr(text, "AnonHugePages:      2048 kB\n"));
	assert_non_null(strstr(text, "AnonPages:          2048 kB\n"));
	(void)quire_report_vmstat(rig->vm, text, sizeof(text));
	assert_non_null(strstr(text, "\nthp_fault_alloc 1\n"));
	assert_non_null(strstr(text, "\nthp_fault_fallback 0\n"));
}

static void reports_tell_of_them(void **state)
{
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, plenty);
	mm = rig_mm(&rig);
	map_at(&rig, mm, AT, HUGE);
	store(&rig, mm, AT, 1);
	if (!rig_is_injected() || huge_of(mm) > 0)
		expect_reports(&rig, mm);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		a_first_fault_brings_a_huge_page,
		modes_say_where,
		what_takes_a_part_splits,
		a_fork_shares_until_one_writes,
		small_pages_collapse,
		flushes_are_enough,
		reports_tell_of_them,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
	rig_in_some_ways(lazily_freed_ones_go_whole, state, 997);
	rig_in_some_ways(reclaim_splits, state, 1997);
	rig_in_some_ways(moving_pages_makes_room, state, 997);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_fault_brings_a_huge_page),
		cmocka_unit_test(modes_say_where),
		cmocka_unit_test(what_takes_a_part_splits),
		cmocka_unit_test(a_fork_shares_until_one_writes),
		cmocka_unit_test(small_pages_collapse),
		cmocka_unit_test(reclaim_splits),
		cmocka_unit_test(lazily_freed_ones_go_whole),
		cmocka_unit_test(moving_pages_makes_room),
		cmocka_unit_test(the_tlb_is_flushed),
		cmocka_unit_test(reports_tell_of_them),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
