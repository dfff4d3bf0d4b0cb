/* SPDX-License-Identifier: MIT */
/* objects_model.c - sequences of steps: at random, every short one, and with the n-th
 * frame refused.
 *
 *     core-objects_model [DEPTH]
 *
 * DEPTH is the length of the sequences of which every one is tried; 6 without, 8 take
 * about a minute.
 */
#include "tests/core/objects_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_FRAMES     256u
#define NR_STEPS      20000u
#define DEPTH_MAX     12u
#define NR_EACH_STEPS 7u

static uint32_t depth = 6;

static const struct objects_driver_config configs[] = {
	{.nr_frames = NR_FRAMES},
	{.nr_frames = NR_FRAMES,
	 .flags = {QUIRE_SLAB_RANDOM, QUIRE_SLAB_ENCODED,
		   QUIRE_SLAB_RANDOM | QUIRE_SLAB_ENCODED},
	 .kmalloc_flags = QUIRE_SLAB_RANDOM | QUIRE_SLAB_ENCODED,
	 .is_dma = true},
	{.nr_frames = 2 * NR_FRAMES,
	 .flags = {QUIRE_SLAB_DEBUG, QUIRE_SLAB_RED_ZONE, QUIRE_SLAB_POISON},
	 .kmalloc_flags = QUIRE_SLAB_DEBUG},
	{.nr_frames = 2 * NR_FRAMES,
	 .flags = {QUIRE_SLAB_STORE_USER, QUIRE_SLAB_CONSISTENCY | QUIRE_SLAB_ENCODED,
		   QUIRE_SLAB_NO_MAGAZINE},
	 .kmalloc_flags = QUIRE_SLAB_NO_MAGAZINE},
};
#define NR_CONFIGS (sizeof(configs) / sizeof(configs[0]))

static void random_steps_agree(void **state)
{
	uint64_t seed = testport_seed();

	(void)state;
	for (size_t i = 0; i < NR_CONFIGS; i++) {
		struct source source = source_seed(testport_random(&seed));
		struct objects_driver driver;

		objects_driver_open(&driver, &configs[i]);
		for (uint32_t step = 0; step < NR_STEPS; step++) {
			objects_driver_step(&driver, &source);
			if (step % 64 == 0)
				objects_rig_validate(&driver.rig);
		}
		/* The machine is small enough to be full at times. */
		assert_true(driver.nr_refused > 0);
		objects_driver_close(&driver);
	}
}

/* Big objects, two to a slab of one frame, so that few steps lead to every kind of
 * slab. */
static void each_step(struct objects_driver *driver, uint32_t step)
{
	switch (step) {
	case 0:
		objects_driver_alloc(driver, 0, 2, 0);
		break;
	case 1: /* the oldest */
		if (driver->nr_held > 0)
			objects_driver_free(driver, 0, 0);
		break;
	case 2: /* the youngest, elsewhere */
		if (driver->nr_held > 0)
			objects_driver_free(driver, 1, driver->nr_held - 1);
		break;
	case 3:
		objects_driver_bulk(driver, 0, 2, 5);
		break;
	case 4:
		objects_driver_free_bulk(driver, 1, 2, 4);
		break;
	case 5:
		quire_kmem_cache_shrink(driver->caches[2], 1);
		break;
	default:
		driver->rig.zone.fail_in = 2;
		break;
	}
}

/* A sequence's number in base NR_EACH_STEPS is its steps. */
static void run_sequence(struct objects_driver *driver, uint64_t number, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		each_step(driver, (uint32_t)(number % NR_EACH_STEPS));
		number /= NR_EACH_STEPS;
	}
	objects_rig_validate(&driver->rig);
	objects_driver_settle(driver);
}

/* Shorter sequences are sequences, too: so each step of each is followed by the walk. */
static void every_short_sequence_agrees(void **state)
{
	static const uint32_t kinds[] = {0, QUIRE_SLAB_NO_MAGAZINE,
					 QUIRE_SLAB_RED_ZONE | QUIRE_SLAB_POISON};

	(void)state;
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		const struct objects_driver_config config = {
			.nr_frames = 128, .flags = {0, 0, kinds[kind]}};
		uint64_t nr_sequences = 1;
		struct objects_driver driver;

		objects_driver_open(&driver, &config);
		for (uint32_t length = 1; length <= depth - (kind > 0); length++) {
			nr_sequences *= NR_EACH_STEPS;
			for (uint64_t number = 0; number < nr_sequences; number++)
				run_sequence(&driver, number, length);
		}
		objects_driver_close(&driver);
	}
}

/* The same two hundred steps, with the first frame refused, the second, ... until no
 * refusal is met any more. */
static void any_frame_may_be_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_CONFIGS; i++) {
		bool is_met = true;

		for (uint64_t nth = 1; is_met; nth++) {
			struct source source = source_seed(9);
			struct objects_driver driver;

			objects_driver_open(&driver, &configs[i]);
			driver.is_fair = true;
			driver.rig.zone.fail_in = nth;
			for (uint32_t step = 0; step < 200; step++)
				objects_driver_step(&driver, &source);
			is_met = driver.rig.zone.fail_in == 0;
			objects_rig_validate(&driver.rig);
			objects_driver_close(&driver);
			assert_true(nth < 10000);
		}
	}
}

/* Opening takes frames, too: with the n-th refused it says so, and has kept none. */
static void opening_may_be_refused(void **state)
{
	bool is_met = true;

	(void)state;
	for (uint64_t nth = 1; is_met; nth++) {
		struct testport *tp = testport_new(NR_FRAMES, 0);
		struct quire_objects *objects;
		struct quire_zone zone;
		uint64_t free_at_start;
		const struct quire_objects_config config = {
			.zone = &zone, .dma_zone = &zone, .nr_cpus = 4};
		enum quire_status status;

		qr_zone_init(&zone, &tp->port, &tp->stats,
			     qr_zone_table_frames(NR_FRAMES));
		free_at_start = qr_zone_free_frames(&zone);
		zone.fail_in = nth;
		status = quire_objects_open(&objects, &config);
		is_met = zone.fail_in == 0;
		if (status == QUIRE_OK)
			assert_int_equal(quire_objects_close(objects, NULL, NULL), 0);
		else
			assert_int_equal(status, QUIRE_NO_MEMORY);
		assert_int_equal(qr_zone_free_frames(&zone), free_at_start);
		assert_null(qr_zone_validate(&zone));
		testport_delete(tp);
		assert_true(nth < 1000);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_agree),
		cmocka_unit_test(every_short_sequence_agrees),
		cmocka_unit_test(any_frame_may_be_refused),
		cmocka_unit_test(opening_may_be_refused),
	};

	if (argc > 1)
		depth = (uint32_t)strtoul(argv[1], NULL, 10);
	if (depth < 2 || depth > DEPTH_MAX)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
