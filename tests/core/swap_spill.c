/* SPDX-License-Identifier: MIT */
/* swap_spill.c - zspages on their way to swap areas, and what goes wrong on that way. */
#include "tests/core/swap_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Attempts between two questions to the port; swap_area.c. */
#define ROUND 64u

static void put_many(struct model *m, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(model_put(m, model_random_bytes(m)), QUIRE_OK);
}

static void put_raw(struct model *m, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(model_put(m, QUIRE_PAGE_BYTES), QUIRE_OK);
}

static void all_of_it_can_be_spilled(void **state)
{
	struct model *m = model_new(4096, true, testport_seed());
	const struct quire_stats *stats = &m->tp->stats;
	uint32_t nr = 0;

	(void)state;
	put_many(m, 1000);
	while (qr_swap_spill(&m->swap, 1) == QUIRE_OK) {
		nr++;
		model_validate(m);
		assert_int_equal(stats->extents_out, nr);
		assert_int_equal(stats->swap_extents, nr);
		assert_true(stats->swap_ns >= nr);
	}
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_INVALID);
	assert_int_equal(stats->stored_pages, 0);
	assert_int_equal(stats->spilled_pages, 1000);
	assert_int_equal(stats->frames_store, 0);
	model_check_all(m);
	model_delete(m);
}

/* What of the first extents can be read while they are written, and after. */
struct reader {
	struct model *m;
	uint32_t nr;
};

static void count_readable(void *arg)
{
	struct reader *r = arg;

	qr_lock(r->m->swap.lock);
	r->nr = qr_swap_readable(&r->m->swap, 0, 0, QUIRE_TRANSFER_EXTENTS);
	qr_unlock(r->m->swap.lock);
}

/* The lock is the test's while it calls; the port's hook is called without it. */
static void several_go_in_one_transfer(void **state)
{
	struct model *m = model_new(1024, true, 1);
	struct reader r = {.m = m, .nr = UINT32_MAX};

	(void)state;
	put_raw(m, 8 * QUIRE_EXTENT_FRAMES);
	m->tp->during_write = count_readable;
	m->tp->during_arg = &r;
	assert_int_equal(qr_swap_spill(&m->swap, QUIRE_TRANSFER_EXTENTS), QUIRE_OK);
	assert_int_equal(m->tp->nr_writes, 1);
	assert_int_equal(m->tp->stats.extents_out, QUIRE_TRANSFER_EXTENTS);
	assert_int_equal(r.nr, 0);
	assert_int_equal(qr_swap_readable(&m->swap, 0, 0, QUIRE_TRANSFER_EXTENTS),
			 QUIRE_TRANSFER_EXTENTS);
	assert_int_equal(qr_swap_readable(&m->swap, 0, 2, QUIRE_TRANSFER_EXTENTS), 2);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void one_finds_room_that_several_do_not(void **state)
{
	struct model *m = model_new(1024, true, 1);

	(void)state;
	put_raw(m, 8 * QUIRE_EXTENT_FRAMES);
	m->tp->fail_write_at = 1;
	m->tp->fail_writes = 1;
	m->tp->fail_status = QUIRE_NO_SPACE;
	assert_int_equal(qr_swap_spill(&m->swap, QUIRE_TRANSFER_EXTENTS), QUIRE_OK);
	assert_int_equal(m->tp->nr_writes, 2);
	assert_int_equal(m->tp->stats.swap_extents, 1);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void several_that_fail_stay_in_ram(void **state)
{
	struct model *m = model_new(1024, true, 1);

	(void)state;
	put_raw(m, 8 * QUIRE_EXTENT_FRAMES);
	m->tp->fail_write_at = 1;
	assert_int_equal(qr_swap_spill(&m->swap, QUIRE_TRANSFER_EXTENTS), QUIRE_IO);
	assert_int_equal(m->tp->stats.swap_extents, 0);
	model_validate(m);
	model_check_all(m);
	assert_int_equal(qr_swap_spill(&m->swap, QUIRE_TRANSFER_EXTENTS), QUIRE_OK);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void no_device_no_spill(void **state)
{
	struct model *m = model_new(1024, false, 1);

	(void)state;
	put_many(m, 100);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_INVALID);
	assert_int_equal(m->tp->nr_opens, 0);
	model_delete(m);
}

static void raw_pages_go_first_and_the_oldest_of_them(void **state)
{
	struct model *m = model_new(1024, true, 1);
	struct qr_swap_place place;
	unsigned char buf[QUIRE_PAGE_BYTES];

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(model_put(m, 1500), QUIRE_OK);
	put_raw(m, 16);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	for (uint32_t i = 0; i < m->nr; i++) {
		qr_swap_get(&m->swap, m->pages[i].slot, buf, &place);
		assert_int_equal(place.on_device, i >= 40 && i < 48);
	}
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(m->swap.frames_raw, 0);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	qr_swap_get(&m->swap, m->pages[0].slot, buf, &place);
	assert_true(place.on_device);
	model_delete(m);
}

static void an_extent_is_written_whole(void **state)
{
	struct model *m = model_new(1024, true, 1);
	static unsigned char extent[QUIRE_EXTENT_BYTES];

	(void)state;
	put_raw(m, 5);
	model_drop(m, 1);
	model_validate(m);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(m->tp->port.swap_read(m->tp, 0, 0, extent, QUIRE_EXTENT_BYTES),
			 QUIRE_OK);
	model_check_all(m);
	model_delete(m);
}

static void traffic(struct model *m, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t r = testport_random(&m->seed);
		bool grows = (i / 3000) % 2 == 0 ? (r & 3) != 0 : (r & 3) == 0;
		enum quire_status status = QUIRE_OK;

		if (m->nr == 0 || (grows && m->nr < MODEL_PAGES))
			status = model_put(m, model_random_bytes(m));
		else if ((r >> 8) % 16 == 0)
			model_dup(m, model_random_index(m));
		else
			model_drop(m, model_random_index(m));
		if (status != QUIRE_OK || (r >> 16) % 16 == 0)
			(void)qr_swap_spill(&m->swap, 1);
		if ((r >> 24) % 128 == 0)
			(void)qr_swap_compact(&m->swap, 5);
		if (m->nr > 0)
			model_check(m, model_random_index(m));
		if (i % 500 == 0) {
			model_validate(m);
			model_check_all(m);
		}
	}
}

static void random_traffic_in_little_memory(void **state)
{
	struct model *m = model_new(600, true, testport_seed());

	(void)state;
	traffic(m, 30000);
	assert_true(m->tp->stats.extents_out > 100);
	model_delete(m);
}

/* The lowest free extents are used again: the device need not grow. */
static void freed_extents_are_used_again(void **state)
{
	struct model *m = model_new(2048, true, 1);

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		put_raw(m, 160);
		while (qr_swap_spill(&m->swap, 1) == QUIRE_OK)
			;
		assert_int_equal(m->tp->stats.swap_extents, 20);
		model_check_all(m);
		model_drop_all(m);
		model_validate(m);
	}
	assert_non_null(m->tp->areas[0].extents[19]);
	assert_null(m->tp->areas[0].extents[20]);
	model_delete(m);
}

