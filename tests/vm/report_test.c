/* SPDX-License-Identifier: MIT */
/* report_test.c - reports read as Linux's do, add up, and the OOM killer's choice. */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RW   (QUIRE_READ | QUIRE_WRITE)
#define ROOM 65536u

static char text[ROOM], other[ROOM];

static uint64_t map_at(struct rig *rig, struct quire_mm *mm, uint64_t page,
		       uint64_t pages, uint32_t prot, uint32_t flags)
{
	uint64_t at;

	assert_int_equal(rig_map(rig, mm, RIG_BASE + page * PAGE, pages * PAGE, prot,
				 flags | QUIRE_MM_FIXED, &at),
			 QUIRE_OK);
	return at;
}

/* The sum of a field over a report. */
static uint64_t sum_of(const char *report, const char *field)
{
	uint64_t sum = 0;

	for (const char *at = report; (at = strstr(at, field)) != NULL; at++)
		if (at == report || at[-1] == '\n')
			sum += strtoull(at + strlen(field), NULL, 10);
	return sum;
}

static void maps_read_as_linux_has_them(void **state)
{
	struct quire_mm *mm;
	struct rig rig;
	size_t bytes;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 4096}});
	mm = rig_mm(&rig);
	map_at(&rig, mm, 100, 2, RW, QUIRE_MM_PRIVATE);
	map_at(&rig, mm, 110, 3, QUIRE_READ, QUIRE_MM_SHARED);
	assert_int_equal(rig_unmap(&rig, mm, RIG_BASE + 110 * PAGE, PAGE), QUIRE_OK);
	map_at(&rig, mm, 4000, 1, QUIRE_READ | QUIRE_EXEC,
	       QUIRE_MM_PRIVATE | QUIRE_MM_GROWSDOWN);
	assert_int_equal(rig_brk(&rig, mm, RIG_BASE + PAGE), RIG_BASE + PAGE);
	bytes = quire_report_maps(mm, text, ROOM);
	assert_int_equal(bytes, strlen(text));
	assert_string_equal(
		text,
		"100000000-100001000 rw-p 00000000 00:00 0                                "
		"[heap]\n"
		"100064000-100066000 rw-p 00000000 00:00 0 \n"
		"10006f000-100071000 r--s 00001000 00:01 1                                "
		"/dev/zero (deleted)\n"
		"100fa0000-100fa1000 r-xp 00000000 00:00 0                                "
		"[stack]\n");
	/* Cut off where there is no room, and the length told. */
	assert_int_equal(quire_report_maps(mm, other, 30), bytes);
	assert_int_equal(strlen(other), 29);
	assert_memory_equal(other, text, 29);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void files_in_reports(void **state)
{
	struct qr_soft_store_counts counts;
	struct quire_file_figures file;
	struct quire_mm_figures figures;
	struct quire_mm_area area;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own, value;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 4096}});
	f = rig_file(&rig, 20);
	mm = rig_mm(&rig);
	at = RIG_BASE + 100 * PAGE;
	own = RIG_BASE + 200 * PAGE;
	assert_int_equal(rig_map_at(&rig, mm, f.file, 4 * PAGE, at, 16 * PAGE, RW,
				    QUIRE_MM_SHARED | QUIRE_MM_FIXED, &at),
			 QUIRE_OK);
	assert_int_equal(rig_map_at(&rig, mm, f.file, 0, own, 2 * PAGE, QUIRE_READ,
				    QUIRE_MM_PRIVATE | QUIRE_MM_FIXED, &own),
			 QUIRE_OK);
	quire_report_maps(mm, text, ROOM);
	assert_string_equal(
		text,
		"100064000-100074000 rw-s 00004000 08:01 1                                "
		"/data/file\n"
		"1000c8000-1000ca000 r--p 00000000 08:01 1                                "
		"/data/file\n");
	assert_true(quire_mm_area_next(mm, 0, &area));
	assert_string_equal(area.file, "/data/file");
	assert_int_equal(area.offset, 4 * PAGE);
	assert_int_equal(rig_load(&rig, mm, at, &value), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, at + PAGE, &value), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, at + 2 * PAGE, 1), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, own, &value), QUIRE_OK);
	quire_mm_figures(mm, &figures);
	assert_int_equal(figures.rss_anon + figures.rss_shared, 0);
	assert_true(figures.rss_file >= 4);
	quire_report_smaps(mm, text, ROOM);
	assert_int_equal(sum_of(text, "Rss:"), 4 * figures.rss_file);
	assert_int_equal(sum_of(text, "Private_Dirty:"), 4);
	assert_int_equal(sum_of(text, "Anonymous:"), 0);
	quire_report_status(mm, text, ROOM);
	assert_int_equal(sum_of(text, "RssFile:"), 4 * figures.rss_file);
	assert_int_equal(sum_of(text, "VmRSS:"), 4 * figures.rss_file);
	quire_report_meminfo(rig.vm, text, ROOM);
	quire_file_figures(f.file, &file);
	assert_int_equal(sum_of(text, "Cached:"), 4 * file.resident);
	assert_int_equal(sum_of(text, "Inactive(file):"), 4 * file.resident);
	assert_int_equal(sum_of(text, "Mapped:"), 4 * figures.rss_file);
	assert_int_equal(sum_of(text, "Dirty:"), 4);
	assert_int_equal(sum_of(text, "Writeback:"), 0);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	quire_report_vmstat(rig.vm, text, ROOM);
	assert_int_equal(sum_of(text, "nr_dirty "), 0);
	assert_int_equal(sum_of(text, "nr_dirtied "), 1);
	assert_int_equal(sum_of(text, "nr_written "), 1);
	counts = qr_soft_store_counts(f.store);
	assert_int_equal(sum_of(text, "pgpgin "), 4 * counts.pages_read);
	assert_int_equal(sum_of(text, "pgpgout "), 4);
	assert_int_equal(sum_of(text, "nr_file_pages "), file.resident);
	quire_report_free(rig.vm, text, ROOM);
	assert_true(rig_is_injected() || strstr(text, "          80 ") != NULL);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void reports_add_up(void **state)
{
	struct quire_mm_figures figures;
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at, shared, value;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 4096}});
	mm = rig_mm(&rig);
	at = map_at(&rig, mm, 100, 40, RW, QUIRE_MM_PRIVATE);
	shared = map_at(&rig, mm, 200, 10, RW, QUIRE_MM_SHARED);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(rig_store(&rig, mm, at + i * PAGE, i), QUIRE_OK);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(rig_store(&rig, mm, shared + i * PAGE, i), QUIRE_OK);
	assert_int_equal(rig_load(&rig, mm, at + 30 * PAGE, &value), QUIRE_OK);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(rig_store(&rig, child, at, 1), QUIRE_OK);
	quire_mm_figures(mm, &figures);
	assert_int_equal(figures.rss_anon, 20);
	assert_int_equal(figures.rss_shared, 4);
	quire_report_smaps(mm, text, ROOM);
	assert_int_equal(sum_of(text, "Rss:"), 4 * 24);
	assert_int_equal(sum_of(text, "Anonymous:"), 4 * 20);
	/* 19 pages are half the child's; one is its own again, and what is shared was not
	 * looked at by the child yet. */
	assert_int_equal(sum_of(text, "Pss:"), 2 * 19 + 4 + 4 * 4);
	assert_int_equal(sum_of(text, "Shared_Dirty:"), 4 * 19);
	assert_int_equal(sum_of(text, "Private_Dirty:"), 4 * 5);
	quire_report_smaps_rollup(mm, other, ROOM);
	assert_int_equal(sum_of(other, "Rss:"), sum_of(text, "Rss:"));
	assert_int_equal(sum_of(other, "Pss:"), sum_of(text, "Pss:"));
	quire_report_status(mm, text, ROOM);
	assert_int_equal(sum_of(text, "VmRSS:"), 4 * 24);
	assert_int_equal(sum_of(text, "VmSize:"), 4 * 50);
	quire_report_meminfo(rig.vm, text, ROOM);
	assert_int_equal(sum_of(text, "AnonPages:"), 4 * 21);
	assert_int_equal(sum_of(text, "Shmem:"), 4 * 4);
	assert_int_equal(sum_of(text, "Committed_AS:"), 4 * (2 * 40 + 10));
	quire_report_free(rig.vm, text, ROOM);
	assert_int_equal(sum_of(text, "Mem: "), 4 * 4096);
	assert_non_null(strstr(text, "      shared  buff/cache   available\n"
				     "Mem:           16384"));
	assert_non_null(strstr(text, "\nSwap:              0           0           0\n"));
	quire_report_vmstat(rig.vm, text, ROOM);
	assert_int_equal(sum_of(text, "pgfault "), 20 + 4 + 1 + 1);
	assert_int_equal(quire_report_pagemap(mm, at + 39 * PAGE), 0);
	assert_true(quire_report_pagemap(mm, at) >> 63 == 1);
	assert_int_equal(quire_report_pagemap(mm, at) >> 56 & 1, 1);
	assert_int_equal(quire_report_pagemap(mm, at + PAGE) >> 56 & 1, 0);
	quire_mm_destroy(child);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static struct quire_mm *process(struct rig *rig, uint32_t pid, uint64_t pages,
				struct quire_mm_config config)
{
	struct quire_mm *mm;

