/* SPDX-License-Identifier: MIT */
/* life.c - patterns about memory: what is held while a program fills, frees and idles. */
#include "bench/heap/bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void idle(void)
{
	struct timespec t = {1, 200000000};

	nanosleep(&t, NULL);
}

static void *touched(size_t bytes)
{
	return memset(bench_alloc(bytes), 1, bytes);
}

static void shuffle(void **block, size_t nr, uint64_t *seed)
{
	for (size_t i = nr; i-- > 1;) {
		size_t j = bench_random(seed) % (i + 1);
		void *other = block[i];

		block[i] = block[j];
		block[j] = other;
	}
}

/* Fill; free nine tenths at random; idle; refill with other sizes; free all; idle. */
static void fill_and_refill(void)
{
	enum { NR = 1000000 };
	void **block = malloc(NR * sizeof(*block));
	uint64_t seed = 12345;

	for (size_t i = 0; i < NR; i++)
		block[i] = touched(16 + bench_random(&seed) % 1000);
	bench_note("filled_kib");
	shuffle(block, NR, &seed);
	for (size_t i = 0; i < NR / 10 * 9; i++)
		free(block[i]);
	idle();
	bench_note("tenth_kib");
	for (size_t i = 0; i < NR / 10 * 9; i++)
		block[i] = touched(300 + bench_random(&seed) % 900);
	bench_note("refilled_kib");
	shuffle(block, NR, &seed);
	for (size_t i = 0; i < NR; i++)
		free(block[i]);
	free(block);
	idle();
	bench_note("freed_kib");
}

/* Sizes that drift upwards over a long run: yesterday's holes do not fit today. */
static void drift(void)
{
	enum { LIVE = 100000, STEPS = 6000000 };
	void **block = calloc(LIVE, sizeof(*block));
	uint64_t seed = 4242;

	for (size_t i = 0; i < STEPS; i++) {
		size_t at = bench_random(&seed) % LIVE;
		size_t middle = 32 + i / 8000;

		free(block[at]);
		block[at] = touched(middle / 2 + bench_random(&seed) % middle);
	}
	for (size_t i = 0; i < LIVE; i++)
		free(block[i]);
	free(block);
}

/* Waves: all that a round allocates is freed before the next, whose sizes differ. */
static void waves(void)
{
	enum { NR = 100000 };
	void **block = malloc(NR * sizeof(*block));
	uint64_t seed = 31;

	for (size_t round = 0; round < 30; round++) {
		for (size_t i = 0; i < NR; i++)
			block[i] = touched(16 + bench_random(&seed) % (50 + round * 30));
		for (size_t i = 0; i < NR; i++)
			free(block[i]);
	}
	free(block);
}

const struct bench_pattern bench_life[] = {
	{"fill-refill", "fill, free nine tenths, idle, refill, free all, idle",
	 fill_and_refill},
	{"drift", "100000 live, sizes that drift over a long run", drift},
	{"waves", "rounds that free all, each of other sizes", waves},
	{NULL, NULL, NULL},
};
