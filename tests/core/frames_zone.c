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

static void blocks_are_whole_and_counted(void **state)
{
	static const uint32_t caps[] = {0, QUIRE_PORT_COPIES};

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct fixture f;
		quire_pfn slab, store;

		setup(&f, caps[i]);
		assert_true(qr_zone_alloc_block(&f.zone, QUIRE_FRAME_SLAB, 3,
						QUIRE_ALLOC_ZERO, &slab));
		assert_true(
			qr_zone_alloc_block(&f.zone, QUIRE_FRAME_STORE, 5, 0, &store));
		assert_null(qr_zone_validate(&f.zone));
		assert_int_equal(slab.n % 8, 0);
		assert_int_equal(store.n % 32, 0);
		assert_int_equal(f.zone.counts[QUIRE_FRAME_SLAB], 8);
		assert_int_equal(f.tp->stats.frames_table, 8);
		assert_int_equal(f.tp->stats.frames_store, 32);
		for (uint32_t n = 0; n < 8; n++)
			assert_int_equal(
				qr_zone_frame(&f.zone, (quire_pfn){slab.n + n})->use,
				QUIRE_FRAME_SLAB);
		qr_zone_free_block(&f.zone, slab, 3);
		qr_zone_free_block(&f.zone, store, 5);
		assert_int_equal(f.tp->nr_discarded, caps[i] != 0 ? 40 : 0);
		teardown(&f);
	}
}

/* Free frames on the warm list are of no use to a block until they merge. */
static void a_block_is_made_of_warm_frames(void **state)
{
	struct fixture f;
	quire_pfn pfn;

	(void)state;
	setup(&f, QUIRE_PORT_COPIES);
	while (take(&f, QUIRE_FRAME_STORE, QUIRE_ALLOC_RESERVE))
		;
	while (f.nr_taken > NR_FRAMES / 2)
		give(&f, f.nr_taken - 1);
	while (qr_zone_alloc_block(&f.zone, QUIRE_FRAME_STORE, 6, QUIRE_ALLOC_RESERVE,
				   &pfn))
		qr_zone_frame(&f.zone, pfn)->owner = 1;
	assert_int_equal(f.zone.nr_warm, 0);
	assert_false(qr_zone_alloc_block(&f.zone, QUIRE_FRAME_STORE, 6, 0, &pfn));
	for (uint32_t n = 0; n < NR_FRAMES; n++)
		if (f.zone.frames[n].order == 6 &&
		    f.zone.frames[n].use == QUIRE_FRAME_STORE)
			qr_zone_free_block(&f.zone, (quire_pfn){n}, 6);
	teardown(&f);
}

static void free_block_as_frame(void *arg)
{
	struct fixture *f = arg;

	qr_zone_free(&f->zone, f->taken[0]);
}

static void free_inside_a_block(void *arg)
{
	struct fixture *f = arg;

	qr_zone_free(&f->zone, (quire_pfn){f->taken[0].n + 1});
}

static void a_block_is_given_back_as_it_was_taken(void **state)
{
	static const enum quire_frame_use uses[] = {QUIRE_FRAME_SLAB, QUIRE_FRAME_STORE};
	struct fixture f;

	(void)state;
	setup(&f, 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(qr_zone_alloc_block(&f.zone, uses[i], 2, 0, &f.taken[0]));
		assert_true(testport_dies(free_block_as_frame, &f));
		assert_true(testport_dies(free_inside_a_block, &f));
		qr_zone_free_block(&f.zone, f.taken[0], 2);
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
		cmocka_unit_test(blocks_are_whole_and_counted),
		cmocka_unit_test(a_block_is_made_of_warm_frames),
		cmocka_unit_test(a_block_is_given_back_as_it_was_taken),
		cmocka_unit_test(double_free_stops_the_machine),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