/* For each k: the k-th transfer fails, nothing is lost, and the next one passes. */
static void any_transfer_may_fail(void **state)
{
	static const enum quire_status kinds[] = {QUIRE_IO, QUIRE_NO_SPACE};

	(void)state;
	for (uint32_t kind = 0; kind < 2; kind++) {
		bool failed = true;

		for (uint64_t k = 1; failed; k++) {
			struct model *m = model_new(2048, true, 5);
			enum quire_status status;

			failed = false;
			m->tp->fail_write_at = k;
			m->tp->fail_status = kinds[kind];
			put_many(m, 200);
			while ((status = qr_swap_spill(&m->swap, 1)) != QUIRE_INVALID) {
				model_validate(m);
				if (status == QUIRE_OK)
					continue;
				assert_int_equal(status, kinds[kind]);
				failed = true;
				model_check_all(m);
			}
			assert_int_equal(m->tp->stats.spilled_pages, 200);
			model_check_all(m);
			model_delete(m);
		}
	}
}

static void every_frame_may_be_the_one_that_is_missing(void **state)
{
	bool failed = true;

	(void)state;
	for (uint32_t nr = 12; failed; nr++) {
		struct model *m = model_new(nr, true, 7);
		enum quire_status status;

		failed = false;
		for (uint32_t i = 0; i < 60; i++)
			if (model_put(m, model_random_bytes(m)) != QUIRE_OK)
				failed = true;
		while ((status = qr_swap_spill(&m->swap, 1)) == QUIRE_OK)
			model_validate(m);
		/* With no frame left at all, not even a map is to be had. */
		assert_true(status == QUIRE_INVALID || status == QUIRE_NO_MEMORY);
		failed |= status == QUIRE_NO_MEMORY;
		model_validate(m);
		model_check_all(m);
		model_delete(m);
	}
}

