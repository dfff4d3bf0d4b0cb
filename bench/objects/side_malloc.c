/* SPDX-License-Identifier: MIT */
/* side_malloc.c - the process's malloc, whichever was preloaded. */
#include "bench/objects/bench.h"

#include <stdlib.h>

static void *fixed_alloc(struct bench_side *side)
{
	(void)side;
	return malloc(64);
}

static void give(struct bench_side *side, void *object)
{
	(void)side;
	free(object);
}

static void bulk_alloc(struct bench_side *side, void **out)
{
	(void)side;
	for (uint32_t i = 0; i < BENCH_BULK; i++)
		out[i] = malloc(64);
}

static void bulk_free(struct bench_side *side, void **objects)
{
	(void)side;
	for (uint32_t i = 0; i < BENCH_BULK; i++)
		free(objects[i]);
}

static void *alloc(struct bench_side *side, size_t bytes)
{
	(void)side;
	return malloc(bytes);
}

double bench_run_malloc(enum bench_pattern pattern, struct bench_side *side, uint64_t nr)
{
	static const struct bench_calls calls = {
		.fixed_alloc = fixed_alloc,
		.fixed_free = give,
		.bulk_alloc = bulk_alloc,
		.bulk_free = bulk_free,
		.alloc = alloc,
		.give = give,
	};

	return bench_pattern_run(&calls, pattern, side, nr);
}

struct bench_side *bench_malloc_open(uint32_t nr_threads)
{
	struct bench_side *sides = calloc(nr_threads, sizeof(*sides));

	if (sides == NULL)
		abort();
	for (uint32_t i = 0; i < nr_threads; i++) {
		sides[i].live = calloc(BENCH_LIVE, sizeof(void *));
		if (sides[i].live == NULL)
			abort();
	}
	return sides;
}
