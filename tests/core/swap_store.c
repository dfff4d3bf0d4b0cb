/* SPDX-License-Identifier: MIT */
/* swap_store.c - the compressed store in RAM: what is put comes back, whatever happens
 * to its neighbours. */
#include "core/swap/size_class.h"
#include "tests/core/swap_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void classes_are_close_together(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < qr_class_count(); c++) {
		uint32_t nr = qr_class_objects(c);
		uint32_t bytes = qr_class_bytes(c);

		assert_true(nr * bytes <= QUIRE_EXTENT_BYTES);
		assert_true((nr + 1) * (bytes + 2) > QUIRE_EXTENT_BYTES);
		assert_true(nr <= 1u << QUIRE_OBJECTS_SHIFT);
		assert_int_equal(bytes % 2, 0);
		if (c >= 8 && bytes >= 128)
			assert_true((qr_class_bytes(c - 1) - bytes) * 100 <= bytes * 10);
	}
	assert_int_equal(qr_class_bytes(QUIRE_CLASS_RAW), QUIRE_PAGE_BYTES);
	for (uint32_t bytes = 1; bytes <= QUIRE_PACKED_MAX + 2; bytes++) {
		uint32_t c = qr_class_for(bytes);

		assert_true(qr_class_bytes(c) >= bytes);
		assert_true(c + 1 == qr_class_count() || qr_class_bytes(c + 1) < bytes);
	}
}

static void every_size_comes_back(void **state)
{
	struct model *m = model_new(2048, false, testport_seed());

	(void)state;
	for (uint32_t bytes = 1; bytes <= QUIRE_PACKED_MAX; bytes += bytes < 100 ? 1 : 7)
		assert_int_equal(model_put(m, bytes), QUIRE_OK);
	assert_int_equal(model_put(m, QUIRE_PACKED_MAX), QUIRE_OK);
	assert_int_equal(model_put(m, QUIRE_PAGE_BYTES), QUIRE_OK);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

/* A full class: every object of several zspages, so every way to straddle a frame. */
static void every_place_of_a_zspage_holds(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < qr_class_count(); c++) {
		struct model *m = model_new(256, false, c);
		uint32_t bytes = qr_class_bytes(c);

		if (c != QUIRE_CLASS_RAW)
			bytes -= 2;
		for (uint32_t i = 0; i < 2 * qr_class_objects(c) + 1; i++)
			assert_int_equal(model_put(m, bytes), QUIRE_OK);
		model_check_all(m);
		/* Full ones take nothing but the frames of two extents and a bit. */
		assert_true(m->tp->stats.frames_store <= 2 * QUIRE_EXTENT_FRAMES + 1);
		model_delete(m);
	}
}

static void random_traffic(void **state)
{
	struct model *m = model_new(4096, false, testport_seed());

	(void)state;
	for (uint32_t i = 0; i < 60000; i++) {
		uint64_t r = testport_random(&m->seed);
		bool grows = (i / 6000) % 2 == 0 ? (r & 3) != 0 : (r & 3) == 0;

		if (m->nr == 0 || (grows && m->nr < MODEL_PAGES))
			assert_int_equal(model_put(m, model_random_bytes(m)), QUIRE_OK);
		else if ((r >> 8) % 8 == 0)
			model_dup(m, model_random_index(m));
		else
			model_drop(m, model_random_index(m));
		if (m->nr > 0)
			model_check(m, model_random_index(m));
		if (i % 1000 == 0) {
			model_validate(m);
			model_check_all(m);
		}
	}
	model_delete(m);
}

