/* SPDX-License-Identifier: MIT */
/* threads_test.c - several CPUs drive one machine at a time.
 *
 * Each has a slice of the window for itself, where it does whatever a driver does; all
 * write to one area that they have in common, each to bytes of its own, so that a page
 * that is taken away between two writers shows.
 */
#include "tests/model/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#define COMMON_PAGES 256u
#define THREADS_MAX  4u
#define STEPS	     250u
#define TOUCHES	     24u

struct worker {
	struct driver driver;
	struct source source;
	struct rig *rig;
	quire_vaddr common;
	uint32_t cpu, nr_cpus;
	unsigned char mine[COMMON_PAGES][64]; /* what it wrote to the common pages */
	pthread_t thread;
};

static const struct rig_config rows[] = {
	{.copies = true, .swap = QUIRE_SWAP_FILE, .lanes = 2, .disk = 4096},
	{.copies = true, .swap = QUIRE_SWAP_FILE, .lanes = 4, .store = 64, .disk = 4096},
	{.copies = true, .swap = QUIRE_SWAP_RAM, .lanes = 2, .disk = 1},
	{.copies = true, .swap = QUIRE_SWAP_FILE, .lanes = 2, .daemon = 1, .disk = 4096},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .lanes = 2, .disk = 4096},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .lanes = 4, .store = 64, .disk = 4096},
	{.copies = false,
	 .swap = QUIRE_SWAP_FILE,
	 .lanes = 3,
	 .daemon = 1,
	 .store = 64,
	 .disk = 4096},
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* The address of the worker's byte slot in a common page. */
static quire_vaddr place(const struct worker *w, uint32_t page, uint32_t slot)
{
	return (quire_vaddr){w->common.a + page * QUIRE_PAGE_BYTES +
			     slot * (QUIRE_PAGE_BYTES / 64) + w->cpu};
}

static bool was_done(const struct worker *w, enum quire_status status)
{
	if (status == QUIRE_NO_MEMORY && driver_may_lack(&w->driver))
		return false;
	if (status != QUIRE_OK)
		rig_fail(w->rig, "a common page: status %d", (int)status);
	return true;
}

static void touch_common(struct worker *w)
{
	uint32_t page = source_below(&w->source, COMMON_PAGES);
	uint32_t slot = source_below(&w->source, 64);
	unsigned char seen, new = (unsigned char)source_below(&w->source, 256);
	size_t done;
	quire_vaddr va = place(w, page, slot);

	if (!was_done(w, ground_load(w->rig->ground, w->cpu, va, &seen, 1)))
		return;
	if (seen != w->mine[page][slot])
		rig_fail(w->rig, "common page %u, CPU %u: a write was lost: %#x for %#x",
			 page, w->cpu, seen, w->mine[page][slot]);
	if (was_done(w, ground_store(w->rig->ground, w->cpu, va, &new, 1, &done)))
		w->mine[page][slot] = new;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->rig->config.steps; i++) {
		driver_run(&w->driver, 1);
		for (uint32_t k = 0; k < TOUCHES; k++)
			touch_common(w);
	}
	return NULL;
}

static void map_common(struct rig *rig, quire_vaddr at)
{
	quire_vaddr out;

	if (quire_mmap(rig->q, at, COMMON_PAGES * QUIRE_PAGE_BYTES,
		       QUIRE_READ | QUIRE_WRITE, QUIRE_MAP_NOREPLACE, 0,
		       &out) != QUIRE_OK)
		rig_fail(rig, "the common area cannot be made");
}

static void *write_back(void *arg)
{
	struct rig *rig = arg;

	while (quire_write_back(rig->q))
		continue;
	return NULL;
}

static void *page_out(void *arg)
{
	struct rig *rig = arg;

	while (quire_page_out(rig->q))
		continue;
	return NULL;
}

