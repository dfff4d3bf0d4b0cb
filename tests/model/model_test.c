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

#define SEEDS 3u
#define STEPS 1500u
/* Where memory runs out each fault looks through all of it first. */
#define STEPS_SHORT 400u

static const struct rig_config rows[] = {
	{.copies = true, .swap = QUIRE_SWAP_FILE, .frames = 0, .disk = 4096},
	{.copies = true,
	 .swap = QUIRE_SWAP_FILE,
	 .frames = 64,
	 .store = 64,
	 .disk = 4096},
	{.copies = true, .swap = QUIRE_SWAP_FILE, .frames = 64, .disk = 4096, .room = 40},
	{.copies = true, .swap = QUIRE_SWAP_RAM, .frames = 32},
	{.copies = true, .swap = QUIRE_SWAP_RAM, .frames = 4000},
	{.copies = true, .swap = QUIRE_SWAP_NONE, .frames = 16},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .frames = 0, .disk = 4096},
	{.copies = false,
	 .swap = QUIRE_SWAP_FILE,
	 .frames = 64,
	 .store = 64,
	 .disk = 4096},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .frames = 64, .disk = 16},
	{.copies = false, .swap = QUIRE_SWAP_RAM, .frames = 32},
	{.copies = false, .swap = QUIRE_SWAP_NONE, .frames = 16},
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* What the runs of a row came to, together: a sequence that never evicts checks little. */
static struct quire_stats seen;

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

static void check_seen(const struct rig_config *row, uint64_t nr_seeds)
{
	struct quire_stats sum = seen;

	seen = (struct quire_stats){0};
	if (!has_room(row) || nr_seeds < SEEDS)
		return;
	assert_true(sum.pages_out > 1000);
	assert_true(sum.pages_in > 1000);
	assert_true(sum.faults_protect > 0);
	assert_true(sum.clean_drops > 0);
	assert_true(sum.extents_out > 0 && sum.extents_in > 0);
}

static void run_row(void **state)
{
	uint64_t first = setting("QUIRE_SEED_FIRST", 1);
	uint64_t nr = setting("QUIRE_SEEDS", SEEDS);

	for (uint64_t seed = first; seed < first + nr; seed++) {
		struct rig_config config = *(const struct rig_config *)*state;

		config.seed = seed;
		config.steps = has_room(&config) ? STEPS : STEPS_SHORT;
		config.lanes = 1;
		config.fail = RIG_NONE;
		if (config.disk == 0)
			config.disk = 1;
		/* A disk that is smaller than what is put on it is full, as one with less
		 * room than it says. */
		if (config.disk < 1024 && config.room == 0)
			config.room = config.disk;
		run_one(&config);
	}
	check_seen((const struct rig_config *)*state, nr);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[NR_ROWS];
	static char names[NR_ROWS][96];
	static struct rig_config copy[NR_ROWS];
	const char *replay = rig_replay(argc, argv);
	struct rig_config config;

	if (replay != NULL) {
		if (!rig_parse(replay, &config)) {
			fprintf(stderr, "not a replay id: %s\n", replay);
			return 2;
		}
		run_one(&config);
		return 0;
	}
	for (uint32_t i = 0; i < NR_ROWS; i++) {
		static const char *const swaps[] = {"none", "ram", "file"};

		copy[i] = rows[i];
		snprintf(names[i], sizeof(names[i]),
			 "%s, swap %s, %u frames, store %u, disk %u, room %u",
			 rows[i].copies ? "copies" : "plain", swaps[rows[i].swap],
			 rows[i].frames, rows[i].store, rows[i].disk, rows[i].room);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = run_row,
			.initial_state = &copy[i],
		};
	}
	return _cmocka_run_group_tests("model", tests, NR_ROWS, NULL, NULL);
}
