/* SPDX-License-Identifier: MIT */
/* frames_machine.c - frames of several zones: fallback, CPUs' lists, runs, references,
 * compaction, and misuse. */
#include "tests/core/frames_rig.h"

#include <stdio.h>

static void allocations_fall_back_to_lower_zones(void **state)
{
	struct rig rig;
	uint32_t nr_high = 0, nr_normal = 0;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_HIGH)) {
		uint32_t zone =
			qr_frames_zone_of(rig.f, rig.taken[rig.nr_taken - 1].pfn.n);

		nr_high += zone == QUIRE_ZONE_HIGHMEM;
		nr_normal += zone == QUIRE_ZONE_NORMAL;
		/* Only below the low watermarks of all is HIGHMEM come back to. */
		if (nr_normal == 0)
			assert_true(zone == QUIRE_ZONE_HIGHMEM);
	}
	assert_true(nr_high >= 2048 - 64 && nr_normal > 1024);
	rig_check(&rig);
	/* Each lower zone keeps its reserve from those who may use higher ones. */
	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		struct quire_zone_info info;

		assert_true(quire_frames_info(rig.f, (enum quire_zone_kind)z, &info));
		assert_true(info.free >= info.min + info.reserve[QUIRE_ZONE_HIGHMEM]);
		assert_true(info.free < info.min + info.reserve[QUIRE_ZONE_HIGHMEM] +
						QUIRE_LIST_BATCH + 1);
	}
	assert_true(rig_take(&rig, QUIRE_FRAME_TABLE, 0, QUIRE_ALLOC_DMA));
	assert_true(rig_take(&rig, QUIRE_FRAME_TABLE, 0, QUIRE_ALLOC_RESERVE));
	rig_close(&rig);
}

static void every_zone_runs_on_every_buddy_system(void **state)
{
	uint64_t seed = testport_seed();

	(void)state;
	for (uint32_t kind = 0; kind < QUIRE_BUDDY_KINDS; kind++) {
		enum quire_buddy_kind b = (enum quire_buddy_kind)kind;
		struct rig rig;

		rig_open(&rig, (struct quire_frames_config){.buddies = {b, b, b},
							    .fibonacci_lag = 3});
		for (uint32_t i = 0; i < 6000; i++) {
			uint64_t r = testport_random(&seed);
			uint32_t order = (r & 15) == 0 ? (uint32_t)(r >> 16) % 5 : 0;
			enum quire_frame_use use =
				(enum quire_frame_use)(QUIRE_FRAME_TABLE + (r >> 24) % 4);

			if ((r >> 8 & 7) < (i / 1500 % 2 == 0 ? 5 : 3))
				rig_take(&rig, use, order,
					 (uint32_t)(r >> 32) &
						 (QUIRE_ALLOC_RESERVE | QUIRE_ALLOC_ZERO |
						  QUIRE_ALLOC_DMA | QUIRE_ALLOC_HIGH));
			else if (rig.nr_taken > 0)
				rig_give(&rig, (uint32_t)(r >> 40) % rig.nr_taken);
			if (i % 50 == 0)
				rig_check(&rig);
		}
		rig_close(&rig);
	}
}

static void lists_are_bounded_and_go_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.nr_cpus = 2});
	assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0));
	assert_true(quire_frames_cached(rig.f, QUIRE_ZONE_NORMAL, 0) < QUIRE_LIST_BATCH);
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0));
	while (rig.nr_taken > 0) {
		rig_give(&rig, 0);
		assert_true(quire_frames_cached(rig.f, QUIRE_ZONE_NORMAL, 0) <=
			    QUIRE_LIST_HIGH);
	}
	/* The frame freed last is the one taken next. */
	assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0));
	{
		quire_pfn last = rig.taken[0].pfn;

		rig_give(&rig, 0);
		assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0));
		assert_int_equal(rig.taken[0].pfn.n, last.n);
	}
	rig_close(&rig);
}