static void run_one(const struct rig_config *config)
{
	bool has_writer = rig_has_writer(config);
	pthread_t writer, daemon;
	static struct worker workers[THREADS_MAX];
	uint32_t share, first;
	quire_vaddr common;
	struct rig rig;

	assert_true(rig_open(&rig, config));
	memset(workers, 0, sizeof(workers));
	first = rig.brk_pages + COMMON_PAGES;
	share = (rig.nr_pages - first) / config->lanes;
	common = (quire_vaddr){rig.base + (uint64_t)rig.brk_pages * QUIRE_PAGE_BYTES};
	map_common(&rig, common);
	if (has_writer)
		assert_int_equal(pthread_create(&writer, NULL, write_back, &rig), 0);
	if (config->daemon != 0)
		assert_int_equal(pthread_create(&daemon, NULL, page_out, &rig), 0);
	for (uint32_t i = 0; i < config->lanes; i++) {
		struct worker *w = &workers[i];

		w->rig = &rig;
		w->cpu = i;
		w->nr_cpus = config->lanes;
		w->common = common;
		w->source = source_seed(config->seed * 1000 + i);
		driver_init(&w->driver, &rig, &w->source, i,
			    (struct driver_range){first + i * share, share});
		assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
	}
	for (uint32_t i = 0; i < config->lanes; i++)
		pthread_join(workers[i].thread, NULL);
	if (has_writer) {
		quire_stop_writing(rig.q);
		pthread_join(writer, NULL);
	}
	if (config->daemon != 0) {
		quire_stop_paging_out(rig.q);
		pthread_join(daemon, NULL);
	}
	rig_validate(&rig);
	for (uint32_t i = 0; i < config->lanes; i++)
		driver_finish(&workers[i].driver);
	assert_int_equal(quire_munmap(rig.q, common, COMMON_PAGES * QUIRE_PAGE_BYTES),
			 QUIRE_OK);
	rig_close(&rig);
}

static void run_row(void **state)
{
	const struct ground_suite *suite = ground_suite();
	const char *seeds = getenv("QUIRE_SEEDS");
	uint64_t nr = seeds == NULL ? suite->nr_seeds_shared : strtoull(seeds, NULL, 10);

	for (uint64_t seed = 1; seed <= nr; seed++) {
		struct rig_config config = *(const struct rig_config *)*state;

		config.seed = seed;
		config.kind = (uint32_t)(seed % suite->nr_kinds);
		config.steps = STEPS;
		config.fail = RIG_NONE;
		run_one(&config);
	}
}

static bool is_wanted(const struct rig_config *row, const char *ground)
{
	return ground_takes(row) &&
	       (ground == NULL || row->copies == (strcmp(ground, "copies") == 0));
}

/* An argument is the ground to stay on, "copies" or "plain", or a replay id. */
int main(int argc, char **argv)
{
	static struct CMUnitTest tests[NR_ROWS];
	static struct rig_config copy[NR_ROWS];
	static char names[NR_ROWS][64];
	const char *text = rig_replay(argc, argv), *ground = NULL;
	struct rig_config config;
	uint32_t nr = 0;

	if (rig_skips())
		return 77;
	if (text != NULL && strchr(text, ':') == NULL) {
		ground = text;
		text = NULL;
	}
	if (text != NULL) {
		if (!rig_parse(text, &config) || config.lanes > THREADS_MAX) {
			fprintf(stderr, "not a replay id: %s\n", text);
			return 2;
		}
		run_one(&config);
		return 0;
	}
	for (uint32_t i = 0; i < NR_ROWS; i++) {
		if (!is_wanted(&rows[i], ground))
			continue;
		copy[i] = rows[i];
		snprintf(names[i], sizeof(names[i]),
			 "%s, %u threads%s, swap %s, store %u",
			 rows[i].copies ? "copies" : "plain", rows[i].lanes,
			 rows[i].daemon != 0 ? " and a daemon" : "",
			 rows[i].swap == QUIRE_SWAP_FILE ? "file" : "ram", rows[i].store);
		tests[nr++] = (struct CMUnitTest){
			.name = names[i],
			.test_func = run_row,
			.initial_state = &copy[i],
		};
	}
	return _cmocka_run_group_tests("threads", tests, nr, NULL, NULL);
}
