/* SPDX-License-Identifier: MIT */
/* held.c - what a test holds of the process: heap bytes and descriptors.
 *
 * glibc counts as held what its threads' caches keep, so the bytes tell something only
 * where GLIBC_TUNABLES has turned the caches off, as meson.build does.  Under a sanitizer
 * they are zero, and its leak check stands in. */
#include "tests/cli/held.h"

#include <dirent.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct held {
	size_t bytes, descriptors;
};

static struct held before;

static size_t descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		(void)closedir(dir);
	return nr;
}

static bool bytes_tell(void)
{
	const char *tunables = getenv("GLIBC_TUNABLES");

	return tunables && strstr(tunables, "glibc.malloc.tcache_count=0");
}

static struct held now(void)
{
	return (struct held){
		.bytes = bytes_tell() ? mallinfo2().uordblks : 0,
		.descriptors = descriptors(),
	};
}

int held_note(void **state)
{
	(void)state;
	before = now();
	return 0;
}

int held_check(void **state)
{
	struct held after = now();

	(void)state;
	if (after.bytes == before.bytes && after.descriptors == before.descriptors)
		return 0;
	(void)fprintf(stderr, "leaked: %zu bytes became %zu, %zu descriptors %zu\n",
		      before.bytes, after.bytes, before.descriptors, after.descriptors);
	return 1;
}