/* For each k: the k-th allocation on the way to the device fails, and only that. */
static void any_allocation_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (uint64_t k = 1; failed; k++) {
		struct model *m = model_new(2048, true, 11);
		enum quire_status status;

		m->tp->nr_extents = 4;
		put_many(m, 200);
		m->zone.fail_in = k;
		failed = false;
		while ((status = qr_swap_spill(&m->swap, 1)) != QUIRE_INVALID) {
			model_validate(m);
			if (status == QUIRE_OK)
				continue;
			assert_int_equal(status, QUIRE_NO_MEMORY);
			failed = true;
		}
		assert_int_equal(m->tp->stats.spilled_pages, 200);
		model_check_all(m);
		m->zone.fail_in = 0;
		model_delete(m);
	}
}

/* What somebody else does while a write is under way. */
struct meanwhile {
	struct model *m;
	uint32_t nr_drops;
	uint32_t nr_puts;
	bool done;
};

static void act_meanwhile(void *arg)
{
	struct meanwhile *w = arg;

	if (w->done)
		return;
	w->done = true;
	qr_lock(&w->m->lock);
	assert_int_equal(w->m->swap.nr_writing, 1);
	model_validate(w->m);
	/* From the last on: its place is taken by a page from the array's end. */
	for (uint32_t i = w->nr_drops; i-- > 0;)
		model_drop(w->m, i);
	for (uint32_t i = 0; i < w->nr_puts; i++)
		assert_int_equal(model_put(w->m, w->m->pages[0].bytes), QUIRE_OK);
	model_check_all(w->m);
	model_validate(w->m);
	qr_unlock(&w->m->lock);
}

static void spill_meanwhile(uint32_t bytes, uint32_t nr, uint32_t nr_drops, bool fails)
{
	struct model *m = model_new(1024, true, 9);
	struct meanwhile w = {.m = m, .nr_drops = nr_drops, .nr_puts = 5};

	for (uint32_t i = 0; i < nr + 3; i++)
		assert_int_equal(model_put(m, bytes), QUIRE_OK);
	/* The first pages are those of the oldest zspage. */
	m->tp->during_write = act_meanwhile;
	m->tp->during_arg = &w;
	m->tp->fail_write_at = fails;
	assert_int_equal(qr_swap_spill(&m->swap, 1), fails ? QUIRE_IO : QUIRE_OK);
	assert_true(w.done);
	model_validate(m);
	model_check_all(m);
	if (fails || nr_drops == nr)
		assert_int_equal(m->tp->stats.swap_extents, 0);
	/* Freed objects can be had again. */
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(model_put(m, bytes), QUIRE_OK);
	model_validate(m);
	model_check_all(m);
	while (qr_swap_spill(&m->swap, 1) == QUIRE_OK)
		model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void pages_may_die_on_their_way(void **state)
{
	(void)state;
	for (uint32_t drops = 0; drops <= 8; drops++) {
		spill_meanwhile(QUIRE_PAGE_BYTES, 8, drops, false);
		spill_meanwhile(QUIRE_PAGE_BYTES, 8, drops, true);
	}
	/* 1636 + 2 bytes: twenty to a zspage. */
	for (uint32_t drops = 0; drops <= 20; drops++) {
		spill_meanwhile(1636, 20, drops, false);
		spill_meanwhile(1636, 20, drops, true);
	}
}

static void a_full_area_makes_way_for_the_next(void **state)
{
	struct model *m = model_new(4096, true, 1);

	(void)state;
	m->tp->nr_extents = 3;
	put_raw(m, 8 * 10);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(m->tp->nr_opens, 4);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void when_no_more_areas_are_to_be_had_nothing_is_lost(void **state)
{
	struct model *m = model_new(2048, true, 1);

	(void)state;
	m->tp->nr_extents = 2;
	put_raw(m, 8 * 4);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	m->tp->open_status = QUIRE_NO_SPACE;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_NO_SPACE);
	/* The port is not asked each time. */
	assert_true(m->tp->nr_opens <= 3);
	model_check_all(m);
	model_validate(m);

	/* A page of an extent that dies with all its neighbours makes room. */
	for (uint32_t i = 0; i < 8; i++)
		model_drop(m, 7 - i);
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	model_delete(m);
}

static void a_device_with_no_space_is_asked_again_later(void **state)
{
	struct model *m = model_new(2048, true, 1);
	enum quire_status status = QUIRE_NO_SPACE;

	(void)state;
	put_raw(m, 8);
	m->tp->fail_write_at = 1;
	m->tp->fail_status = QUIRE_NO_SPACE;
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_NO_SPACE);
	m->tp->open_status = QUIRE_NO_SPACE;
	assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_NO_SPACE);
	for (uint32_t i = 0; status != QUIRE_OK && i <= ROUND; i++) {
		status = qr_swap_spill(&m->swap, 1);
		assert_true(status == QUIRE_OK || m->tp->nr_writes == 1);
	}
	assert_int_equal(status, QUIRE_OK);
	assert_int_equal(m->tp->nr_writes, 2);
	model_delete(m);
}

