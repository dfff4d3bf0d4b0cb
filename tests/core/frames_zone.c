/* SPDX-License-Identifier: MIT */
/* frames_zone.c - watermarks, the warm list and the account of a zone. */
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 1024u

struct fixture {
	struct testport *tp;
	struct quire_zone zone;
	quire_pfn taken[NR_FRAMES];
	uint32_t nr_taken, free_at_start;
};

static void setup(struct fixture *f, uint32_t caps)
{
	memset(f, 0, sizeof(*f));
	f->tp = testport_new(NR_FRAMES, caps);
	qr_zone_init(&f->zone, &f->tp->port, &f->tp->stats,
		     qr_zone_table_frames(NR_FRAMES));
	f->free_at_start = qr_zone_free_frames(&f->zone);
	assert_null(qr_zone_validate(&f->zone));
}

static bool take(struct fixture *f, enum quire_frame_use use, uint32_t flags)
{
	quire_pfn pfn;

	if (!qr_zone_alloc(&f->zone, use, flags, &pfn))
		return false;
	assert_int_equal(qr_zone_frame(&f->zone, pfn)->use, use);
	assert_int_equal(qr_zone_frame(&f->zone, pfn)->slot, 0);
	f->taken[f->nr_taken++] = pfn;
	return true;
}

static void give(struct fixture *f, uint32_t i)
{
	quire_pfn pfn = f->taken[i];

	f->taken[i] = f->taken[--f->nr_taken];
	qr_zone_free(&f->zone, pfn);
}

static void teardown(struct fixture *f)
{
	while (f->nr_taken > 0)
		give(f, f->nr_taken - 1);
	assert_null(qr_zone_validate(&f->zone));
	assert_int_equal(qr_zone_free_frames(&f->zone), f->free_at_start);
	assert_int_equal(f->tp->stats.frames_free, f->free_at_start);
	testport_delete(f->tp);
}

static void min_is_kept_for_the_reserve(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 0);
	assert_true(f.zone.min < f.zone.low && f.zone.low < f.zone.high);
	while (take(&f, QUIRE_FRAME_MAPPED, 0))
		;
	assert_int_equal(qr_zone_free_frames(&f.zone), f.zone.min);
	while (take(&f, QUIRE_FRAME_STORE, QUIRE_ALLOC_RESERVE))
		;
	assert_int_equal(qr_zone_free_frames(&f.zone), 0);
	assert_int_equal(f.tp->stats.peak_used, NR_FRAMES);
	teardown(&f);
	assert_int_equal(f.zone.counts[QUIRE_FRAME_MAPPED], 0);
}

static void zero_frames_are_zero(void **state)
{
	static const unsigned char zeros[QUIRE_PAGE_BYTES];
	struct fixture f;

	(void)state;
	setup(&f, QUIRE_PORT_COPIES);
	for (uint32_t round = 0; round < 3; round++) {
		while (take(&f, QUIRE_FRAME_TABLE, QUIRE_ALLOC_ZERO)) {
			void *page = qr_zone_address(&f.zone, f.taken[f.nr_taken - 1]);

			assert_memory_equal(page, zeros, QUIRE_PAGE_BYTES);
			memset(page, 0x5a, QUIRE_PAGE_BYTES);
		}
		while (f.nr_taken > 0)
			give(&f, 0);
	}
	teardown(&f);
}

static void warm_frames_are_bounded_and_used_first(void **state)
{
	struct fixture f;
	uint64_t discarded;
	quire_pfn last;

	(void)state;
	setup(&f, QUIRE_PORT_COPIES);
	while (take(&f, QUIRE_FRAME_STORE, 0))
		;
	while (f.nr_taken > 1) {
		give(&f, 0);
		assert_null(qr_zone_validate(&f.zone));
		assert_true(f.zone.nr_warm <= NR_FRAMES / 8);
	}
	assert_true(f.tp->nr_discarded > 0);
	assert_true(f.zone.nr_warm > 0);

	last = f.taken[0];
	give(&f, 0);
	discarded = f.tp->nr_discarded;
	assert_true(take(&f, QUIRE_FRAME_TABLE, 0));
	assert_int_equal(f.taken[0].n, last.n);
	assert_int_equal(f.tp->nr_discarded, discarded);
	teardown(&f);
}

static void warm_frames_are_discarded_before_they_are_mapped(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUIRE_PORT_COPIES);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(take(&f, QUIRE_FRAME_TABLE, 0));
	for (uint32_t i = 0; i < 8; i++)
		give(&f, 0);
	assert_int_equal(f.zone.nr_warm, 8);
	while (f.zone.buddy.nr_free > 0)
		assert_true(take(&f, QUIRE_FRAME_MAPPED, QUIRE_ALLOC_RESERVE));
	assert_int_equal(f.tp->nr_discarded, 0);
	assert_true(take(&f, QUIRE_FRAME_MAPPED, QUIRE_ALLOC_RESERVE));
	assert_int_equal(f.tp->nr_discarded, 8);
	teardown(&f);
}

static void nothing_is_warm_where_frames_hold_the_pages(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 0);
	while (take(&f, QUIRE_FRAME_STORE, 0))
		;
	while (f.nr_taken > 0)
		give(&f, 0);
	assert_int_equal(f.zone.nr_warm, 0);
	assert_int_equal(f.tp->nr_discarded, 0);
	teardown(&f);
}

static void random_use_adds_up(void **state)
{
	static const enum quire_frame_use uses[] = {QUIRE_FRAME_TABLE, QUIRE_FRAME_STORE,
						    QUIRE_FRAME_MAPPED};
	uint64_t seed = testport_seed();
	struct fixture f;

	(void)state;
	setup(&f, QUIRE_PORT_COPIES);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t r = testport_random(&seed);
		/* Long spells of growth and of shrinking. */
		bool grows = (i / 2000) % 2 == 0 ? (r & 3) != 0 : (r & 3) == 0;

		if (grows || f.nr_taken == 0)
			take(&f, uses[(r >> 8) % 3],
			     QUIRE_ALLOC_RESERVE * ((r >> 4) & 1));
		else
			give(&f, (uint32_t)(r >> 8) % f.nr_taken);
		if (i % 16 == 0)
			assert_null(qr_zone_validate(&f.zone));
	}
	teardown(&f);
}

static void free_twice(void *arg)
{
	struct fixture *f = arg;

	qr_zone_free(&f->zone, f->taken[0]);
	qr_zone_free(&f->zone, f->taken[0]);
}

static void double_free_stops_the_machine(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 0);
	assert_true(take(&f, QUIRE_FRAME_MAPPED, 0));
	assert_true(testport_dies(free_twice, &f));
	f.nr_taken = 0;
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(min_is_kept_for_the_reserve),
		cmocka_unit_test(zero_frames_are_zero),
		cmocka_unit_test(warm_frames_are_bounded_and_used_first),
		cmocka_unit_test(warm_frames_are_discarded_before_they_are_mapped),
		cmocka_unit_test(nothing_is_warm_where_frames_hold_the_pages),
		cmocka_unit_test(random_use_adds_up),
		cmocka_unit_test(double_free_stops_the_machine),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
