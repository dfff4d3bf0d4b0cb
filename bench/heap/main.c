/* SPDX-License-Identifier: MIT */
/* main.c - runs one allocation pattern and prints what it took, as one line of JSON.
 *
 * Each pattern is a process of its own, so that what one leaves behind in the allocator
 * does not meet the next one, and resident memory is that pattern's alone.
 */
#include "bench/heap/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NOTES_MAX 8

static struct note {
	const char *name;
	long kib;
} notes[NOTES_MAX];
static int nr_notes;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* From /proc by plain reads into a buffer of our own: no allocation. */
static long status_kib(const char *field)
{
	char line[256];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "r");

	if (file == NULL)
		return -1;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtol(line + strlen(field) + 1, NULL, 10);
	}
	fclose(file);
	return kib;
}

void bench_note(const char *name)
{
	if (nr_notes < NOTES_MAX)
		notes[nr_notes++] = (struct note){name, status_kib("VmRSS:")};
}

/* The sum of a pattern's sizes is dominated by blocks of 16 to 256 bytes. */
size_t bench_size(uint64_t *state)
{
	uint64_t r = bench_random(state);
	unsigned pick = (unsigned)(r & 1023);

	r >>= 16;
	if (pick < 700)
		return 8 + r % 120;
	if (pick < 960)
		return 128 + r % 900;
	if (pick < 1020)
		return 1024 + r % 7000;
	return 8192 + r % 57000;
}

void *bench_alloc(size_t bytes)
{
	volatile char *block = malloc(bytes);

	if (block == NULL) {
		fprintf(stderr, "heap-bench: no memory\n");
		exit(1);
	}
	if (bytes != 0) {
		block[0] = 1;
		block[bytes - 1] = 2;
	}
	return (void *)block;
}

static const struct bench_pattern *const all[] = {bench_single, bench_threads,
						  bench_life};

static const struct bench_pattern *find(const char *name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (const struct bench_pattern *p = all[i]; p->name != NULL; p++) {
			if (strcmp(p->name, name) == 0)
				return p;
		}
	}
	return NULL;
}

static void list_patterns(void)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (const struct bench_pattern *p = all[i]; p->name != NULL; p++)
			printf("%s\t%s\n", p->name, p->what);
	}
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	const struct bench_pattern *pattern = argc == 2 ? find(argv[1]) : NULL;
	double start, wall;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list_patterns();
		return 0;
	}
	if (pattern == NULL) {
		fprintf(stderr, "usage: heap-bench PATTERN | --list\n");
		return 125;
	}
	start = seconds();
	pattern->run();
	wall = seconds() - start;
	printf("{\"pattern\": \"%s\", \"wall\": %.6f, \"cpu\": %.6f, "
	       "\"peak_kib\": %ld, \"final_kib\": %ld",
	       pattern->name, wall, cpu_seconds(), status_kib("VmHWM:"),
	       status_kib("VmRSS:"));
	for (int i = 0; i < nr_notes; i++)
		printf(", \"%s\": %ld", notes[i].name, notes[i].kib);
	printf("}\n");
	return 0;
}