/* A fork: what was there is read by both copies and written by neither. */
static void sealed_areas_are_read_and_not_written(void **state)
{
	struct model *m = model_new(4096, true, 1);

	(void)state;
	put_raw(m, 8 * 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	qr_swap_seal(&m->swap);
	m->tp->areas[0].is_shared = true;

	/* A whole extent dies: the other copy still reads it, so it is not written. */
	for (uint32_t i = 0; i < 8; i++)
		model_drop(m, 7 - i);
	model_validate(m);
	put_raw(m, 8 * 3 * ROUND / 2);
	for (uint32_t i = 0; i < 3 * ROUND / 2; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(m->tp->nr_opens, 2);
	assert_int_equal(m->swap.areas[0].nr_used, 3);
	assert_true(m->tp->nr_sole >= 1 && m->tp->nr_sole <= 2);
	model_check_all(m);

	/* The other copy ends: the area is taken up again within a round. */
	m->tp->areas[0].is_shared = false;
	put_raw(m, 8 * ROUND);
	for (uint32_t i = 0; i < ROUND; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_true(m->swap.areas[0].nr_used > 3);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

/* A device of 2^40 extents costs no more than what is used of it. */
static void a_vast_device_costs_nothing(void **state)
{
	struct model *m = model_new(1024, true, 1);
	uint64_t before;

	(void)state;
	m->tp->nr_extents = (uint64_t)1 << 40;
	put_raw(m, 8 * 10);
	before = m->tp->stats.frames_table;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	assert_int_equal(m->tp->stats.frames_table, before + 2);
	model_check_all(m);
	model_delete(m);
}

static void an_impossible_length_is_refused(void **state)
{
	struct qr_swap_place place = {.bytes = 1638, .on_device = true};
	unsigned char raw[1638] = {0};
	uint32_t bytes = 0;

	(void)state;
	assert_null(qr_swap_object(&place, raw, &bytes));
	memset(raw, 0xff, 2);
	assert_null(qr_swap_object(&place, raw, &bytes));
	raw[0] = 1637 & 0xff;
	raw[1] = 1637 >> 8;
	assert_null(qr_swap_object(&place, raw, &bytes));
	raw[0] = 1636 & 0xff;
	raw[1] = 1636 >> 8;
	assert_ptr_equal(qr_swap_object(&place, raw, &bytes), raw + 2);
	assert_int_equal(bytes, 1636);
}

static void destroy_gives_all_back(void **state)
{
	struct model *m = model_new(2048, true, 3);

	(void)state;
	put_many(m, 1000);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(qr_swap_spill(&m->swap, 1), QUIRE_OK);
	qr_swap_destroy(&m->swap);
	m->nr = 0;
	for (uint32_t i = 0; i < TESTPORT_AREAS; i++)
		m->tp->areas[i].is_open = false;
	model_delete(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_can_be_spilled),
		cmocka_unit_test(several_go_in_one_transfer),
		cmocka_unit_test(one_finds_room_that_several_do_not),
		cmocka_unit_test(several_that_fail_stay_in_ram),
		cmocka_unit_test(no_device_no_spill),
		cmocka_unit_test(raw_pages_go_first_and_the_oldest_of_them),
		cmocka_unit_test(an_extent_is_written_whole),
		cmocka_unit_test(random_traffic_in_little_memory),
		cmocka_unit_test(freed_extents_are_used_again),
		cmocka_unit_test(any_transfer_may_fail),
		cmocka_unit_test(every_frame_may_be_the_one_that_is_missing),
		cmocka_unit_test(any_allocation_may_fail),
		cmocka_unit_test(pages_may_die_on_their_way),
		cmocka_unit_test(a_full_area_makes_way_for_the_next),
		cmocka_unit_test(when_no_more_areas_are_to_be_had_nothing_is_lost),
		cmocka_unit_test(a_device_with_no_space_is_asked_again_later),
		cmocka_unit_test(sealed_areas_are_read_and_not_written),
		cmocka_unit_test(a_vast_device_costs_nothing),
		cmocka_unit_test(an_impossible_length_is_refused),
		cmocka_unit_test(destroy_gives_all_back),
	};

	return cmocka_run_group_tests_name("spill", tests, NULL, NULL);
}
