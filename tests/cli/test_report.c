/* SPDX-License-Identifier: MIT */
/* test_report.c - the account of a run: its sums over a tree, and JSON there and back. */
#include "cli/report_file.h"
#include "cli/report_json.h"
#include "cli/tree.h"
#include "tests/cli/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void number_figures(struct quire_stats *stats, uint64_t from)
{
	for (const struct qr_figure *f = qr_figures; f->name; f++)
		qr_figure_set(stats, f, from++);
}

/* A figure that the account has and the table has not would be missing everywhere. */
static void every_figure_is_in_the_table(void **state)
{
	struct quire_stats stats;
	uint64_t words[sizeof(stats) / sizeof(uint64_t)];
	size_t nr = 0;

	(void)state;
	while (qr_figures[nr].name)
		nr++;
	assert_int_equal(nr, sizeof(words) / sizeof(words[0]));
	memset(&stats, 0xff, sizeof(stats));
	number_figures(&stats, 0);
	memcpy(words, &stats, sizeof(words));
	for (size_t i = 0; i < nr; i++)
		assert_true(words[i] < nr);
}

static void sums_over_a_tree(void **state)
{
	const struct quire_stats one = {.nr_frames = 100,
					.frames_free = 40,
					.frames_mapped = 50,
					.peak_mapped = 70,
					.faults = 7,
					.peak_used = 65};
	struct quire_stats sum = {0};

	(void)state;
	qr_figures_add(&sum, &one, true);
	qr_figures_add(&sum, &one, true);
	qr_figures_add(&sum, &one, false);
	assert_int_equal(sum.nr_frames, 200);
	assert_int_equal(sum.frames_mapped, 100);
	assert_int_equal(sum.faults, 21);
	assert_int_equal(sum.peak_mapped, 0);
	qr_figures_peak(&sum);
	assert_int_equal(sum.peak_mapped, 100);
	assert_int_equal(sum.peak_used, 120);
	qr_figures_raise(&sum, &one);
	assert_int_equal(sum.peak_mapped, 100);
}

static void process_make(struct qr_process *p, uint64_t from)
{
	*p = (struct qr_process){.pid = (int64_t)from,
				 .parent = 1,
				 .features = QUIRE_END_OOM,
				 .end = QUIRE_END_CORRUPT,
				 .started_ns = from + 1,
				 .startup_ns = from + 2,
				 .foreign_bytes = from + 3,
				 .peak = {from + 4, from + 5, from + 6},
				 .peak_outside = from + 7,
				 .running = from & 1,
				 .name = "a \"b\"",
				 .text = "page lost"};
	p->heap = (struct quire_heap_stats){.nr_blocks = from,
					    .asked_bytes = from + 1,
					    .held_bytes = from + 2,
					    .resident_bytes = from + 3};
	number_figures(&p->stats, from + 8);
}

static void report_make(struct qr_report *r)
{
	*r = (struct qr_report){.command = "x y",
				.status = 125,
				.ns = 1,
				.ram_bytes = 2,
				.store_bytes = 3,
				.swap_bytes = 4,
				.swap = "file",
				.swap_path = "/tmp",
				.nr_refused = 5,
				.nr_processes = 3,
				.has_main = true};
	process_make(&r->main, 1000);
	number_figures(&r->total, 2000);
	r->others = calloc(2, sizeof(*r->others));
	assert_non_null(r->others);
	process_make(&r->others[0], 3001);
	process_make(&r->others[1], 4000);
	r->nr_others = 2;
}

/* The whole file, from the writer of reports. */
static json_t *report_write(const struct qr_report *report, size_t nr_samples)
{
	char path[] = "/tmp/quire-report-XXXXXX";
	struct qr_report_file file;
	struct qr_sample row = {.ns = 9, .nr_live = 2, .resident = {1, 2, 3}};
	json_error_t error;
	json_t *json;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	number_figures(&row.stats, 5000);
	assert_int_equal(qr_report_file_open(&file, path), 0);
	for (size_t i = 0; i < nr_samples; i++)
		qr_report_file_sample(&file, &row);
	assert_int_equal(qr_report_file_commit(&file, report), 0);
	json = json_load_file(path, 0, &error);
	assert_non_null(json);
	assert_int_equal(unlink(path), 0);
	return json;
}

