/* SPDX-License-Identifier: MIT */
/* model_test.c - random sequences on every kind of machine, against the flat model.
 *
 * One test a row of the table; each runs a few seeds.  More: QUIRE_SEEDS=n runs n of
 * each, from the seed QUIRE_SEED_FIRST on.
 */
#include "tests/model/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEPS 1500u
/* Where memory runs out each fault looks through all of it first. */
#define STEPS_SHORT 400u

#define ROWS_MAX 32u

/* What the runs of a row came to, together: a sequence that never evicts checks little. */
static struct quire_stats seen;
static uint64_t seen_failures;

static void add_up(const struct quire_stats *stats)
{
	seen.pages_out += stats->pages_out;
	seen.pages_in += stats->pages_in;
	seen.faults_protect += stats->faults_protect;
	seen.clean_drops += stats->clean_drops;
	seen.extents_out += stats->extents_out;
	seen.extents_in += stats->extents_in;
}

static void run_one(const struct rig_config *config)
{
	struct source source = source_seed(config->seed);
	struct driver driver;
	struct rig rig;

	assert_true(rig_open(&rig, config));
	rig_arm(&rig);
	driver_init_alone(&driver, &rig, &source);
	driver_run(&driver, config->steps);
	seen_failures += rig_failures(&rig);
	driver_finish(&driver);
	rig_close(&rig);
	add_up(&rig.stats);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static bool has_room(const struct rig_config *config)
{
	return config->swap == QUIRE_SWAP_FILE && config->room == 0 &&
	       config->disk > 1024;
}

/* Of the seeds by default: others may happen to lock most of the memory. */
static void check_seen(const struct rig_config *row, const struct quire_stats *sum)
{
	assert_true(seen_failures > 0 || row->nth == 0);
	if (!has_room(row))
		return;
	assert_true(sum->pages_out > 1000);
	assert_true(sum->pages_in > 1000);
	/* What else pays is a question of time. */
	if (ground_is_timed())
		return;
	assert_true(sum->faults_protect > 0);
	assert_true(sum->clean_drops > 0);
	assert_true(sum->extents_out > 0 && sum->extents_in > 0);
}

static void run_row(void **state)
{
	uint64_t first = setting("QUIRE_SEED_FIRST", 1);
	uint64_t nr = setting("QUIRE_SEEDS", ground_suite()->nr_seeds);

	seen = (struct quire_stats){0};
	seen_failures = 0;
	for (uint64_t seed = first; seed < first + nr; seed++) {
		struct rig_config config = *(const struct rig_config *)*state;

		config.seed = seed;
		if (config.steps == 0)
			config.steps = has_room(&config) ? STEPS : STEPS_SHORT;
		config.lanes = 1;
		if (config.nth == 0)
			config.fail = RIG_NONE;
		if (config.disk == 0)
			config.disk = 1;
		/* A disk that is smaller than what is put on it is full, as one with less
		 * room than it says. */
		if (config.disk < 1024 && config.room == 0)
			config.room = config.disk;
		run_one(&config);
	}
	if (first == 1 && nr >= ground_suite()->nr_seeds)
		check_seen((const struct rig_config *)*state, &seen);
}

static int replay(const char *text)
{
	struct rig_config config;

	if (!rig_parse(text, &config)) {
		fprintf(stderr, "not a replay id: %s\n", text);
		return 2;
	}
	run_one(&config);
	return 0;
}

static void name_row(const struct rig_config *row, char *name, size_t bytes)
{
	static const char *const swaps[] = {"none", "ram", "file"};
	int nr = snprintf(name, bytes,
			  "%s, swap %s, %u frames, store %u, disk %u, room %u",
			  ground_name(row), swaps[row->swap], row->frames, row->store,
			  row->disk, row->room);

	if (row->nth != 0)
		snprintf(name + nr, bytes - (size_t)nr, ", failing %s",
			 rig_site_name(row->fail));
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[ROWS_MAX];
	static char names[ROWS_MAX][96];
	static struct rig_config copy[ROWS_MAX];
	const struct ground_suite *suite = ground_suite();
	const char *text = rig_replay(argc, argv);

	if (rig_skips())
		return 77;
	if (text != NULL)
		return replay(text);
	if (suite->nr_rows > ROWS_MAX)
		return 1;
	for (uint32_t i = 0; i < suite->nr_rows; i++) {
		copy[i] = suite->rows[i];
		name_row(&copy[i], names[i], sizeof(names[i]));
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = run_row,
			.initial_state = &copy[i],
		};
	}
	return _cmocka_run_group_tests(suite->name, tests, suite->nr_rows, NULL, NULL);
}
