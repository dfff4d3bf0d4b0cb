/* SPDX-License-Identifier: MIT */
/* objects_slabinfo.c - slabinfo by value, and line by line as Linux prints it. */
#include "core/report/slabinfo.h"
#include "tests/core/objects_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What printf makes of Linux's own format. */
static void print_row(char *line, size_t room, const struct quire_slabinfo *info)
{
	snprintf(line, room,
		 "%-17s %6lu %6lu %6u %4u %4d : tunables %4u %4u %4u : slabdata %6lu "
		 "%6lu %6lu\n",
		 info->name, (unsigned long)info->active_objs,
		 (unsigned long)info->num_objs, info->objsize, info->objperslab,
		 (int)info->pagesperslab, info->limit, info->batchcount, 0u,
		 (unsigned long)info->active_slabs, (unsigned long)info->num_slabs,
		 (unsigned long)info->sharedavail);
}

static void rows_are_as_linux_prints_them(void **state)
{
	const struct quire_slabinfo rows[] = {
		{.name = "task_struct",
		 .active_objs = 312,
		 .num_objs = 330,
		 .objsize = 6592,
		 .objperslab = 4,
		 .pagesperslab = 8,
		 .active_slabs = 82,
		 .num_slabs = 83},
		{.name = "a_name_longer_than_its_column",
		 .active_objs = 12345678,
		 .num_objs = UINT64_MAX,
		 .objsize = 8,
		 .objperslab = 512,
		 .pagesperslab = 1,
		 .limit = 120,
		 .batchcount = 60,
		 .sharedavail = 1234567},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[512], wanted[512];
		struct qr_text text;

		qr_text_init(&text, line, sizeof(line));
		qr_report_slabinfo_row(&text, &rows[i]);
		print_row(wanted, sizeof(wanted), &rows[i]);
		assert_string_equal(line, wanted);
	}
}

/* The host's own two lines of headings, where it shows them. */
static void headings_are_linuxs(void **state)
{
	char ours[1024], theirs[1024] = {0};
	struct qr_text text;
	FILE *file = fopen("/proc/slabinfo", "r");
	size_t used = 0;

	(void)state;
	for (uint32_t i = 0; file != NULL && i < 2; i++) {
		if (fgets(theirs + used, (int)(sizeof(theirs) - used), file) != NULL)
			used = strlen(theirs);
	}
	if (file != NULL)
		fclose(file);
	if (used == 0) {
		print_message("skipped: the host's slabinfo cannot be read\n");
		skip();
	}
	qr_text_init(&text, ours, sizeof(ours));
	qr_report_slabinfo_head(&text);
	assert_string_equal(ours, theirs);
}

static void values_follow_what_is_done(void **state)
{
	const struct quire_objects_config config = {.nr_cpus = 2};
	const struct quire_kmem_cache_args args = {.name = "seen", .size = 128};
	struct quire_kmem_cache *cache;
	struct quire_slabinfo info;
	struct objects_rig rig;
	void *objects[100];

	(void)state;
	objects_rig_open(&rig, 512, &config, false);
	assert_int_equal(quire_kmem_cache_create(rig.objects, &args, &cache), QUIRE_OK);
	/* Merged with a cache of kmalloc's. */
	assert_int_equal(objects_rig_info(&rig, "kmalloc-128").aliases, 1);
	for (uint32_t i = 0; i < 100; i++)
		objects[i] = quire_kmem_cache_alloc(cache, i % 2, 0);
	info = objects_rig_info(&rig, "kmalloc-128");
	assert_int_equal(info.active_objs, 100);
	assert_int_equal(info.objsize, 128);
	assert_int_equal(info.objperslab, 32);
	assert_int_equal(info.pagesperslab, 1);
	assert_int_equal(info.num_objs, info.num_slabs * 32);
	assert_int_equal(info.num_slabs, info.full + info.partial + info.empty);
	assert_int_equal(info.active_slabs, info.full + info.partial);
	assert_true(info.limit == 2 * info.batchcount && info.batchcount > 0);
	for (uint32_t i = 0; i < 100; i++)
		quire_kmem_cache_free(cache, 0, objects[i]);
	info = objects_rig_info(&rig, "kmalloc-128");
	assert_int_equal(info.active_objs, 0);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		quire_objects_drain(rig.objects, cpu);
	quire_objects_shrink(rig.objects, 0, 0);
	info = objects_rig_info(&rig, "kmalloc-128");
	assert_int_equal(info.num_slabs, 0);
	assert_int_equal(quire_kmem_cache_destroy(cache, NULL, NULL), 0);
	objects_rig_close(&rig);
}

static void the_table_has_every_cache(void **state)
{
	const struct quire_objects_config config = {.nr_cpus = 2};
	struct objects_rig rig;
	char table[8192], little[64];
	struct qr_text text, cut;
	uint32_t nr_lines = 0;

	(void)state;
	objects_rig_open(&rig, 512, &config, false);
	qr_text_init(&text, table, sizeof(table));
	qr_text_init(&cut, little, sizeof(little));
	qr_report_slabinfo(&text, rig.objects);
	qr_report_slabinfo(&cut, rig.objects);
	assert_int_equal(text.length, strlen(table));
	assert_int_equal(cut.length, text.length);
	assert_int_equal(strlen(little), sizeof(little) - 1);
	for (const char *at = table; *at != '\0'; at++)
		nr_lines += *at == '\n';
	/* Two of headings, the cache of caches, thirteen of kmalloc's. */
	assert_int_equal(nr_lines, 2 + 1 + 13);
	assert_non_null(strstr(table, "\nkmem_cache "));
	assert_non_null(strstr(table, "\nkmalloc-8k "));
	objects_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_as_linux_prints_them),
		cmocka_unit_test(headings_are_linuxs),
		cmocka_unit_test(values_follow_what_is_done),
		cmocka_unit_test(the_table_has_every_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
