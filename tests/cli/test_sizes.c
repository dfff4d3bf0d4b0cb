/* SPDX-License-Identifier: MIT */
/* test_sizes.c - sizes as people write them, and what a host says of its memory. */
#include "cli/host.h"
#include "cli/sizes.h"
#include "tests/cli/held.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define WHOLE UINT64_C(49368192)

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"1", 1},
		{"0000004096", 4096},
		{"7B", 7},
		{"256M", UINT64_C(256) << 20},
		{"1GiB", UINT64_C(1) << 30},
		{"3KiB", 3072},
		{"3k", 3072},
		{"3kB", 3000},
		{"100MB", 100000000},
		{"2GB", 2000000000},
		{"2TB", UINT64_C(2000000000000)},
		{"16777215TiB", UINT64_C(16777215) << 40},
		{"18446744073709551615", UINT64_MAX},
		{"50%", WHOLE / 2},
		{"1%", 493681},
		{"100%", WHOLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0;

		assert_null(qr_size_parse(cases[i].text, WHOLE, &bytes));
		assert_true(bytes == cases[i].bytes);
	}
}

static void refuses_garbage(void **state)
{
	static const char *const cases[] = {
		"",    " 1", "1 ",   "-1",   "+1",	  "1.5M",
		"M",   "%",  "1MM",  "1Mi",  "1mib",	  "0x10",
		"0",   "0M", "0%",   "101%", "1e3",	  "18446744073709551616",
		"1%%", "5m", "1GIB", "50 %", "16777216T", "99999999999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 77;

		assert_non_null(qr_size_parse(cases[i], WHOLE, &bytes));
		assert_true(bytes == 77);
	}
}

static void takes_no_percentage_of_nothing(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_non_null(qr_size_parse("50%", 0, &bytes));
}

/* A percentage of the largest whole must not overflow on its way. */
static void takes_percentages_of_much(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_null(qr_size_parse("100%", UINT64_MAX, &bytes));
	assert_true(bytes == UINT64_MAX);
	assert_null(qr_size_parse("50%", UINT64_MAX, &bytes));
	assert_true(bytes == UINT64_MAX / 2);
}

static void shows_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1024 + 512, "1.5 KiB"},
		{(UINT64_C(1) << 20) - 1, "1023.9 KiB"},
		{UINT64_C(256) << 20, "256.0 MiB"},
		{UINT64_MAX, "15.9 EiB"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[QR_SIZE_TEXT];

		assert_string_equal(qr_size_show(cases[i].bytes, text), cases[i].text);
	}
}

/* A host made of files in a folder of the test's own. */
static char root[] = "/tmp/quire-host-XXXXXX";

static void put(const char *path, const char *text)
{
	char full[512];
	int fd;

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static int host_make(void **state)
{
	(void)memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	if (!mkdtemp(root))
		return 1;
	put("proc/meminfo", "MemFree: 12 kB\nMemTotal:       1000 kB\nBuffers: 1 kB\n");
	return held_note(state);
}

static int host_remove(void **state)
{
	char command[128];
	int leaked = held_check(state);

	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command) != 0 || leaked;
}

static void memory_is(uint64_t total, uint64_t cgroup, uint64_t usable)
{
	struct qr_host_memory memory = qr_host_memory(root);

	assert_true(memory.total == total);
	assert_true(memory.cgroup == cgroup);
	assert_true(qr_host_memory_usable(memory) == usable);
}

static void knows_the_host_alone(void **state)
{
	(void)state;
	memory_is(1024000, 0, 1024000);
	put("proc/self/cgroup", "garbage\n0::/\n");
	put("sys/fs/cgroup/memory.max", "max\n");
	memory_is(1024000, 0, 1024000);
}

/* The tightest of all that stand above counts, also one that is not the nearest. */
static void obeys_cgroups_2(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/a/b\n");
	put("sys/fs/cgroup/a/b/memory.max", "512000\n");
	memory_is(1024000, 512000, 512000);
	put("sys/fs/cgroup/a/memory.max", "409600\n");
	memory_is(1024000, 409600, 409600);
	put("sys/fs/cgroup/a/b/memory.max", "9999999999\n");
	put("sys/fs/cgroup/a/memory.max", "max\n");
	memory_is(1024000, 9999999999, 1024000);
}

static void obeys_cgroups_1(void **state)
{
	(void)state;
	put("proc/self/cgroup", "5:cpu:/x\n4:memory:/not/seen\n0::/\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	memory_is(1024000, 0, 1024000);
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "204800\n");
	memory_is(1024000, 204800, 204800);
}

static void knows_what_it_does_not_know(void **state)
{
	(void)state;
	put("proc/meminfo", "nothing\n");
	memory_is(0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_sizes, held_note, held_check),
		cmocka_unit_test_setup_teardown(refuses_garbage, held_note, held_check),
		cmocka_unit_test_setup_teardown(takes_no_percentage_of_nothing, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(takes_percentages_of_much, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(shows_sizes, held_note, held_check),
		cmocka_unit_test_setup_teardown(knows_the_host_alone, host_make,
						host_remove),
		cmocka_unit_test_setup_teardown(obeys_cgroups_2, host_make, host_remove),
		cmocka_unit_test_setup_teardown(obeys_cgroups_1, host_make, host_remove),
		cmocka_unit_test_setup_teardown(knows_what_it_does_not_know, host_make,
						host_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