/* What one CPU's list holds comes to another that needs it, once the first comes by. */
static void lists_are_drained_under_pressure(void **state)
{
	uint32_t nr = 0, nr_held;
	struct rig rig;
	quire_pfn pfn;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.nr_cpus = 2});
	assert_true(quire_frames_alloc(rig.f, 1, QUIRE_FRAME_MAPPED, 0, 0, &pfn));
	quire_frames_free(rig.f, 1, pfn, 0);
	nr_held = quire_frames_cached(rig.f, QUIRE_ZONE_NORMAL, 1);
	assert_true(nr_held > 0);
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_RESERVE))
		;
	assert_true(quire_frames_cached(rig.f, QUIRE_ZONE_NORMAL, 1) > 0);
	rig_give(&rig, 0);
	rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_RESERVE);
	/* CPU 1 wants one, finds all of its list taken back but gets one. */
	assert_true(quire_frames_alloc(rig.f, 1, QUIRE_FRAME_MAPPED, 0,
				       QUIRE_ALLOC_RESERVE, &pfn));
	quire_frames_free(rig.f, 1, pfn, 0);
	quire_frames_drain(rig.f, 1);
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_RESERVE))
		nr++;
	assert_int_equal(nr, nr_held);
	assert_int_equal(quire_frames_cached(rig.f, QUIRE_ZONE_NORMAL, 1), 0);
	rig_close(&rig);
}

struct upcalls {
	struct rig *rig;
	uint32_t nr_wakes, nr_pressures;
};

static void count_wake(void *ctx)
{
	((struct upcalls *)ctx)->nr_wakes++;
}

static bool free_some(void *ctx, uint32_t cpu, uint32_t order)
{
	struct upcalls *up = ctx;

	assert_int_equal(cpu, 0);
	assert_int_equal(order, 0);
	if (up->nr_pressures++ == 3)
		return false;
	for (uint32_t i = 0; i < 70; i++)
		rig_give(up->rig, 0);
	return true;
}

static void pressure_wakes_and_then_reclaims(void **state)
{
	struct rig rig;
	struct upcalls up = {.rig = &rig};

	(void)state;
	rig_open(&rig, (struct quire_frames_config){
			       .ctx = &up, .wake = count_wake, .pressure = free_some});
	while (up.nr_pressures < 4 && rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0))
		assert_true(up.nr_pressures == 0 || up.nr_wakes > 0);
	assert_int_equal(up.nr_pressures, 4);
	rig_close(&rig);
}

/* Each allocation that can fail does, and leaves nothing behind. */
static void the_nth_allocation_fails(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 40; n++) {
		struct rig rig;
		uint32_t nr_failed = 0;

		rig_open(&rig, (struct quire_frames_config){.nr_cpus = 1});
		quire_frames_fail_in(rig.f, n);
		for (uint32_t i = 1; i <= 40; i++) {
			bool given = rig_take(&rig, QUIRE_FRAME_MAPPED, i % 4, 0);

			assert_int_equal(given, i != n);
			nr_failed += !given;
		}
		assert_int_equal(nr_failed, 1);
		rig_close(&rig);
	}
}

static void runs_of_any_length(void **state)
{
	static const uint32_t lengths[] = {1, 3, 7, 100, 513, 1000, 1500};
	uint64_t seed = testport_seed();

	(void)state;
	for (uint32_t kind = 0; kind < QUIRE_BUDDY_KINDS; kind++) {
		enum quire_buddy_kind b = (enum quire_buddy_kind)kind;
		struct rig rig;
		quire_pfn runs[7];

		rig_open(&rig, (struct quire_frames_config){.buddies = {b, b, b}});
		for (uint32_t i = 0; i < 300; i++)
			assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 0, 0));
		for (uint32_t i = 0; i < 200; i++)
			rig_give(&rig, (uint32_t)(testport_random(&seed) % rig.nr_taken));
		for (uint32_t i = 0; i < 7; i++) {
			uint32_t align = i % 2 == 0 ? 1 : 64;

			assert_true(quire_frames_alloc_run(rig.f, QUIRE_FRAME_STORE,
							   lengths[i], align,
							   QUIRE_ALLOC_HIGH, &runs[i]));
			assert_int_equal(runs[i].n % align, 0);
			for (uint32_t k = 0; k < lengths[i]; k++)
				assert_int_equal(
					quire_frames_use(rig.f,
							 (quire_pfn){runs[i].n + k}),
					QUIRE_FRAME_STORE);
			rig_check(&rig);
		}
		assert_false(quire_frames_alloc_run(rig.f, QUIRE_FRAME_STORE, 5000, 1,
						    QUIRE_ALLOC_HIGH, &runs[0]));
		for (uint32_t i = 0; i < 7; i++)
			quire_frames_free_run(rig.f, runs[i], lengths[i]);
		rig_close(&rig);
	}
}

