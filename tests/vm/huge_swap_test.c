/* SPDX-License-Identifier: MIT */
/* huge_swap_test.c - huge pages beside the swap cache: a collapse takes pages that were
 * read ahead, and they move out of a huge page's way.
 */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RW	(QUIRE_READ | QUIRE_WRITE)
#define HUGE	QUIRE_HUGE_BYTES
#define PAGES	QUIRE_HUGE_PAGES
#define AT	(RIG_BASE + 8 * HUGE)
#define NR_READ 100u

static const struct qr_computer_config swapping = {
	.soft = {.nr_frames = 4096, .nr_disks = 2, .disk_extents = 1024},
	.vm = {.swap = QUIRE_SWAP_FILE,
	       .thp = QUIRE_THP_MADVISE,
	       .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static struct quire_vm_figures figures_of(const struct rig *rig)
{
	struct quire_vm_figures figures;

	quire_vm_figures(rig->vm, &figures);
	return figures;
}

static uint64_t huge_of(struct quire_mm *mm)
{
	struct quire_mm_figures figures;

	quire_mm_figures(mm, &figures);
	return figures.huge;
}

/* Bytes that do not pack. */
static void fill_page(uint64_t *bytes, uint64_t first)
{
	bytes[0] = first;
	for (uint32_t i = 1; i < PAGE / 8; i++)
		bytes[i] = bytes[i - 1] * 6364136223846793005u + 1442695040888963407u;
}

static void map_filled(struct rig *rig, struct quire_mm *mm, uint64_t start,
		       uint64_t pages)
{
	uint64_t at, bytes[PAGE / 8];

	assert_int_equal(rig_map(rig, mm, start, pages * PAGE, RW,
				 QUIRE_MM_PRIVATE | QUIRE_MM_FIXED, &at),
			 QUIRE_OK);
	qr_computer_switch(rig->computer, 0, mm);
	for (uint64_t i = 0; i < pages; i++) {
		fill_page(bytes, start + i);
		assert_int_equal(
			rig_access(rig, 0, start + i * PAGE, bytes, PAGE, QUIRE_WRITE),
			QUIRE_OK);
	}
}

static void expect_filled(struct rig *rig, struct quire_mm *mm, uint64_t start,
			  uint64_t first, uint64_t last)
{
	uint64_t bytes[PAGE / 8], got[PAGE / 8];

	qr_computer_switch(rig->computer, 0, mm);
	for (uint64_t i = first; i < last; i++) {
		fill_page(bytes, start + i);
		assert_int_equal(
			rig_access(rig, 0, start + i * PAGE, got, PAGE, QUIRE_READ),
			QUIRE_OK);
		assert_memory_equal(got, bytes, PAGE);
	}
}

/* All that is in the store goes to the disks. */
static void spill(struct rig *rig)
{
	qr_lock(&rig->vm->turn);
	qr_lock(&rig->vm->inner);
	while (qr_swap_spill(&rig->vm->swap, 1) == QUIRE_OK)
		;
	qr_unlock(&rig->vm->inner);
	qr_unlock(&rig->vm->turn);
}

static void advise(struct rig *rig, struct quire_mm *mm, uint64_t start, uint64_t pages,
		   enum quire_mm_advice advice)
{
	assert_int_equal(rig_advise(rig, mm, start, pages * PAGE, advice), QUIRE_OK);
}

/* 512 pages that are out, NR_READ of them in the swap cache too. */
static void push_out_and_read(struct rig *rig, struct quire_mm *mm)
{
	map_filled(rig, mm, AT, PAGES);
	advise(rig, mm, AT, PAGES, QUIRE_MM_PAGEOUT);
	spill(rig);
	advise(rig, mm, AT, NR_READ, QUIRE_MM_WILLNEED);
	if (!rig_is_injected())
		assert_int_equal(figures_of(rig).swap_cached, NR_READ);
}

static void a_collapse_takes_the_swap_cache(void **state)
{
	struct quire_vm_figures before, after;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	push_out_and_read(&rig, mm);
	before = figures_of(&rig);
	advise(&rig, mm, AT, PAGES, QUIRE_MM_COLLAPSE);
	assert_int_equal(huge_of(mm), PAGES);
	rig_validate(&rig);
	after = figures_of(&rig);
	assert_int_equal(after.swap_cached, 0);
	assert_int_equal(after.swapped, 0);
	if (!rig_is_injected())
		assert_int_equal(after.pages_in - before.pages_in, PAGES - NR_READ);
	expect_filled(&rig, mm, AT, 0, PAGES);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* The other process's entries name the slots still: for it the pages stay. */
static void a_collapse_leaves_what_others_want(void **state)
{
	struct quire_vm_figures before, after;
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	push_out_and_read(&rig, mm);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	advise(&rig, mm, AT, PAGES, QUIRE_MM_COLLAPSE);
	assert_int_equal(huge_of(mm), PAGES);
	rig_validate(&rig);
	before = figures_of(&rig);
	if (!rig_is_injected())
		assert_int_equal(before.swap_cached, NR_READ);
	expect_filled(&rig, child, AT, 0, NR_READ);
	after = figures_of(&rig);
	if (!rig_is_injected()) {
		assert_int_equal(after.pages_in, before.pages_in);
		assert_int_equal(after.swap_cached, 0);
	}
	expect_filled(&rig, child, AT, NR_READ, PAGES);
	expect_filled(&rig, mm, AT, 0, PAGES);
	quire_mm_destroy(child);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Pages read ahead of their use that a collapse uses were worth reading. */
static void a_collapse_counts_what_was_read_ahead(void **state)
{
	struct quire_vm_figures before, after;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	map_filled(&rig, mm, AT, PAGES);
	advise(&rig, mm, AT, PAGES, QUIRE_MM_PAGEOUT);
	spill(&rig);
	advise(&rig, mm, AT, PAGES, QUIRE_MM_SEQUENTIAL);
	expect_filled(&rig, mm, AT, 16, 17);
	before = figures_of(&rig);
	assert_true(before.swap_cached > 0);
	assert_int_equal(before.swap_ahead, before.swap_cached);
	advise(&rig, mm, AT, PAGES, QUIRE_MM_COLLAPSE);
	after = figures_of(&rig);
	assert_int_equal(after.swap_cached, 0);
	assert_int_equal(after.swap_ahead_hits, before.swap_ahead);
	rig_validate(&rig);
	expect_filled(&rig, mm, AT, 0, PAGES);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* A page that cannot be read stops it: all is as before, in the cache and out of it. */
static void a_collapse_that_cannot_read(void **state)
{
	for (uint64_t k = 1; k < 40; k += 6) {
		struct quire_vm_figures before, after;
		struct qr_soft *soft;
		struct quire_mm *mm;
		struct rig rig;

		(void)state;
		rig_open(&rig, swapping);
		soft = qr_computer_soft(rig.computer);
		mm = rig_mm(&rig);
		push_out_and_read(&rig, mm);
		before = figures_of(&rig);
		qr_soft_fail(soft, QR_SOFT_READ, k, 1000000);
		assert_int_not_equal(quire_mm_advise(mm, AT, HUGE, QUIRE_MM_COLLAPSE),
				     QUIRE_OK);
		assert_true(qr_soft_failed(soft, QR_SOFT_READ) > 0);
		qr_soft_fail(soft, QR_SOFT_READ, 0, 0);
		rig_validate(&rig);
		after = figures_of(&rig);
		assert_int_equal(after.swap_cached, before.swap_cached);
		assert_int_equal(after.swapped, before.swapped);
		assert_int_equal(after.free, before.free);
		assert_int_equal(huge_of(mm), 0);
		expect_filled(&rig, mm, AT, 0, PAGES);
		quire_mm_destroy(mm);
		rig_close(&rig);
	}
}

/* ---- moving */

static bool is_cached(const struct rig *rig, uint64_t frame)
{
	const struct quire_frame *at = &rig->vm->zone.frames[frame];

	return at->use == QUIRE_FRAME_MAPPED && qr_page_has(at, QUIRE_PAGE_CACHED);
}

static uint64_t nr_cached_in(const struct rig *rig, uint64_t run)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < PAGES; i++)
		nr += is_cached(rig, run * PAGES + i);
	return nr;
}

/* Of the pages at start every step-th of those in the run goes. */
static void make_room(struct quire_mm *mm, uint64_t start, uint64_t pages, uint64_t run,
		      uint32_t step)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t word = quire_report_pagemap(mm, start + i * PAGE);
		uint64_t frame = word & ((1ull << 55) - 1);

		if (frame / PAGES == run && frame % step == 0)
			assert_int_equal(quire_mm_advise(mm, start + i * PAGE, PAGE,
							 QUIRE_MM_DONTNEED),
					 QUIRE_OK);
	}
}

/* A machine whose frames are in use, but for some that are scattered in one run: there
 * pages are read ahead, and then all others of the run go. */
static uint64_t put_cached_pages(struct rig *rig, struct quire_mm *mm)
{
	const uint64_t used = AT + 2 * HUGE;
	uint64_t nr = 0, run;

	map_filled(rig, mm, AT, PAGES);
	advise(rig, mm, AT, PAGES, QUIRE_MM_PAGEOUT);
	spill(rig);
	for (; figures_of(rig).free > rig->vm->zone.low + 40; nr += 16)
		map_filled(rig, mm, used + nr * PAGE, 16);
	run = (quire_report_pagemap(mm, used + nr / 4 * PAGE) & ((1ull << 55) - 1)) /
	      PAGES;
	make_room(mm, used, nr, run, 2);
	advise(rig, mm, AT, NR_READ, QUIRE_MM_WILLNEED);
	assert_true(nr_cached_in(rig, run) > NR_READ / 2);
	make_room(mm, used, nr, run, 1);
	make_room(mm, used, nr, run + 1, 4);
	return run;
}

static void cached_pages_move(void **state)
{
	struct quire_vm_figures before, after;
	const uint64_t place = AT + 20 * HUGE;
	struct quire_mm *mm;
	struct rig rig;
	uint64_t run, at;

	(void)state;
	rig_open(&rig, swapping);
	mm = rig_mm(&rig);
	run = put_cached_pages(&rig, mm);
	before = figures_of(&rig);
	assert_int_equal(rig_map(&rig, mm, place, HUGE, RW,
				 QUIRE_MM_PRIVATE | QUIRE_MM_FIXED, &at),
			 QUIRE_OK);
	advise(&rig, mm, place, PAGES, QUIRE_MM_HUGEPAGE);
	assert_int_equal(rig_store(&rig, mm, place, 1), QUIRE_OK);
	assert_int_equal(huge_of(mm), PAGES);
	rig_validate(&rig);
	after = figures_of(&rig);
	assert_int_equal(nr_cached_in(&rig, run), 0);
	assert_int_equal(after.swap_cached, before.swap_cached);
	expect_filled(&rig, mm, AT, 0, PAGES);
	assert_int_equal(figures_of(&rig).pages_in,
			 before.pages_in + PAGES - before.swap_cached);
	assert_int_equal(figures_of(&rig).swap_cached, 0);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	rig_in_some_ways(a_collapse_takes_the_swap_cache, state, 97);
	rig_in_some_ways(a_collapse_leaves_what_others_want, state, 97);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_collapse_takes_the_swap_cache),
		cmocka_unit_test(a_collapse_leaves_what_others_want),
		cmocka_unit_test(a_collapse_counts_what_was_read_ahead),
		cmocka_unit_test(a_collapse_that_cannot_read),
		cmocka_unit_test(cached_pages_move),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
