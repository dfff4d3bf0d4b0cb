/* SPDX-License-Identifier: MIT */
/* options.h - what the workload was asked to do. */
#ifndef QUIRE_BENCH_PAGING_OPTIONS_H
#define QUIRE_BENCH_PAGING_OPTIONS_H

#include "bench/paging/sampler.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_MAX_THREADS 64

/* How long a phase lasts: a time where seconds is not 0, else accesses a thread. */
struct bench_length {
	double seconds;
	uint64_t accesses;
};

struct bench_options {
	uint64_t bytes;
	enum bench_pattern pattern;
	unsigned int nr_threads;
	double write_fraction;
	struct bench_length warmup;
	struct bench_length measured;
	uint64_t seed;
	bool self_check;
};

/* Prints what is wrong and exits with 2 where the arguments make no sense. */
void qr_options_parse(struct bench_options *options, int argc, char **argv);

#endif