static void new_pages_fill_the_gaps_made_last(void **state)
{
	struct model *m = model_new(256, false, 1);
	uint32_t c = qr_class_for(1638);
	uint32_t nr = qr_class_objects(c);
	uint32_t first, second;

	(void)state;
	/* Two full zspages; a gap in the first, then one in the second. */
	for (uint32_t i = 0; i < 2 * nr; i++)
		assert_int_equal(model_put(m, 1636), QUIRE_OK);
	model_drop(m, 0);
	first = m->swap.open[c].first;
	model_drop(m, nr + 1);
	second = m->swap.open[c].first;
	assert_int_not_equal(first, second);
	assert_int_equal(m->swap.open[c].last, first);
	assert_int_equal(model_put(m, 1636), QUIRE_OK);
	assert_int_equal(m->swap.open[c].first, first);
	assert_int_equal(model_put(m, 1636), QUIRE_OK);
	assert_int_equal(m->swap.open[c].first, 0);

	/* One that is still being cut comes before any gap. */
	assert_int_equal(model_put(m, 1636), QUIRE_OK);
	second = m->swap.open[c].first;
	model_drop(m, 3);
	assert_int_equal(m->swap.open[c].first, second);
	assert_int_not_equal(m->swap.open[c].last, second);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void an_object_lives_until_its_last_entry(void **state)
{
	struct model *m = model_new(256, false, 1);

	(void)state;
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	for (uint32_t i = 0; i < 1000; i++)
		model_dup(m, 0);
	assert_int_equal(m->pages[0].count, 1001);
	for (uint32_t i = 0; i < 1000; i++) {
		model_drop(m, 0);
		model_check(m, 0);
	}
	model_validate(m);
	model_drop(m, 0);
	assert_int_equal(m->nr, 0);
	model_delete(m);
}

static void a_raw_page_frees_its_frame_at_once(void **state)
{
	struct model *m = model_new(256, false, 1);
	uint64_t before;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(model_put(m, QUIRE_PAGE_BYTES), QUIRE_OK);
	before = m->tp->stats.frames_store;
	assert_int_equal(before, 20);
	assert_int_equal(m->swap.frames_raw, 20);
	model_drop(m, 3);
	assert_int_equal(m->tp->stats.frames_store, 19);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

/* Fills machines of ever more frames until one has room for all: each allocation has
 * then been the first to fail. */
static void every_frame_may_be_the_one_that_is_missing(void **state)
{
	bool failed = true;

	(void)state;
	for (uint32_t nr = 1; failed; nr++) {
		struct model *m = model_new(nr, false, 7);

		failed = false;
		for (uint32_t i = 0; i < 120; i++) {
			if (model_put(m, model_random_bytes(m)) != QUIRE_OK)
				failed = true;
			model_validate(m);
		}
		for (uint32_t i = 0; i < m->nr; i += 3)
			model_dup(m, i);
		model_check_all(m);
		/* What is dropped makes room again. */
		while (m->nr > 4)
			model_drop(m, model_random_index(m));
		model_validate(m);
		model_check_all(m);
		model_delete(m);
	}
}

/* For each k: the k-th allocation fails, and those after it do not. */
static void any_allocation_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (uint64_t k = 1; failed; k++) {
		struct model *m = model_new(1024, false, 11);

		m->zone.fail_in = k;
		for (uint32_t i = 0; i < 150; i++) {
			(void)model_put(m, model_random_bytes(m));
			if (i % 4 == 0 && m->nr > 0)
				model_dup(m, model_random_index(m));
			if (i % 8 == 0)
				model_validate(m);
		}
		failed = m->zone.fail_in == 0;
		model_validate(m);
		model_check_all(m);
		m->zone.fail_in = 0;
		model_delete(m);
	}
}

/* Nine in ten of many pages die at random; compacting gives back most of the frames. */
static void compact_frees_frames(void **state)
{
	struct model *m = model_new(4096, false, testport_seed());
	uint64_t sparse, dense;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++)
		assert_int_equal(model_put(m, 1100 + i % 600), QUIRE_OK);
	for (uint32_t i = 0; i < 10; i++)
		model_dup(m, i);
	while (m->nr > 400)
		model_drop(m, model_random_index(m));
	model_validate(m);
	sparse = m->tp->stats.frames_store;
	while (true) {
		uint64_t before = m->tp->stats.frames_store;
		uint32_t nr = qr_swap_compact(&m->swap, 4);

		model_validate(m);
		assert_int_equal(m->tp->stats.frames_store, before - nr);
		if (nr == 0)
			break;
	}
	model_check_all(m);
	dense = m->tp->stats.frames_store;
	assert_true(dense * 3 < sparse);
	model_delete(m);
}