static void faulty_frames_are_never_given(void **state)
{
	struct rig rig;
	quire_pfn given_up;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	/* One from the middle of a block, one whose owner gives it up, none from a slab. */
	assert_true(quire_frames_retire(rig.f, (quire_pfn){777}));
	assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, 0));
	given_up = rig.taken[--rig.nr_taken].pfn;
	assert_true(quire_frames_retire(rig.f, given_up));
	assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 2, 0));
	assert_false(quire_frames_retire(rig.f, (quire_pfn){rig.taken[0].pfn.n + 1}));
	rig_check(&rig);
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0,
			QUIRE_ALLOC_HIGH | QUIRE_ALLOC_RESERVE))
		;
	for (uint32_t i = 0; i < rig.nr_taken; i++)
		assert_true(rig.taken[i].pfn.n != 777 &&
			    rig.taken[i].pfn.n != given_up.n);
	rig.free_at_start -= 2;
	rig_close(&rig);
}

static void references_are_counted_and_saturate(void **state)
{
	struct rig rig;
	quire_pfn pfn;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	assert_true(quire_frames_alloc(rig.f, 0, QUIRE_FRAME_MAPPED, 0, 0, &pfn));
	assert_int_equal(quire_frames_users(rig.f, pfn), 1);
	quire_frames_get(rig.f, pfn);
	assert_int_equal(quire_frames_users(rig.f, pfn), 2);
	assert_false(quire_frames_put(rig.f, 0, pfn));
	assert_true(quire_frames_put(rig.f, 0, pfn));
	assert_int_equal(quire_frames_users(rig.f, pfn), 0);

	assert_true(quire_frames_alloc(rig.f, 0, QUIRE_FRAME_MAPPED, 0, 0, &pfn));
	for (uint32_t i = 0; i < 70000; i++)
		quire_frames_get(rig.f, pfn);
	for (uint32_t i = 0; i < 80000; i++)
		assert_false(quire_frames_put(rig.f, 0, pfn));
	assert_int_equal(quire_frames_users(rig.f, pfn), 65536);
	rig.free_at_start--; /* it stays for good */
	rig_close(&rig);
}

static bool follow(void *ctx, quire_pfn from, quire_pfn to)
{
	struct rig *rig = ctx;
	unsigned char *direct = rig->tp->port.direct;

	for (uint32_t i = 0; i < rig->nr_taken; i++)
		if (rig->taken[i].pfn.n == from.n)
			rig->taken[i].pfn = to;
	memcpy(direct + ((size_t)to.n << QUIRE_PAGE_SHIFT),
	       direct + ((size_t)from.n << QUIRE_PAGE_SHIFT), QUIRE_PAGE_BYTES);
	return true;
}

/* Nobody is blamed for what the frames' own calls write: zeros of a run, moved pages. */
static void poison_bears_zeros_and_moves(void **state)
{
	struct rig rig;
	quire_pfn run;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.flags = QUIRE_FRAMES_TRACE |
							     QUIRE_FRAMES_POISON,
						    .ctx = &rig,
						    .move = follow});
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(quire_frames_alloc_run(rig.f, QUIRE_FRAME_TABLE, 37, 1,
						   QUIRE_ALLOC_ZERO, &run));
		assert_int_equal(
			rig.tp->port.direct[(size_t)(run.n + 36) << QUIRE_PAGE_SHIFT], 0);
		quire_frames_free_run(rig.f, run, 37);
	}
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0,
			QUIRE_ALLOC_MOVABLE | QUIRE_ALLOC_ZERO | QUIRE_ALLOC_RESERVE))
		;
	for (uint32_t i = 0; i < rig.nr_taken; i++)
		rig_give(&rig, i);
	quire_frames_drain(rig.f, 0);
	assert_true(quire_frames_compact(rig.f, 9));
	rig_check(&rig);
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_RESERVE))
		;
	rig_close(&rig);
}

