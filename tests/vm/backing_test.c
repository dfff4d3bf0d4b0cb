/* SPDX-License-Identifier: MIT */
/* backing_test.c - memory is backed at once where that is asked for, and on demand where it
 * is not: by kind of area, and by what was asked. */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RW    (QUIRE_READ | QUIRE_WRITE)
#define PAGES 24u

static const struct qr_computer_config plain = {
	.soft = {.nr_frames = 2048},
	.vm = {.swap = QUIRE_SWAP_NONE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

enum kind { ANON, SHARED, FILE_SHARED, FILE_PRIVATE, KINDS };

struct bed {
	struct rig rig;
	struct rig_file file;
	struct quire_mm *mm;
};

static void open_bed(struct bed *bed)
{
	rig_open(&bed->rig, plain);
	bed->file = rig_file(&bed->rig, 2 * PAGES);
	bed->mm = rig_mm(&bed->rig);
}

static void close_bed(struct bed *bed)
{
	rig_validate(&bed->rig);
	quire_mm_destroy(bed->mm);
	rig_file_close(&bed->file);
	rig_close(&bed->rig);
}

static uint64_t map(struct bed *bed, enum kind kind, uint32_t prot, uint32_t flags)
{
	uint64_t at;

	flags |=
		kind == ANON || kind == FILE_PRIVATE ? QUIRE_MM_PRIVATE : QUIRE_MM_SHARED;
	if (kind == FILE_SHARED || kind == FILE_PRIVATE)
		return rig_map_file(bed->mm, &bed->file, 0, PAGES, prot, flags);
	assert_int_equal(rig_map(&bed->rig, bed->mm, 0, PAGES * PAGE, prot, flags, &at),
			 QUIRE_OK);
	return at;
}

/* Pages of the space that have an entry: what is in memory only is not backed yet. */
static void expect_backed(struct bed *bed, uint64_t at, uint64_t pages, uint64_t expected)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < pages; i++)
		nr += quire_report_pagemap(bed->mm, at + i * PAGE) >> 63;
	/* Who asks with mmap or mlockall is not told of what could not be had. */
	assert_true(nr == expected || (rig_is_injected() && nr < expected));
}

static void is_backed(struct bed *bed, uint64_t at, bool at_once)
{
	struct quire_mm_figures before, after;
	uint64_t value;

	expect_backed(bed, at, PAGES, at_once ? PAGES : 0);
	/* And then nobody faults. */
	quire_mm_figures(bed->mm, &before);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_int_equal(rig_load(&bed->rig, bed->mm, at + i * PAGE, &value),
				 QUIRE_OK);
	quire_mm_figures(bed->mm, &after);
	if (!rig_is_injected())
		assert_int_equal(after.minor_faults + after.major_faults ==
					 before.minor_faults + before.major_faults,
				 at_once);
}

static void mappings(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct bed bed;

		open_bed(&bed);
		is_backed(&bed, map(&bed, kind, RW, 0), false);
		is_backed(&bed, map(&bed, kind, RW, QUIRE_MM_POPULATE), true);
		is_backed(&bed, map(&bed, kind, QUIRE_READ, QUIRE_MM_POPULATE), true);
		is_backed(&bed, map(&bed, kind, RW, QUIRE_MM_LOCKED), true);
		expect_backed(&bed, map(&bed, kind, 0, QUIRE_MM_POPULATE), PAGES, 0);
		close_bed(&bed);
	}
}

static void locks(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct bed bed;
		uint64_t at, later;

		open_bed(&bed);
		at = map(&bed, kind, RW, 0);
		assert_int_equal(rig_lock(&bed.rig, bed.mm, at, PAGES * PAGE, 0),
				 QUIRE_OK);
		is_backed(&bed, at, true);
		later = map(&bed, kind, RW, 0);
		assert_int_equal(
			rig_lock(&bed.rig, bed.mm, later, PAGES * PAGE, QUIRE_MM_ONFAULT),
			QUIRE_OK);
		is_backed(&bed, later, false);
		/* A lock that nobody can fill. */
		assert_int_equal(rig_lock(&bed.rig, bed.mm, map(&bed, kind, 0, 0),
					  PAGES * PAGE, 0),
				 QUIRE_NO_MEMORY);
		close_bed(&bed);
	}
}

