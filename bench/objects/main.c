/* SPDX-License-Identifier: MIT */
/* main.c - Quire's caches and kmalloc beside the process allocators of this host.
 *
 *     objects [--json] [--rounds N] [--seconds S]
 *
 * Each round runs every pattern with Quire in this process, then starts itself again
 * under each of the other allocators (LD_PRELOAD) to run the same patterns with malloc.
 * So what else the machine does meets them all; medians over the rounds are printed, in
 * processor time, and the ratio to the best of the others.
 */
#include "bench/objects/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define NR_THREADS 2u
#define MACHINE	   (1ull << 30)

static const struct {
	const char *name, *library;
} others[] = {
	{"glibc", ""},
	{"jemalloc", "libjemalloc.so.2"},
	{"mimalloc", "libmimalloc.so.2"},
	{"tcmalloc", "libtcmalloc_minimal.so.4"},
};
#define NR_OTHERS (sizeof(others) / sizeof(others[0]))
#define NR_ROWS	  (BENCH_PATTERNS * NR_THREADS)

/* What is asked of Quire: nanoseconds; 0 where nothing is. */
static const double targets[BENCH_PATTERNS] = {
	[BENCH_PAIR] = 6,
	[BENCH_BULK_PAIR] = 2,
	[BENCH_MIXED_PAIR] = 8,
};

struct options {
	bool json, is_child;
	int rounds;
	double seconds;
};

struct row {
	double ns[NR_OTHERS + 1][ROUNDS_MAX]; /* [0]: Quire */
	int nr[NR_OTHERS + 1];
};

static const uint64_t machine_sizes[] = {64ull << 20, 1ull << 30, 64ull << 30};
#define NR_MACHINES (sizeof(machine_sizes) / sizeof(machine_sizes[0]))

static struct row rows[NR_ROWS], machines[NR_MACHINES];

static void add(struct row *row, size_t column, double ns)
{
	row->ns[column][row->nr[column]++] = ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* 0 where nothing was measured. */
static double median(struct row *row, size_t column)
{
	int nr = row->nr[column];

	if (nr == 0)
		return 0;
	qsort(row->ns[column], (size_t)nr, sizeof(double), compare);
	return row->ns[column][nr / 2];
}

static double measure(bench_run *run, struct bench_side *sides, size_t i, double seconds)
{
	return bench_measure(run, (enum bench_pattern)(i % BENCH_PATTERNS), sides,
			     (uint32_t)(i / BENCH_PATTERNS) + 1, seconds);
}

static void child(const struct options *options)
{
	struct bench_side *sides = bench_malloc_open(NR_THREADS);

	for (size_t i = 0; i < NR_ROWS; i++)
		printf("%.3f\n", measure(bench_run_malloc, sides, i, options->seconds));
}

/* Under another allocator; a library that is not here leaves its column empty. */
static void run_other(size_t column, const struct options *options, const char *self)
{
	char command[512];
	double ns;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "LD_PRELOAD='%s' '%s' --child --seconds %g 2>/dev/null",
		 others[column].library, self, options->seconds);
	if (others[column].library[0] != '\0' && column != 0) {
		char probe[256];

		snprintf(probe, sizeof(probe),
			 "LD_PRELOAD='%s' /bin/true 2>&1 | grep -q .",
			 others[column].library);
		if (system(probe) == 0)
			return;
	}
	pipe = popen(command, "r");
	for (size_t i = 0; pipe != NULL && i < NR_ROWS; i++) {
		if (fscanf(pipe, "%lf", &ns) == 1)
			add(&rows[i], column + 1, ns);
	}
	if (pipe != NULL)
		pclose(pipe);
}

static void run_quire(const struct options *options)
{
	struct bench_side *sides = bench_quire_open(MACHINE, NR_THREADS);

	for (size_t i = 0; i < NR_ROWS; i++)
		add(&rows[i], 0, measure(bench_run_quire, sides, i, options->seconds));
	bench_quire_close(sides);
	for (size_t i = 0; i < NR_MACHINES; i++) {
		sides = bench_quire_open(machine_sizes[i], 1);
		add(&machines[i], 0,
		    measure(bench_run_quire, sides, BENCH_MIXED_RANDOM,
			    options->seconds));
		bench_quire_close(sides);
	}
}