static void compact_finds_nothing_where_nothing_is(void **state)
{
	struct model *m = model_new(512, false, 1);

	(void)state;
	assert_int_equal(qr_swap_compact(&m->swap, 8), 0);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(model_put(m, QUIRE_PAGE_BYTES), QUIRE_OK);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(model_put(m, 1500), QUIRE_OK);
	assert_int_equal(qr_swap_compact(&m->swap, 8), 0);
	model_drop(m, 1);
	model_drop(m, 60);
	assert_int_equal(qr_swap_compact(&m->swap, 0), 0);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void traffic_with_compaction(void **state)
{
	struct model *m = model_new(4096, false, testport_seed() + 1);

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t r = testport_random(&m->seed);
		bool grows = (i / 3000) % 2 == 0 ? (r & 3) != 0 : (r & 3) == 0;

		if (m->nr == 0 || (grows && m->nr < MODEL_PAGES))
			assert_int_equal(model_put(m, model_random_bytes(m)), QUIRE_OK);
		else
			model_drop(m, model_random_index(m));
		if (i % 100 == 0) {
			qr_swap_compact(&m->swap, (uint32_t)(r >> 8) % 20);
			model_validate(m);
		}
		if (i % 1000 == 0)
			model_check_all(m);
	}
	model_delete(m);
}

static void destroy_gives_all_back(void **state)
{
	struct model *m = model_new(4096, false, 3);

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(model_put(m, model_random_bytes(m)), QUIRE_OK);
	for (uint32_t i = 0; i < 100; i++)
		model_dup(m, i);
	qr_swap_destroy(&m->swap);
	m->nr = 0;
	model_delete(m);
}

static void drop_twice(void *arg)
{
	struct model *m = arg;
	quire_slot slot = m->pages[0].slot;

	qr_swap_drop(&m->swap, slot);
	qr_swap_drop(&m->swap, slot);
}

static void overwrite_length(void *arg)
{
	struct model *m = arg;
	unsigned char buf[QUIRE_PAGE_BYTES];
	struct qr_swap_place place;

	/* The store frames are the only ones in use above the frame table that hold
	 * what was put; its first object's length is at a frame's start. */
	for (uint32_t n = 0; n < m->tp->port.nr_frames; n++)
		if (m->zone.frames[n].use == QUIRE_FRAME_STORE)
			memset(qr_zone_address(&m->zone, (quire_pfn){n}), 0xff, 2);
	qr_swap_get(&m->swap, m->pages[0].slot, buf, &place);
}

static void misuse_and_corruption_stop_the_machine(void **state)
{
	struct model *m = model_new(256, false, 1);

	(void)state;
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	assert_true(testport_dies(overwrite_length, m));
	qr_swap_destroy(&m->swap);
	m->nr = 0;
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	assert_true(testport_dies(drop_twice, m));
	m->pages[0] = m->pages[--m->nr];
	model_delete(m);
}

static void validate_sees_each_invariant_broken(void **state)
{
	struct model *m = model_new(256, false, 1);

	(void)state;
	assert_int_equal(model_put(m, 1000), QUIRE_OK);
	m->tp->stats.stored_bytes++;
	assert_memory_equal(qr_swap_validate(&m->swap), "S4", 2);
	m->tp->stats.stored_bytes--;
	m->tp->stats.swap_extents++;
	assert_memory_equal(qr_swap_validate(&m->swap), "S4", 2);
	m->tp->stats.swap_extents--;
	m->swap.open[qr_class_for(1002)].first = 0;
	assert_memory_equal(qr_swap_validate(&m->swap), "S2", 2);
	m->swap.open[qr_class_for(1002)].first = 1;
	qr_pool_free(&m->swap.slots, m->pages[0].slot.n);
	assert_memory_equal(qr_swap_validate(&m->swap), "S1", 2);
	assert_int_equal(qr_pool_alloc(&m->swap.slots, 0), m->pages[0].slot.n);
	qr_swap_destroy(&m->swap);
	m->nr = 0;
	model_delete(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_close_together),
		cmocka_unit_test(every_size_comes_back),
		cmocka_unit_test(every_place_of_a_zspage_holds),
		cmocka_unit_test(random_traffic),
		cmocka_unit_test(new_pages_fill_the_gaps_made_last),
		cmocka_unit_test(an_object_lives_until_its_last_entry),
		cmocka_unit_test(a_raw_page_frees_its_frame_at_once),
		cmocka_unit_test(every_frame_may_be_the_one_that_is_missing),
		cmocka_unit_test(any_allocation_may_fail),
		cmocka_unit_test(compact_frees_frames),
		cmocka_unit_test(compact_finds_nothing_where_nothing_is),
		cmocka_unit_test(traffic_with_compaction),
		cmocka_unit_test(destroy_gives_all_back),
		cmocka_unit_test(misuse_and_corruption_stop_the_machine),
		cmocka_unit_test(validate_sees_each_invariant_broken),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