static void pages_are_grouped_by_mobility(void **state)
{
	struct rig rig;
	struct quire_zone_info info;
	uint32_t nr_mixed = 0;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.flags = QUIRE_FRAMES_GROUP});
	for (uint32_t i = 0; i < 1500; i++) {
		assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_MOVABLE));
		if (i % 8 == 0)
			assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 0, 0));
	}
	for (uint32_t run = 2; run < 8; run++) {
		bool has[2] = {false, false};

		for (uint32_t n = run * 512; n < run * 512 + 512; n++) {
			has[0] |= rig.f->frames[n].use == QUIRE_FRAME_MAPPED;
			has[1] |= rig.f->frames[n].use == QUIRE_FRAME_SLAB;
		}
		nr_mixed += has[0] && has[1];
	}
	assert_int_equal(nr_mixed, 0);
	assert_true(quire_frames_info(rig.f, QUIRE_ZONE_NORMAL, &info));
	/* The largest block is borrowed whole: two runs. */
	assert_int_equal(info.runs[0], 2);
	assert_int_equal(info.runs[1], 4);
	rig_close(&rig);
}

/* Moves for the test: the page's bytes, and the entry that names its frame. */
static bool move(void *ctx, quire_pfn from, quire_pfn to)
{
	struct rig *rig = ctx;

	for (uint32_t i = 0; i < rig->nr_taken; i++) {
		if (rig->taken[i].pfn.n != from.n)
			continue;
		memcpy(rig->tp->port.direct + (size_t)to.n * QUIRE_PAGE_BYTES,
		       rig->tp->port.direct + (size_t)from.n * QUIRE_PAGE_BYTES,
		       QUIRE_PAGE_BYTES);
		rig->taken[i].pfn = to;
		return true;
	}
	return false;
}

static void compaction_makes_a_huge_page_of_scattered_frames(void **state)
{
	struct rig rig;
	quire_pfn huge;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.ctx = &rig, .move = move});
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0,
			QUIRE_ALLOC_RESERVE | QUIRE_ALLOC_HIGH)) {
		struct taken *last = &rig.taken[rig.nr_taken - 1];
		uint64_t mark = rig.nr_taken;

		rig.f->frames[last->pfn.n].owner = mark;
		memcpy(rig.tp->port.direct + (size_t)last->pfn.n * QUIRE_PAGE_BYTES,
		       &mark, sizeof(mark));
	}
	/* Every other frame goes: half of memory is free, and no two of it touch. */
	for (uint32_t i = rig.nr_taken; i-- > 0;)
		if (rig.taken[i].pfn.n % 2 == 0)
			rig_give(&rig, i);
	quire_frames_drain(rig.f, 0);
	rig.f->config.move = NULL;
	assert_false(quire_frames_compact(rig.f, 9));
	rig.f->config.move = move;
	assert_true(quire_frames_alloc(rig.f, 0, QUIRE_FRAME_SLAB, 9, 0, &huge));
	assert_int_equal(huge.n % 512, 0);
	rig_check(&rig);
	/* Each page still has its bytes and its owner. */
	for (uint32_t i = 0; i < rig.nr_taken; i++) {
		quire_pfn pfn = rig.taken[i].pfn;
		uint64_t mark;

		memcpy(&mark, rig.tp->port.direct + (size_t)pfn.n * QUIRE_PAGE_BYTES,
		       sizeof(mark));
		assert_int_equal(mark, rig.f->frames[pfn.n].owner);
		assert_true(pfn.n < huge.n || pfn.n >= huge.n + 512);
	}
	quire_frames_free(rig.f, 0, huge, 9);
	rig_close(&rig);
}

static bool refuse(void *ctx, quire_pfn from, quire_pfn to)
{
	(void)from;
	(void)to;
	++*(uint32_t *)ctx;
	return false;
}

static void compaction_that_is_refused_changes_nothing(void **state)
{
	uint32_t nr_refused = 0;
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.ctx = &nr_refused, .move = refuse});
	while (rig_take(&rig, QUIRE_FRAME_MAPPED, 0,
			QUIRE_ALLOC_RESERVE | QUIRE_ALLOC_HIGH))
		;
	for (uint32_t i = rig.nr_taken; i-- > 0;)
		if (rig.taken[i].pfn.n % 2 == 0)
			rig_give(&rig, i);
	quire_frames_drain(rig.f, 0);
	assert_false(quire_frames_compact(rig.f, 3));
	assert_int_equal(nr_refused, QUIRE_ZONES);
	rig_close(&rig);
}

struct crime {
	struct rig rig;
	quire_pfn pfn;
};

static void free_twice(void *arg)
{
	struct crime *c = arg;

	quire_frames_free(c->rig.f, 0, c->pfn, 0);
	quire_frames_free(c->rig.f, 0, c->pfn, 0);
}

