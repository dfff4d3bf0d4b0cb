/* SPDX-License-Identifier: MIT */
/* frames_sim.c - the buddy systems waste what the literature says that they do. */
#include "cli/sim.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct qr_sim_row rows[QR_SIM_ROWS_MAX];
static uint32_t nr_rows;

static int compute(void **state)
{
	(void)state;
	nr_rows = qr_sim_buddy_rows(testport_seed(), rows);
	return nr_rows > 0 ? 0 : -1;
}

/* Checks the rows whose text starts so; there are nr of them. */
static void check(const char *what, uint32_t nr)
{
	for (uint32_t i = 0; i < nr_rows; i++) {
		const struct qr_sim_row *row = &rows[i];

		if (strncmp(row->what, what, strlen(what)) != 0)
			continue;
		nr--;
		if (!qr_sim_row_agrees(row))
			fail_msg("%s, %s: published %g, here %g", row->what, row->of,
				 row->paper, row->here);
	}
	assert_int_equal(nr, 0);
}

static void exact_waste_to_the_last_digit(void **state)
{
	(void)state;
	check("waste, sizes", 16);
}

static void overallocation_is_bounded(void **state)
{
	(void)state;
	check("overallocation", 4);
	check("36 KiB", 1);
}

static void pairs_are_asked_for_as_seldom_as_predicted(void **state)
{
	(void)state;
	check("time between pairs", 1);
}

static void fragmentation_in_the_long_run(void **state)
{
	(void)state;
	check("uniform", 12);
	check("exponential", 12);
}

static void which_system_wastes_less(void **state)
{
	(void)state;
	check("binary below weighted", 1);
	check("weighted below binary", 1);
}

static void a_row_can_differ(void **state)
{
	struct qr_sim_row row = {.paper = 1, .here = 1.011, .tolerance = 0.01};

	(void)state;
	assert_false(qr_sim_row_agrees(&row));
	row.here = 1.009;
	assert_true(qr_sim_row_agrees(&row));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_waste_to_the_last_digit),
		cmocka_unit_test(overallocation_is_bounded),
		cmocka_unit_test(pairs_are_asked_for_as_seldom_as_predicted),
		cmocka_unit_test(fragmentation_in_the_long_run),
		cmocka_unit_test(which_system_wastes_less),
		cmocka_unit_test(a_row_can_differ),
	};

	return cmocka_run_group_tests_name("sim", tests, compute, NULL);
}
