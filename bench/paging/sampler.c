/* SPDX-License-Identifier: MIT */
/* sampler.c - the access patterns of sampler.h. */
#include "bench/paging/sampler.h"

#include "bench/paging/page_data.h"

#include <math.h>
#include <string.h>

/* YCSB's constant (Cooper et al., SoCC 2010). */
#define ZIPF_EXPONENT	0.99
#define ZIPF_COMPLEMENT (1.0 - ZIPF_EXPONENT)

static const char *const pattern_names[BENCH_NR_PATTERNS] = {
	[BENCH_SEQUENTIAL] = "sequential",
	[BENCH_UNIFORM] = "uniform",
	[BENCH_ZIPF] = "zipf",
	[BENCH_MIXED] = "mixed",
};

const char *qr_pattern_name(enum bench_pattern pattern)
{
	return pattern_names[pattern];
}

bool qr_pattern_parse(const char *name, enum bench_pattern *pattern)
{
	for (int i = 0; i < BENCH_NR_PATTERNS; i++) {
		if (strcmp(name, pattern_names[i]) == 0) {
			*pattern = (enum bench_pattern)i;
			return true;
		}
	}
	return false;
}

/* The hat x^-s, its integral, and the inverse of that; the paper's h, H and H^-1. */
static double hat(double x)
{
	return exp(-ZIPF_EXPONENT * log(x));
}

static double hat_integral(double x)
{
	return expm1(ZIPF_COMPLEMENT * log(x)) / ZIPF_COMPLEMENT;
}

static double hat_integral_inverse(double y)
{
	return exp(log1p(ZIPF_COMPLEMENT * y) / ZIPF_COMPLEMENT);
}

static void zipf_init(struct bench_zipf *zipf, uint64_t nr_ranks)
{
	zipf->integral_first = hat_integral(1.5) - 1.0;
	zipf->integral_last = hat_integral((double)nr_ranks + 0.5);
	zipf->sure = 2.0 - hat_integral_inverse(hat_integral(2.5) - hat(2.0));
}

static unsigned int bits_to_count(uint64_t n)
{
	unsigned int bits = 1;

	while (bits < 63 && ((uint64_t)1 << bits) < n)
		bits++;
	return bits;
}

void qr_sampler_init(struct bench_sampler *sampler, enum bench_pattern pattern,
		     uint64_t nr_pages, uint64_t start, uint64_t seed)
{
	*sampler = (struct bench_sampler){
		.pattern = pattern,
		.scatter_bits = bits_to_count(nr_pages),
		.nr_pages = nr_pages,
		.cursor = start,
		.random = qr_bits_mix(seed),
	};
	zipf_init(&sampler->zipf, nr_pages);
}

uint64_t qr_sampler_random(struct bench_sampler *sampler)
{
	return qr_bits_mix(sampler->random++);
}

/* In [0, 1), on the 2^53 points that a double holds exactly. */
static double random_fraction(struct bench_sampler *sampler)
{
	return (double)(qr_sampler_random(sampler) >> 11) * 0x1p-53;
}

static double zipf_clamp(double rank, uint64_t nr_ranks)
{
	if (rank < 1.0)
		return 1.0;
	if (rank > (double)nr_ranks)
		return (double)nr_ranks;
	return rank;
}

uint64_t qr_sampler_zipf_rank(struct bench_sampler *sampler)
{
	const struct bench_zipf *zipf = &sampler->zipf;
	double span = zipf->integral_first - zipf->integral_last;

	for (;;) {
		double y = zipf->integral_last + random_fraction(sampler) * span;
		double x = hat_integral_inverse(y);
		double rank = zipf_clamp(floor(x + 0.5), sampler->nr_pages);

		if (rank - x <= zipf->sure || y >= hat_integral(rank + 0.5) - hat(rank))
			return (uint64_t)rank - 1;
	}
}

/* A bijection on scatter_bits bits: each step, taken alone, can be undone. */
static uint64_t scatter_once(uint64_t x, unsigned int bits)
{
	uint64_t mask = ((uint64_t)1 << bits) - 1;
	unsigned int half = (bits + 1) / 2;

	x = (x * 0x9e3779b97f4a7c15 + 0x632be5ab) & mask;
	x ^= x >> half;
	x = (x * 0xbf58476d1ce4e5b9) & mask;
	x ^= x >> half;
	x = (x * 0x94d049bb133111eb) & mask;
	return x ^ (x >> half);
}

/*
 * What leaves the range is sent on until it falls inside: a bijection on the larger set,
 * walked along its cycles, is one on the smaller (Black & Rogaway, CT-RSA 2002).
 */
uint64_t qr_sampler_scatter(const struct bench_sampler *sampler, uint64_t rank)
{
	uint64_t x = scatter_once(rank, sampler->scatter_bits);

	while (x >= sampler->nr_pages)
		x = scatter_once(x, sampler->scatter_bits);
	return x;
}

static uint64_t next_sequential(struct bench_sampler *sampler)
{
	uint64_t page = sampler->cursor;

	sampler->cursor = page + 1 == sampler->nr_pages ? 0 : page + 1;
	return page;
}

/* The high half of the draw, scaled: nr_pages stays far below 2^32. */
static uint64_t next_uniform(struct bench_sampler *sampler)
{
	return ((qr_sampler_random(sampler) >> 32) * sampler->nr_pages) >> 32;
}

static uint64_t next_zipf(struct bench_sampler *sampler)
{
	return qr_sampler_scatter(sampler, qr_sampler_zipf_rank(sampler));
}

uint64_t qr_sampler_next(struct bench_sampler *sampler)
{
	switch (sampler->pattern) {
	case BENCH_SEQUENTIAL:
		return next_sequential(sampler);
	case BENCH_UNIFORM:
		return next_uniform(sampler);
	case BENCH_ZIPF:
		return next_zipf(sampler);
	default:
		sampler->sequential_turn = !sampler->sequential_turn;
		return sampler->sequential_turn ? next_sequential(sampler)
						: next_zipf(sampler);
	}
}
