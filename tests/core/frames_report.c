/* SPDX-License-Identifier: MIT */
/* frames_report.c - zones shown in Linux's words, and as pictures. */
#include "core/base/text.h"
#include "tests/core/frames_rig.h"

#include <stdio.h>

#define ROOM 65536u

static char text[ROOM];

/* The line that begins so, or NULL; the host's file where path is not NULL. */
static bool find_line(const char *path, const char *start, char *line, size_t room)
{
	FILE *file = path != NULL ? fopen(path, "r") : fmemopen(text, strlen(text), "r");
	bool found = false;

	while (file != NULL && !found && fgets(line, (int)room, file) != NULL)
		found = strncmp(line, start, strlen(start)) == 0;
	if (file != NULL)
		fclose(file);
	return found;
}

/* Digits become 0 and runs of them and of blanks one: what is left is the form. */
static void form_of(char *line)
{
	char *out = line;

	for (const char *in = line; *in != '\0'; in++) {
		char c = *in >= '0' && *in <= '9' ? '0' : *in;

		if (out > line && (c == '0' || c == ' ') && out[-1] == c)
			continue;
		*out++ = c;
	}
	*out = '\0';
}

static void expect_same_form(const char *path, const char *start, const char *own_start)
{
	char ours[512], theirs[512];

	assert_true(find_line(NULL, own_start, ours, sizeof(ours)));
	if (!find_line(path, start, theirs, sizeof(theirs))) {
		print_message("skipped: %s has no line '%s'\n", path, start);
		return;
	}
	form_of(ours);
	form_of(theirs);
	assert_string_equal(ours, theirs);
}

static uint32_t field(const char *name)
{
	char line[256], word[64];
	unsigned value = 0;

	assert_true(find_line(NULL, name, line, sizeof(line)));
	assert_int_equal(sscanf(line + strlen(name), "%u%63s", &value, word) >= 1, 1);
	return value;
}

static void buddyinfo_counts_blocks(void **state)
{
	unsigned counts[11];
	char name[32], line[256];
	uint32_t sum = 0;
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 3, 0));
	assert_true(quire_frames_buddyinfo(rig.f, text, ROOM) < ROOM);
	assert_true(find_line(NULL, "Node 0, zone   Normal ", line, sizeof(line)));
	assert_int_equal(sscanf(line,
				"Node 0, zone %31s %u %u %u %u %u %u %u %u %u %u %u",
				name, &counts[0], &counts[1], &counts[2], &counts[3],
				&counts[4], &counts[5], &counts[6], &counts[7],
				&counts[8], &counts[9], &counts[10]),
			 12);
	for (uint32_t order = 0; order <= 10; order++)
		sum += counts[order] << order;
	{
		struct quire_zone_info info;

		assert_true(quire_frames_info(rig.f, QUIRE_ZONE_NORMAL, &info));
		assert_int_equal(sum, info.free);
	}
	expect_same_form("/proc/buddyinfo", "Node 0, zone      DMA ",
			 "Node 0, zone      DMA ");
	rig_close(&rig);
}

static void zoneinfo_reads_as_linuxs(void **state)
{
	static const char *const lines[] = {
		"  pages free ",	 "        min ",	 "        low ",
		"        high ",	 "        spanned ",	 "        present ",
		"        managed ",	 "  pagesets",		 "    cpu: 0",
		"              count: ", "              high: ", "              batch: ",
		"  start_pfn: "};
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.nr_cpus = 2});
	assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_DMA));
	assert_true(quire_frames_zoneinfo(rig.f, text, ROOM) < ROOM);
	for (uint32_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_same_form("/proc/zoneinfo", lines[i], lines[i]);
	/* The first zone is DMA. */
	assert_int_equal(field("        managed "), 1024);
	assert_int_equal(field("        spanned "), 1024);
	assert_int_equal(field("  pages free "), 1024 - QUIRE_LIST_BATCH);
	assert_int_equal(field("              count: "), QUIRE_LIST_BATCH - 1);
	assert_int_equal(field("      nr_anon_pages "), 1);
	rig_close(&rig);
}

static void pagetypeinfo_counts_by_mobility(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.flags = QUIRE_FRAMES_GROUP});
	assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 0, 0));
	assert_true(quire_frames_pagetypeinfo(rig.f, text, ROOM) < ROOM);
	expect_same_form("/proc/pagetypeinfo", "Pages per block", "Pages per block");
	expect_same_form("/proc/pagetypeinfo", "Free pages count", "Free pages count");
	expect_same_form("/proc/pagetypeinfo", "Node    0, zone      DMA, type    Unmov",
			 "Node    0, zone      DMA, type    Unmov");
	assert_non_null(
		strstr(text, "Node 0, zone   Normal            2            4 \n"));
	rig_close(&rig);
}

static uint32_t count_of(const char *start, char c)
{
	uint32_t nr = 0;

	for (; *start != '\0'; start++)
		nr += *start == c;
	return nr;
}

static void pictures_show_what_frames_are_used_for(void **state)
{
	struct quire_picture picture = {
		.zone = QUIRE_ZONE_HIGHMEM, .columns = 64, .frames = 1};
	struct rig rig;
	char *legend;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	assert_true(rig_take(&rig, QUIRE_FRAME_MAPPED, 5, QUIRE_ALLOC_HIGH));
	assert_true(rig_take(&rig, QUIRE_FRAME_SLAB, 4, QUIRE_ALLOC_HIGH));
	assert_true(quire_frames_retire(rig.f, (quire_pfn){4096 + 2000}));
	assert_true(quire_frames_picture(rig.f, &picture, text, ROOM) < ROOM);
	legend = strstr(text, ". free, ");
	assert_non_null(legend);
	*legend = '\0';
	assert_int_equal(strlen(text), 2048 + 32);
	assert_int_equal(count_of(text, 'M'), 32);
	assert_int_equal(count_of(text, 'O'), 16);
	assert_int_equal(count_of(text, '!'), 1);
	assert_int_equal(count_of(text, '.'), 2048 - 49);

	picture.svg = true;
	assert_true(quire_frames_picture(rig.f, &picture, text, ROOM) < ROOM);
	assert_memory_equal(text, "<svg ", 5);
	assert_non_null(strstr(text, "<title>bad</title>"));
	assert_string_equal(text + strlen(text) - 7, "</svg>\n");
	rig.free_at_start--;
	rig_close(&rig);
}

/* Whatever the room, the text fits it, ends, and tells its full length. */
static void text_is_cut_where_there_is_no_room(void **state)
{
	char small[64];
	struct qr_text t;
	struct rig rig;
	size_t whole;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){0});
	whole = quire_frames_zoneinfo(rig.f, text, ROOM);
	for (size_t room = 1; room <= sizeof(small); room++) {
		memset(small, 'x', sizeof(small));
		assert_int_equal(quire_frames_zoneinfo(rig.f, small, room), whole);
		assert_int_equal(strlen(small), room - 1);
		assert_memory_equal(small, text, room - 1);
	}
	qr_text_init(&t, small, sizeof(small));
	qr_text_number(&t, UINT64_MAX, 0);
	qr_text_hex(&t, 0xabc);
	qr_text_left(&t, "a", 3);
	qr_text_string(&t, "b", 3);
	assert_string_equal(small, "184467440737095516150xabca    b");
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buddyinfo_counts_blocks),
		cmocka_unit_test(zoneinfo_reads_as_linuxs),
		cmocka_unit_test(pagetypeinfo_counts_by_mobility),
		cmocka_unit_test(pictures_show_what_frames_are_used_for),
		cmocka_unit_test(text_is_cut_where_there_is_no_room),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