/* The others' column with the least time, or 0. */
static size_t best_of(struct row *row)
{
	size_t best = 0;

	for (size_t c = 1; c <= NR_OTHERS; c++) {
		if (row->nr[c] > 0 && (best == 0 || median(row, c) < median(row, best)))
			best = c;
	}
	return best;
}

static void print_row(size_t i)
{
	struct row *row = &rows[i];
	size_t best = best_of(row);
	double target = i < BENCH_PATTERNS ? targets[i] : 0;

	printf("%-13s %u %8.2f", bench_names[i % BENCH_PATTERNS],
	       (unsigned)(i / BENCH_PATTERNS) + 1, median(row, 0));
	for (size_t c = 1; c <= NR_OTHERS; c++)
		printf(" %9.2f", median(row, c));
	if (best != 0)
		printf("  %5.2f of %-9s", median(row, 0) / median(row, best),
		       others[best - 1].name);
	if (target > 0)
		printf("  at most %g: %s", target,
		       median(row, 0) <= target ? "yes" : "no");
	printf("\n");
}

static void print_text(const struct options *options)
{
	printf("ns, medians of %d rounds; 0: not here\n%-13s %s %8s", options->rounds,
	       "pattern", "T", "quire");
	for (size_t c = 0; c < NR_OTHERS; c++)
		printf(" %9s", others[c].name);
	printf("\n");
	for (size_t i = 0; i < NR_ROWS; i++)
		print_row(i);
	for (size_t i = 0; i < NR_MACHINES; i++)
		printf("random mixed, machine of %llu MiB: %.2f\n",
		       (unsigned long long)(machine_sizes[i] >> 20),
		       median(&machines[i], 0));
}

static void print_json(const struct options *options)
{
	printf("{\"rounds\": %d, \"ns\": [", options->rounds);
	for (size_t i = 0; i < NR_ROWS; i++) {
		printf("%s\n {\"pattern\": \"%s\", \"threads\": %u, \"quire\": %.3f",
		       i > 0 ? "," : "", bench_names[i % BENCH_PATTERNS],
		       (unsigned)(i / BENCH_PATTERNS) + 1, median(&rows[i], 0));
		for (size_t c = 1; c <= NR_OTHERS; c++) {
			if (rows[i].nr[c] > 0)
				printf(", \"%s\": %.3f", others[c - 1].name,
				       median(&rows[i], c));
		}
		printf("}");
	}
	printf("],\n \"machine\": [");
	for (size_t i = 0; i < NR_MACHINES; i++)
		printf("%s{\"mib\": %llu, \"quire\": %.3f}", i > 0 ? ", " : "",
		       (unsigned long long)(machine_sizes[i] >> 20),
		       median(&machines[i], 0));
	printf("]}\n");
}

static bool parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"json", no_argument, NULL, 'j'},
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"child", no_argument, NULL, 'c'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'j')
			options->json = true;
		else if (c == 'r')
			options->rounds = atoi(optarg);
		else if (c == 's')
			options->seconds = strtod(optarg, NULL);
		else if (c == 'c')
			options->is_child = true;
		else
			return false;
	}
	return optind == argc && options->rounds >= 1 && options->rounds <= ROUNDS_MAX &&
	       options->seconds > 0;
}

int main(int argc, char **argv)
{
	struct options options = {.rounds = 5, .seconds = 0.1};
	char self[256];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (!parse(&options, argc, argv) || bytes < 0) {
		fprintf(stderr, "usage: objects [--json] [--rounds N] [--seconds S]\n");
		return 125;
	}
	self[bytes] = '\0';
	if (options.is_child) {
		child(&options);
		return 0;
	}
	for (int round = 0; round < options.rounds; round++) {
		run_quire(&options);
		for (size_t column = 0; column < NR_OTHERS; column++)
			run_other(column, &options, self);
	}
	if (options.json)
		print_json(&options);
	else
		print_text(&options);
	return 0;
}
