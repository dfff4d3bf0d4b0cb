/* SPDX-License-Identifier: MIT */
/* selfcheck.c - measures the pages against LZ4 and the samplers against their law. */
#include "bench/paging/selfcheck.h"

#include "bench/paging/page_data.h"

#include <lz4.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPRESSED_MIN (BENCH_PAGE_BYTES * 45 / 100)
#define COMPRESSED_MAX (BENCH_PAGE_BYTES * 55 / 100)

/* Five standard deviations of a count: a sound sampler passes 1.7 million times a fail. */
#define DEVIATIONS_MAX 5.0

static int compressed_bytes(uint64_t page, uint16_t nr_writes)
{
	static _Atomic uint64_t words[BENCH_PAGE_WORDS];
	char out[LZ4_COMPRESSBOUND(BENCH_PAGE_BYTES)];

	qr_page_fill(words, page);
	atomic_fetch_add(&words[0], nr_writes * BENCH_ONE_WRITE);
	return LZ4_compress_default((const char *)words, out, BENCH_PAGE_BYTES,
				    (int)sizeof(out));
}

static bool check_compression(uint64_t nr_pages)
{
	int least = BENCH_PAGE_BYTES, most = 0;
	uint64_t sum = 0;

	for (uint64_t page = 0; page < nr_pages; page++) {
		int bytes = compressed_bytes(page, (uint16_t)(page * 7));

		least = bytes < least ? bytes : least;
		most = bytes > most ? bytes : most;
		sum += (uint64_t)bytes;
	}
	printf("LZ4 takes a page to %d..%d bytes, %.1f %% on average\n", least, most,
	       100.0 * (double)sum / (double)(nr_pages * BENCH_PAGE_BYTES));
	return least >= COMPRESSED_MIN && most <= COMPRESSED_MAX;
}

/* A changed word, and a page of zeros, must both be seen. */
static bool check_detection(void)
{
	static _Atomic uint64_t words[BENCH_PAGE_WORDS];
	uint64_t sum = 0;
	bool zeros_seen = qr_page_verify(words, 3, 0, &sum) == 0;

	qr_page_fill(words, 3);
	bool whole = qr_page_verify(words, 3, 0, &sum) == BENCH_PAGE_WORDS;

	atomic_fetch_add(&words[0], BENCH_ONE_WRITE);
	bool write_seen = qr_page_verify(words, 3, 0, &sum) == 0;
	bool write_counted = qr_page_verify(words, 3, 1, &sum) == BENCH_PAGE_WORDS;

	atomic_fetch_xor(&words[511], 1);
	bool flip_seen = qr_page_verify(words, 3, 1, &sum) == 511;

	printf("wrong bytes are seen: %s\n",
	       zeros_seen && write_seen && flip_seen ? "yes" : "no");
	return zeros_seen && whole && write_seen && write_counted && flip_seen;
}

static bool check_scatter(const struct bench_sampler *sampler)
{
	unsigned char *seen = calloc(sampler->nr_pages, 1);
	uint64_t nr_seen = 0, nr_neighbours = 0, last = 0;

	if (seen == NULL)
		return false;
	for (uint64_t rank = 0; rank < sampler->nr_pages; rank++) {
		uint64_t page = qr_sampler_scatter(sampler, rank);

		nr_seen += seen[page] == 0;
		seen[page] = 1;
		nr_neighbours += page == last + 1 || last == page + 1;
		last = page;
	}
	free(seen);
	printf("ranks stand for %llu of %llu pages; %llu neighbours in rank are so in "
	       "memory\n",
	       (unsigned long long)nr_seen, (unsigned long long)sampler->nr_pages,
	       (unsigned long long)nr_neighbours);
	return nr_seen == sampler->nr_pages && nr_neighbours < sampler->nr_pages / 100;
}

static double zipf_weights(double *cumulated, uint64_t nr_ranks)
{
	double sum = 0.0;

	for (uint64_t rank = 0; rank < nr_ranks; rank++) {
		sum += pow((double)rank + 1.0, -0.99);
		cumulated[rank] = sum;
	}
	return sum;
}

/* Counts samples in ranks [0, 1), [0, 2), [0, 4), ... and compares with the sum. */
static bool check_zipf(struct bench_sampler *sampler)
{
	enum { NR_SAMPLES = 2000000, NR_BINS = 48 };
	double *cumulated = calloc(sampler->nr_pages, sizeof(*cumulated));
	uint64_t counts[NR_BINS] = {0};
	double worst = 0.0;

	if (cumulated == NULL)
		return false;
	for (int i = 0; i < NR_SAMPLES; i++) {
		uint64_t rank = qr_sampler_zipf_rank(sampler);

		for (int bin = 0; bin < NR_BINS; bin++)
			counts[bin] += rank < (uint64_t)1 << bin;
	}
	double total = zipf_weights(cumulated, sampler->nr_pages);

	for (int bin = 0; (uint64_t)1 << bin < sampler->nr_pages; bin++) {
		double p = cumulated[((uint64_t)1 << bin) - 1] / total;
		double deviation = sqrt(NR_SAMPLES * p * (1.0 - p));
		double off = fabs((double)counts[bin] - NR_SAMPLES * p) / deviation;

		worst = off > worst ? off : worst;
	}
	printf("zipf: the first rank has %.3f %% of the samples, the sum says %.3f %%; "
	       "worst of the bins is off by %.1f deviations\n",
	       100.0 * (double)counts[0] / NR_SAMPLES, 100.0 * cumulated[0] / total,
	       worst);
	free(cumulated);
	return worst < DEVIATIONS_MAX;
}

int qr_selfcheck_run(const struct bench_options *options)
{
	uint64_t nr_pages = options->bytes / BENCH_PAGE_BYTES;
	struct bench_sampler sampler;
	bool good = true;

	qr_sampler_init(&sampler, BENCH_ZIPF, nr_pages, 0, options->seed);
	good &= check_compression(nr_pages);
	good &= check_detection();
	good &= check_scatter(&sampler);
	good &= check_zipf(&sampler);
	puts(good ? "self-check passed" : "self-check failed");
	return good ? 0 : 1;
}