static void locks_of_all(void **state)
{
	const uint32_t future = QUIRE_MM_LOCK_FUTURE, current = QUIRE_MM_LOCK_CURRENT;

	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct bed bed;
		uint64_t at;

		open_bed(&bed);
		at = map(&bed, kind, RW, 0);
		assert_int_equal(quire_mm_lock_all(bed.mm, future), QUIRE_OK);
		expect_backed(&bed, at, PAGES, 0);
		is_backed(&bed, map(&bed, kind, RW, 0), true);
		/* ONFAULT is of the areas to come, also of those that ask for more. */
		assert_int_equal(quire_mm_lock_all(bed.mm, future | QUIRE_MM_ONFAULT),
				 QUIRE_OK);
		is_backed(&bed, map(&bed, kind, RW, 0), false);
		is_backed(&bed, map(&bed, kind, RW, QUIRE_MM_POPULATE), false);
		is_backed(&bed, map(&bed, kind, RW, QUIRE_MM_LOCKED), false);
		assert_int_equal(quire_mm_lock_all(bed.mm, current | QUIRE_MM_ONFAULT),
				 QUIRE_OK);
		expect_backed(&bed, at, PAGES, 0);
		is_backed(&bed, map(&bed, kind, RW, 0), false);
		assert_int_equal(quire_mm_lock_all(bed.mm, current), QUIRE_OK);
		is_backed(&bed, at, true);
		assert_int_equal(quire_mm_unlock_all(bed.mm), QUIRE_OK);
		is_backed(&bed, map(&bed, kind, RW, 0), false);
		close_bed(&bed);
	}
}

static void what_grows(void **state)
{
	struct bed bed;
	uint64_t at, end;

	(void)state;
	open_bed(&bed);
	at = map(&bed, ANON, RW, QUIRE_MM_LOCKED);
	assert_int_equal(rig_remap(&bed.rig, bed.mm, at, PAGES * PAGE, 2 * PAGES * PAGE,
				   QUIRE_REMAP_MAYMOVE, 0, &at),
			 QUIRE_OK);
	expect_backed(&bed, at, 2 * PAGES, 2 * PAGES);
	end = rig_brk(&bed.rig, bed.mm, RIG_BASE + 4 * PAGE);
	expect_backed(&bed, end - 4 * PAGE, 4, 0);
	assert_int_equal(quire_mm_lock_all(bed.mm, QUIRE_MM_LOCK_FUTURE), QUIRE_OK);
	end = rig_brk(&bed.rig, bed.mm, RIG_BASE + 12 * PAGE);
	expect_backed(&bed, end - 8 * PAGE, 8, 8);
	close_bed(&bed);
}

static void populating(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct quire_mm_figures before, after;
		struct bed bed;
		uint64_t at;

		open_bed(&bed);
		at = map(&bed, kind, RW, 0);
		assert_int_equal(rig_advise(&bed.rig, bed.mm, at, PAGES * PAGE,
					    QUIRE_MM_POPULATE_READ),
				 QUIRE_OK);
		is_backed(&bed, at, true);
		assert_int_equal(rig_advise(&bed.rig, bed.mm, at, PAGES * PAGE,
					    QUIRE_MM_POPULATE_WRITE),
				 QUIRE_OK);
		quire_mm_figures(bed.mm, &before);
		for (uint64_t i = 0; i < PAGES; i++)
			assert_int_equal(rig_store(&bed.rig, bed.mm, at + i * PAGE, i),
					 QUIRE_OK);
		quire_mm_figures(bed.mm, &after);
		if (!rig_is_injected())
			assert_int_equal(after.minor_faults, before.minor_faults);
		/* What is not allowed, a hole, and what lies past the end. */
		assert_int_equal(rig_advise(&bed.rig, bed.mm,
					    map(&bed, kind, QUIRE_READ, 0), PAGE,
					    QUIRE_MM_POPULATE_WRITE),
				 QUIRE_INVALID);
		assert_int_equal(rig_unmap(&bed.rig, bed.mm, at + 4 * PAGE, PAGE),
				 QUIRE_OK);
		assert_int_equal(rig_advise(&bed.rig, bed.mm, at, PAGES * PAGE,
					    QUIRE_MM_POPULATE_READ),
				 QUIRE_NO_MEMORY);
		if (kind == FILE_SHARED || kind == FILE_PRIVATE) {
			assert_int_equal(
				rig_file_resize(&bed.rig, bed.file.file, 2 * PAGE),
				QUIRE_OK);
			assert_int_equal(rig_advise(&bed.rig, bed.mm, at, 4 * PAGE,
						    QUIRE_MM_POPULATE_READ),
					 QUIRE_FAULT);
		}
		close_bed(&bed);
	}
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		mappings, locks, locks_of_all, what_grows, populating,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings),
		cmocka_unit_test(locks),
		cmocka_unit_test(locks_of_all),
		cmocka_unit_test(what_grows),
		cmocka_unit_test(populating),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