	config.pid = pid;
	snprintf(config.name, sizeof(config.name), "task%u", pid);
	assert_int_equal(rig_create(rig, &config, &mm), QUIRE_OK);
	map_at(rig, mm, 100, pages, RW, QUIRE_MM_PRIVATE | QUIRE_MM_POPULATE);
	/* Populating stops without a word where a frame is lacking. */
	for (uint64_t i = 0; rig_is_injected() && i < pages; i++)
		assert_int_equal(rig_store(rig, mm, RIG_BASE + (100 + i) * PAGE, 0),
				 QUIRE_OK);
	return mm;
}

static void todays_killer_takes_the_biggest(void **state)
{
	struct quire_mm_config config = rig_mm_config();
	struct quire_mm *small, *big, *safe;
	uint64_t points;
	struct rig rig;
	uint32_t asid;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 4096}});
	small = process(&rig, 1, 100, config);
	big = process(&rig, 2, 500, config);
	config.oom_score_adj = -1000;
	safe = process(&rig, 3, 1000, config);
	/* rss and page tables: a root, two between, and a leaf, or two. */
	assert_int_equal(quire_mm_oom_points(small), 100 + 4);
	assert_int_equal(quire_mm_oom_points(big), 500 + 5);
	assert_int_equal(quire_mm_oom_points(safe), 0);
	assert_true(quire_vm_oom_victim(rig.vm, &asid, &points));
	assert_int_equal(asid, quire_mm_asid(big));
	config.oom_score_adj = 200;
	quire_mm_set_config(small, &config);
	assert_int_equal(quire_mm_oom_points(small), 100 + 4 + 200 * (4096 / 1000));
	assert_true(quire_vm_oom_victim(rig.vm, &asid, &points));
	assert_int_equal(asid, quire_mm_asid(small));
	quire_report_oom(rig.vm, small, text, ROOM);
	assert_non_null(strstr(text, "task1 invoked oom-killer: "));
	assert_non_null(strstr(text, "[      3]     0     3     1000     1000     1000"));
	assert_non_null(strstr(text, "Out of memory: Killed process 1 (task1) "
				     "total-vm:400kB, anon-rss:400kB, file-rss:0kB, "
				     "shmem-rss:0kB, UID:0 pgtables:16kB "
				     "oom_score_adj:200\n"));
	quire_mm_destroy(small);
	quire_mm_destroy(big);
	quire_mm_destroy(safe);
	rig_close(&rig);
}