static void free_twice_drained(void *arg)
{
	struct crime *c = arg;

	quire_frames_free(c->rig.f, 0, c->pfn, 0);
	quire_frames_drain(c->rig.f, 0);
	quire_frames_free(c->rig.f, 0, c->pfn, 0);
}

static void free_untouched(void *arg)
{
	quire_frames_free(((struct crime *)arg)->rig.f, 0, (quire_pfn){5}, 0);
}

static void free_inside(void *arg)
{
	struct crime *c = arg;

	assert_true(rig_take(&c->rig, QUIRE_FRAME_STORE, 3, 0));
	quire_frames_free(c->rig.f, 0, (quire_pfn){c->rig.taken[0].pfn.n + 3}, 0);
}

static void free_meta(void *arg)
{
	struct crime *c = arg;
	uint32_t n = 0;

	while (c->rig.f->frames[n].use != QUIRE_FRAME_META)
		n++;
	quire_frames_free(c->rig.f, 0, (quire_pfn){n}, 0);
}

static void free_outside(void *arg)
{
	struct crime *c = arg;

	quire_frames_free(c->rig.f, 0, (quire_pfn){c->rig.f->nr_frames}, 0);
}

static void free_other_order(void *arg)
{
	struct crime *c = arg;

	quire_frames_free(c->rig.f, 0, c->pfn, 2);
}

static void free_shared(void *arg)
{
	struct crime *c = arg;

	quire_frames_get(c->rig.f, c->pfn);
	quire_frames_free(c->rig.f, 0, c->pfn, 0);
}

static void write_after_free(void *arg)
{
	struct crime *c = arg;
	quire_pfn pfn;

	quire_frames_free(c->rig.f, 0, c->pfn, 0);
	c->rig.tp->port.direct[(size_t)c->pfn.n * QUIRE_PAGE_BYTES + 100] = 1;
	(void)quire_frames_alloc(c->rig.f, 0, QUIRE_FRAME_MAPPED, 0, 0, &pfn);
}

static void misuse_stops_with_its_name(void **state)
{
	static const struct {
		void (*action)(void *arg);
		const char *words;
	} crimes[] = {
		{free_twice, "a frame is freed twice"},
		{free_twice_drained, "a frame is freed twice"},
		{free_untouched, "a frame is freed that was never given"},
		{free_inside, "a frame is freed from the middle of a block"},
		{free_meta, "a frame is freed that was never given"},
		{free_outside, "pfn.n < f->nr_frames"},
		{free_other_order, "a block is freed with another order"},
		{free_shared, "a frame is freed that has other users"},
		{write_after_free, "a frame was written to while free"},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++) {
		struct crime crime;
		const char *last;

		rig_open(&crime.rig,
			 (struct quire_frames_config){.flags = QUIRE_FRAMES_TRACE |
							       QUIRE_FRAMES_POISON});
		assert_true(quire_frames_alloc(crime.rig.f, 0, QUIRE_FRAME_MAPPED, 0, 0,
					       &crime.pfn));
		assert_true(testport_dies(crimes[i].action, &crime));
		last = testport_last_words();
		if (strstr(last, crimes[i].words) == NULL)
			fail_msg("'%s' does not say '%s'", last, crimes[i].words);
		if (i < 2) {
			assert_non_null(strstr(last, ", by 0x"));
			assert_non_null(strstr(last, "; taken by 0x"));
			assert_non_null(strstr(last, "; freed by 0x"));
		}
		free(crime.rig.taken);
		testport_delete(crime.rig.tp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_fall_back_to_lower_zones),
		cmocka_unit_test(every_zone_runs_on_every_buddy_system),
		cmocka_unit_test(lists_are_bounded_and_go_back),
		cmocka_unit_test(lists_are_drained_under_pressure),
		cmocka_unit_test(pressure_wakes_and_then_reclaims),
		cmocka_unit_test(the_nth_allocation_fails),
		cmocka_unit_test(runs_of_any_length),
		cmocka_unit_test(faulty_frames_are_never_given),
		cmocka_unit_test(references_are_counted_and_saturate),
		cmocka_unit_test(pages_are_grouped_by_mobility),
		cmocka_unit_test(compaction_makes_a_huge_page_of_scattered_frames),
		cmocka_unit_test(compaction_that_is_refused_changes_nothing),
		cmocka_unit_test(poison_bears_zeros_and_moves),
		cmocka_unit_test(misuse_stops_with_its_name),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
