/* SPDX-License-Identifier: MIT */
/* sampler.h - which page is touched next.
 *
 * Model.  A *pattern* turns a random stream into page indices in [0, nr_pages).
 *   sequential  0, 1, 2, ... and round again, from a start of one's own
 *   uniform     each page as likely as any other
 *   zipf        the page of rank k with a probability proportional to k^-0.99; a
 *               bijection scatters the ranks, so that neighbours in rank are not
 *               neighbours in memory
 *   mixed       sequential and zipf in turn
 *
 * Cost.  No table: whatever the sampler kept per page would be memory that competes with
 * the data for RAM.  A zipf sample is rejection-inversion (Hoermann & Derflinger, ACM
 * TOMACS 6:169, 1996), one exp and one log in nearly all cases.
 */
#ifndef QUIRE_BENCH_PAGING_SAMPLER_H
#define QUIRE_BENCH_PAGING_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

enum bench_pattern {
	BENCH_SEQUENTIAL,
	BENCH_UNIFORM,
	BENCH_ZIPF,
	BENCH_MIXED,
	BENCH_NR_PATTERNS,
};

struct bench_zipf {
	double integral_first; /* the hat's integral at rank 1 */
	double integral_last;  /* and past the last rank */
	double sure;	       /* a sample this near below its rank needs no test */
};

struct bench_sampler {
	enum bench_pattern pattern;
	bool sequential_turn; /* mixed: the next one is the sequential half's */
	unsigned int scatter_bits;
	uint64_t nr_pages;
	uint64_t cursor;
	uint64_t random; /* the state of the random stream */
	struct bench_zipf zipf;
};

const char *qr_pattern_name(enum bench_pattern pattern);
/* False where no pattern has this name. */
bool qr_pattern_parse(const char *name, enum bench_pattern *pattern);

/* start: where the sequential stream begins; seed: any number. */
void qr_sampler_init(struct bench_sampler *sampler, enum bench_pattern pattern,
		     uint64_t nr_pages, uint64_t start, uint64_t seed);

uint64_t qr_sampler_random(struct bench_sampler *sampler);
uint64_t qr_sampler_next(struct bench_sampler *sampler);

/* The rank, from 0, of one zipf sample, and the page that a rank stands for. */
uint64_t qr_sampler_zipf_rank(struct bench_sampler *sampler);
uint64_t qr_sampler_scatter(const struct bench_sampler *sampler, uint64_t rank);

#endif