static void expect_same_text(const struct qr_report *a, const struct qr_report *b)
{
	char *texts[2] = {NULL, NULL};
	size_t bytes[2];
	const struct qr_report *both[2] = {a, b};

	for (int i = 0; i < 2; i++) {
		FILE *to = open_memstream(&texts[i], &bytes[i]);

		assert_non_null(to);
		qr_report_print(to, both[i]);
		(void)fclose(to);
	}
	assert_string_equal(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}

static void json_comes_back(void **state)
{
	struct qr_report report, read;
	json_t *json;

	(void)state;
	report_make(&report);
	json = report_write(&report, 3);
	assert_null(qr_report_from_json(json, &read));
	expect_same_text(&report, &read);
	assert_memory_equal(&read.main, &report.main, sizeof(read.main));
	assert_memory_equal(&read.total, &report.total, sizeof(read.total));
	assert_int_equal(read.nr_others, 2);
	assert_memory_equal(read.others, report.others, 2 * sizeof(*read.others));
	assert_int_equal(read.nr_samples, 3);
	assert_int_equal(read.samples[2].resident.shmem, 3);
	assert_true(read.samples[2].stats.faults >= 5000);
	json_decref(json);
	qr_report_free(&read);
	qr_report_free(&report);
}

/* Whatever key is taken out or made something else, it is said, and nothing leaks. */
static void json_with_a_key_missing(void **state)
{
	struct qr_report report, read;
	json_t *whole;
	const char *key;
	json_t *value;

	(void)state;
	report_make(&report);
	whole = report_write(&report, 1);
	json_object_foreach(whole, key, value)
	{
		json_t *less = json_copy(whole);

		(void)json_object_del(less, key);
		/* A program that never ran on Quire has no account. */
		if (strcmp(key, "main") == 0)
			assert_null(qr_report_from_json(less, &read));
		else
			assert_string_equal(qr_report_from_json(less, &read), key);
		qr_report_free(&read);
		(void)json_object_set_new(less, key, json_true());
		assert_non_null(qr_report_from_json(less, &read));
		qr_report_free(&read);
		json_decref(less);
	}
	json_decref(whole);
	qr_report_free(&report);
}

/* A name that is no UTF-8 must not cost the report. */
static void json_of_strange_names(void **state)
{
	struct qr_report report, read;
	json_t *json;

	(void)state;
	report_make(&report);
	memcpy(report.main.name, "a\xff", 3);
	json = report_write(&report, 0);
	assert_null(qr_report_from_json(json, &read));
	assert_string_equal(read.main.name, "a?");
	json_decref(json);
	qr_report_free(&read);
	qr_report_free(&report);
}

static void seat_take(struct qr_tree *tree, size_t i, pid_t pid, uint64_t started)
{
	struct quire_seat *seat = &tree->segment->seats[i];

	seat->pid = pid;
	seat->started_ns = tree->start_ns + started;
	seat->stats.faults = 10;
	seat->stats.nr_frames = 100;
	seat->stats.frames_free = 25;
	/* As hostile as a program can be. */
	memset(seat->name, 'x', sizeof(seat->name));
	memset(seat->text, 'y', sizeof(seat->text));
	atomic_store(&seat->state, QUIRE_SEAT_LIVE);
}

static void tree_folds_what_ended(void **state)
{
	struct qr_tree *tree = calloc(1, sizeof(*tree));
	struct qr_report report = {0};
	pid_t gone = fork();

	(void)state;
	if (gone == 0)
		_exit(0);
	assert_non_null(tree);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	assert_true(qr_tree_open(tree));
	tree->main = getpid();
	tree->detailed = true;
	seat_take(tree, 0, getpid(), 5);	/* superseded by the one at 9 */
	seat_take(tree, 9, getpid(), 6);	/* lives */
	seat_take(tree, 500, gone, 7);		/* its process is gone */
	seat_take(tree, QUIRE_SEATS - 1, 0, 8); /* not yet told whose it is */
	qr_tree_look(tree);
	assert_int_equal(tree->now.nr_live, 1);
	assert_int_equal(tree->now.stats.faults, 30);
	assert_int_equal(tree->now.stats.nr_frames, 100);
	assert_int_equal(tree->now.stats.peak_used, 75);
	assert_true(tree->now.resident.anon > 0);
	assert_int_equal(tree->segment->seats[0].state, QUIRE_SEAT_FREE);
	assert_int_equal(tree->segment->seats[500].pid, 0);
	assert_int_equal(tree->segment->seats[9].state, QUIRE_SEAT_LIVE);

	qr_tree_finish(tree, &report);
	assert_true(report.has_main && report.main.running);
	assert_int_equal(report.main.started_ns, 6);
	assert_int_equal(report.nr_processes, 3);
	assert_int_equal(report.nr_others, 2);
	assert_int_equal(report.total.faults, 30);
	assert_int_equal(strlen(report.main.name), sizeof(report.main.name) - 1);
	qr_report_free(&report);
	qr_tree_close(tree);
	free(tree);
}

static void resident_of_a_process(void **state)
{
	struct qr_resident resident;
	pid_t child = fork();
	siginfo_t info;

	(void)state;
	if (child == 0)
		_exit(0);
	assert_true(qr_resident_read("", getpid(), &resident));
	assert_true(resident.anon > 4096 && resident.file > 4096);
	/* Ended and not waited for: a zombie. */
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_false(qr_resident_read("", child, &resident));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(qr_resident_read("", child, &resident));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_figure_is_in_the_table, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(sums_over_a_tree, held_note, held_check),
		cmocka_unit_test_setup_teardown(json_comes_back, held_note, held_check),
		cmocka_unit_test_setup_teardown(json_with_a_key_missing, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(json_of_strange_names, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(tree_folds_what_ended, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(resident_of_a_process, held_note,
						held_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
