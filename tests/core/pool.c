/* SPDX-License-Identifier: MIT */
/* pool.c - records named by number, against an array that remembers each. */
#include "core/objects/pool.h"

#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES  512u
#define NR_RECORDS 20000u

struct fixture {
	struct testport *tp;
	struct quire_zone zone;
	struct quire_pool pool;
	uint32_t numbers[NR_RECORDS];
	uint32_t nr, free_at_start;
};

static void setup(struct fixture *f, uint32_t nr_frames, uint32_t bytes)
{
	memset(f, 0, sizeof(*f));
	f->tp = testport_new(nr_frames, QUIRE_PORT_COPIES);
	qr_zone_init(&f->zone, &f->tp->port, &f->tp->stats,
		     qr_zone_table_frames(nr_frames));
	qr_pool_init(&f->pool, &f->zone, bytes);
	f->free_at_start = qr_zone_free_frames(&f->zone);
}

static void validate(struct fixture *f)
{
	assert_null(qr_pool_validate(&f->pool));
	assert_null(qr_zone_validate(&f->zone));
}

static bool take(struct fixture *f)
{
	uint32_t number = qr_pool_alloc(&f->pool, QUIRE_ALLOC_RESERVE);
	unsigned char *record;

	if (number == 0)
		return false;
	record = qr_pool_at(&f->pool, number);
	for (uint32_t i = 0; i < f->pool.bytes; i++)
		assert_int_equal(record[i], 0);
	memset(record, (int)(number % 251 + 1), f->pool.bytes);
	f->numbers[f->nr++] = number;
	return true;
}

static void give(struct fixture *f, uint32_t i)
{
	uint32_t number = f->numbers[i];
	const unsigned char *record = qr_pool_at(&f->pool, number);

	for (uint32_t k = 0; k < f->pool.bytes; k++)
		assert_int_equal(record[k], number % 251 + 1);
	f->numbers[i] = f->numbers[--f->nr];
	qr_pool_free(&f->pool, number);
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* qr_pool_next() gives exactly the numbers in use, in order. */
static void check_walk(struct fixture *f)
{
	uint32_t number = 0;

	qsort(f->numbers, f->nr, sizeof(f->numbers[0]), compare);
	for (uint32_t i = 0; i < f->nr; i++) {
		number = qr_pool_next(&f->pool, number);
		assert_int_equal(number, f->numbers[i]);
	}
	assert_int_equal(qr_pool_next(&f->pool, number), 0);
}

static void teardown(struct fixture *f)
{
	while (f->nr > 0)
		give(f, f->nr - 1);
	validate(f);
	assert_int_equal(qr_zone_free_frames(&f->zone), f->free_at_start);
	testport_delete(f->tp);
}

static void records_keep_their_bytes(void **state)
{
	uint64_t seed = testport_seed();

	(void)state;
	for (uint32_t bytes = 4; bytes <= 256;
	     bytes = bytes < 16 ? bytes + 4 : bytes * 2) {
		struct fixture f;

		setup(&f, NR_FRAMES, bytes);
		for (uint32_t i = 0; i < 20000; i++) {
			uint64_t r = testport_random(&seed);
			bool grows = (i / 4000) % 2 == 0 ? (r & 7) != 0 : (r & 3) == 0;

			if (grows || f.nr == 0)
				take(&f);
			else
				give(&f, (uint32_t)(r >> 8) % f.nr);
			if (i % 1000 == 0) {
				validate(&f);
				check_walk(&f);
			}
		}
		teardown(&f);
	}
}

static void addresses_do_not_change(void **state)
{
	struct fixture f;
	const void *first;

	(void)state;
	setup(&f, NR_FRAMES, 64);
	assert_true(take(&f));
	first = qr_pool_at(&f.pool, f.numbers[0]);
	for (uint32_t i = 0; i < 5000; i++)
		assert_true(take(&f));
	assert_ptr_equal(first, qr_pool_at(&f.pool, f.numbers[0]));
	teardown(&f);
}

/* Each frame that could be missing is: 0, 1, 2, ... are there. */
static void running_out_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t nr = 1; nr < 16; nr++) {
		struct fixture f;
		uint32_t nr_free;

		setup(&f, nr, 256);
		while (take(&f))
			;
		validate(&f);
		nr_free = qr_zone_free_frames(&f.zone);
		assert_false(take(&f));
		assert_int_equal(qr_zone_free_frames(&f.zone), nr_free);
		/* A directory, and leaves: one frame alone is of no use. */
		assert_int_equal(f.nr > 0, f.free_at_start >= 2);
		teardown(&f);
	}
}

static void lowest_number_of_a_leaf_comes_first(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, NR_FRAMES, 128);
	for (uint32_t i = 0; i < 20; i++)
		assert_true(take(&f));
	assert_int_equal(f.numbers[0], 1);
	qr_pool_free(&f.pool, 7);
	qr_pool_free(&f.pool, 3);
	assert_int_equal(qr_pool_alloc(&f.pool, 0), 3);
	assert_int_equal(qr_pool_alloc(&f.pool, 0), 7);
	memset(qr_pool_at(&f.pool, 3), 4, 128);
	memset(qr_pool_at(&f.pool, 7), 8, 128);
	teardown(&f);
}

static void destroy_gives_all_back(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, NR_FRAMES, 8);
	for (uint32_t i = 0; i < 3000; i++)
		assert_true(take(&f));
	for (uint32_t i = 0; i < 600; i++)
		give(&f, 600);
	qr_pool_destroy(&f.pool);
	f.nr = 0;
	teardown(&f);
}

static void free_twice(void *arg)
{
	struct fixture *f = arg;

	qr_pool_free(&f->pool, f->numbers[1]);
	qr_pool_free(&f->pool, f->numbers[1]);
}

static void use_after_free(void *arg)
{
	struct fixture *f = arg;

	qr_pool_at(&f->pool, f->numbers[1]);
}

static void misuse_is_caught(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, NR_FRAMES, 8);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(take(&f));
	assert_true(testport_dies(free_twice, &f));
	assert_true(testport_dies(use_after_free, &f));
	f.numbers[1] = f.numbers[2];
	f.nr = 2;
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_keep_their_bytes),
		cmocka_unit_test(addresses_do_not_change),
		cmocka_unit_test(running_out_changes_nothing),
		cmocka_unit_test(lowest_number_of_a_leaf_comes_first),
		cmocka_unit_test(destroy_gives_all_back),
		cmocka_unit_test(misuse_is_caught),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