static void older_killer_weighs_age_and_nice(void **state)
{
	struct quire_mm_config config = rig_mm_config();
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 4096},
						   .vm = {.oom = QUIRE_OOM_2_6}});
	mm = process(&rig, 1, 1200, config);
	assert_int_equal(quire_mm_oom_points(mm), 1200);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	assert_int_equal(quire_mm_oom_points(mm), 1200 + 601);
	quire_mm_destroy(child);
	config.nice = 5;
	quire_mm_set_config(mm, &config);
	assert_int_equal(quire_mm_oom_points(mm), 2400);
	/* 128 s of CPU time are 16 units, whose root is 4; 16 * 1024 s, whose fourth root
	 * is 2. */
	config.cpu_seconds = 128;
	config.run_seconds = 16 * 1024;
	quire_mm_set_config(mm, &config);
	assert_int_equal(quire_mm_oom_points(mm), 1200 / 4 / 2 * 2);
	config.has_raw_io = true;
	quire_mm_set_config(mm, &config);
	assert_int_equal(quire_mm_oom_points(mm), 300 / 4);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Two processes want more than there is, and nothing can go out: one is killed, the other
 * goes on. */
static void somebody_dies_and_others_go_on(void **state)
{
	struct quire_mm_config config = rig_mm_config();
	struct quire_mm *first, *second;
	uint64_t points, page = 0;
	struct rig rig;
	uint32_t asid;

	(void)state;
	rig_open(&rig, (struct qr_computer_config){.soft = {.nr_frames = 2048}});
	first = process(&rig, 1, 200, config);
	second = process(&rig, 2, 900, config);
	map_at(&rig, first, 2000, 1900, RW, QUIRE_MM_PRIVATE);
	while (rig_store(&rig, first, RIG_BASE + (2000 + page) * PAGE, page) == QUIRE_OK)
		page++;
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_OOM);
	assert_true(page < 1900);
	assert_true(quire_vm_oom_victim(rig.vm, &asid, &points));
	assert_int_equal(asid, quire_mm_asid(page + 200 > 900 ? first : second));
	rig_validate(&rig);
	quire_mm_destroy(second);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(rig_store(&rig, first, RIG_BASE + (2000 + i) * PAGE, i),
				 QUIRE_OK);
	quire_mm_destroy(first);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		maps_read_as_linux_has_them,
		reports_add_up,
		files_in_reports,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
	rig_in_some_ways(todays_killer_takes_the_biggest, state, 97);
	rig_in_some_ways(older_killer_weighs_age_and_nice, state, 97);
	rig_in_some_ways(somebody_dies_and_others_go_on, state, 97);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_read_as_linux_has_them),
		cmocka_unit_test(files_in_reports),
		cmocka_unit_test(reports_add_up),
		cmocka_unit_test(todays_killer_takes_the_biggest),
		cmocka_unit_test(older_killer_weighs_age_and_nice),
		cmocka_unit_test(somebody_dies_and_others_go_on),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
