/* SPDX-License-Identifier: MIT */
/* options.c - the workload's command line. */
#include "bench/paging/options.h"

#include "bench/paging/page_data.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The write counters of one page are 16 bits, its index less than 32. */
#define BYTES_MAX ((uint64_t)1 << 40)

#define SECONDS_MAX 86400.0

static const char usage[] =
	"usage: paging-workload [options]\n"
	"  --size BYTES       data, with K, M or G; 64M by default\n"
	"  --pattern NAME     sequential, uniform, zipf or mixed\n"
	"  --threads N        1 by default; all share the data\n"
	"  --write FRACTION   of the accesses that change a word; 0 by default\n"
	"  --warmup LENGTH    not measured: 2s, or a count of accesses a thread\n"
	"  --length LENGTH    measured: 5s, or a count of accesses a thread\n"
	"  --seed N           of the random stream; 1 by default\n"
	"  --self-check       check the data and the samplers, touch nothing else\n";

enum { SIZE = 1, PATTERN, THREADS, WRITE, WARMUP, LENGTH, SEED, SELF_CHECK, HELP };

static const struct option long_options[] = {
	{"size", required_argument, NULL, SIZE},
	{"pattern", required_argument, NULL, PATTERN},
	{"threads", required_argument, NULL, THREADS},
	{"write", required_argument, NULL, WRITE},
	{"warmup", required_argument, NULL, WARMUP},
	{"length", required_argument, NULL, LENGTH},
	{"seed", required_argument, NULL, SEED},
	{"self-check", no_argument, NULL, SELF_CHECK},
	{"help", no_argument, NULL, HELP},
	{NULL, 0, NULL, 0},
};

static _Noreturn void refuse(const char *what, const char *value)
{
	fprintf(stderr, "paging-workload: %s: %s\n", what, value);
	exit(2);
}

/* *end is what follows the digits. */
static uint64_t parse_count(const char *text, char **end)
{
	errno = 0;
	uint64_t n = strtoull(text, end, 10);

	if (*end == text || errno != 0 || text[0] == '-')
		refuse("not a number", text);
	return n;
}

static uint64_t parse_whole(const char *text)
{
	char *end;
	uint64_t n = parse_count(text, &end);

	if (*end != '\0')
		refuse("not a number", text);
	return n;
}

static uint64_t parse_bytes(const char *text)
{
	static const char suffixes[] = "KMG";
	char *end;
	uint64_t n = parse_count(text, &end);
	const char *suffix = *end == '\0' ? NULL : strchr(suffixes, *end);

	if (*end != '\0' && (suffix == NULL || end[1] != '\0'))
		refuse("not a size", text);
	if (n > BYTES_MAX)
		refuse("too large", text);
	if (suffix != NULL)
		n <<= 10 * (suffix - suffixes + 1);
	if (n > BYTES_MAX || n < BENCH_PAGE_BYTES)
		refuse("too large or too small", text);
	return n / BENCH_PAGE_BYTES * BENCH_PAGE_BYTES;
}

static double parse_real(const char *text, const char *suffix, double max)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || strcmp(end, suffix) != 0)
		refuse("not a number", text);
	if (!(x >= 0.0 && x <= max))
		refuse("out of range", text);
	return x;
}

static struct bench_length parse_length(const char *text)
{
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == 's')
		return (struct bench_length){.seconds =
						     parse_real(text, "s", SECONDS_MAX)};
	return (struct bench_length){.accesses = parse_whole(text)};
}

static unsigned int parse_threads(const char *text)
{
	uint64_t n = parse_whole(text);

	if (n < 1 || n > BENCH_MAX_THREADS)
		refuse("not a count of threads", text);
	return (unsigned int)n;
}

static void parse_one(struct bench_options *options, int option)
{
	switch (option) {
	case SIZE:
		options->bytes = parse_bytes(optarg);
		break;
	case PATTERN:
		if (!qr_pattern_parse(optarg, &options->pattern))
			refuse("not a pattern", optarg);
		break;
	case THREADS:
		options->nr_threads = parse_threads(optarg);
		break;
	case WRITE:
		options->write_fraction = parse_real(optarg, "", 1.0);
		break;
	case WARMUP:
		options->warmup = parse_length(optarg);
		break;
	case LENGTH:
		options->measured = parse_length(optarg);
		break;
	case SEED:
		options->seed = parse_whole(optarg);
		break;
	case SELF_CHECK:
		options->self_check = true;
		break;
	default:
		fputs(usage, option == HELP ? stdout : stderr);
		exit(option == HELP ? 0 : 2);
	}
}

void qr_options_parse(struct bench_options *options, int argc, char **argv)
{
	int option;

	*options = (struct bench_options){
		.bytes = (uint64_t)64 << 20,
		.nr_threads = 1,
		.warmup = {.seconds = 2.0},
		.measured = {.seconds = 5.0},
		.seed = 1,
	};
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_one(options, option);
	if (optind != argc)
		refuse("unexpected argument", argv[optind]);
	if (options->measured.seconds == 0.0 && options->measured.accesses == 0)
		refuse("a measured phase of no length", "--length");
}
