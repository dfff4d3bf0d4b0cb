/* SPDX-License-Identifier: MIT */
/* single.c - patterns of one thread. */
#include "bench/heap/bench.h"

#include <stdlib.h>
#include <string.h>

/* Keeps the compiler from pairing malloc with free. */
static void *volatile sink;

static void pairs(size_t bytes, int nr)
{
	for (int i = 0; i < nr; i++) {
		sink = malloc(bytes);
		free(sink);
	}
}

static void pairs_16(void)
{
	pairs(16, 40000000);
}

static void pairs_4k(void)
{
	pairs(4096, 20000000);
}

static void pairs_1m(void)
{
	pairs((size_t)1 << 20, 5000000);
}

/* A working set of which a random member is replaced. */
static void replace(size_t live, int steps, size_t least, size_t most)
{
	void **block = calloc(live, sizeof(*block));
	uint64_t seed = 88172645463325252u;

	for (int i = 0; i < steps; i++) {
		uint64_t r = bench_random(&seed);
		size_t at = (r >> 32) % live;

		free(block[at]);
		block[at] = bench_alloc(least + (r & 0xffffffff) % (most - least + 1));
	}
	for (size_t i = 0; i < live; i++)
		free(block[i]);
	free(block);
}

static void single_size(void)
{
	replace(1000, 20000000, 64, 64);
}

static void mixed_sizes(void)
{
	replace(1000, 15000000, 8, 1000);
}

static void million_live(void)
{
	replace(1000000, 6000000, 16, 128);
}

static void million_walked(void)
{
	enum { NR = 1000000 };
	unsigned char **block = malloc(NR * sizeof(*block));
	uint64_t seed = 7;
	unsigned sum = 0;

	for (size_t i = 0; i < NR; i++)
		block[i] = bench_alloc(16 + bench_random(&seed) % 80);
	for (size_t i = 0; i < NR; i++) {
		size_t j = bench_random(&seed) % NR;
		unsigned char *other = block[i];

		block[i] = block[j];
		block[j] = other;
	}
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < NR; i++)
			sum += block[i][0]++;
	}
	for (size_t i = 0; i < NR; i++)
		free(block[i]);
	sink = &block[sum % 2];
	free(block);
}

static void batches(size_t bytes, size_t nr, int rounds)
{
	void **block = malloc(nr * sizeof(*block));

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < nr; i++)
			block[i] = bench_alloc(bytes);
		for (size_t i = nr; i-- > 0;)
			free(block[i]);
	}
	free(block);
}

static void batches_32(void)
{
	batches(32, 10000, 1500);
}

static void batches_1k(void)
{
	batches(1024, 1000, 10000);
}

static void large_blocks(void)
{
	void *block[20] = {NULL};
	uint64_t seed = 99;

	for (int i = 0; i < 1500; i++) {
		uint64_t r = bench_random(&seed);
		size_t shift = 16 + (r >> 40) % 9;
		size_t bytes =
			((size_t)1 << shift) + (r & 0xffff) * 64 % ((size_t)1 << shift);
		size_t at = (r >> 20) % 20;

		free(block[at]);
		block[at] = bench_alloc(bytes);
		for (size_t j = 0; j < bytes; j += 4096)
			((char *)block[at])[j]++;
	}
	for (int i = 0; i < 20; i++)
		free(block[i]);
}

static void grow(size_t step, size_t end, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		char *block = NULL;

		for (size_t bytes = step; bytes <= end; bytes += step) {
			block = realloc(block, bytes);
			block[bytes - 1] = 1;
		}
		free(block);
	}
}

static void realloc_small_steps(void)
{
	grow(16, 65536, 3000);
}

static void realloc_large_steps(void)
{
	grow(4096, (size_t)32 << 20, 20);
}

/* Two that grow by turns cannot both stay at the end of the heap. */
static void realloc_doubling(void)
{
	for (int round = 0; round < 40000; round++) {
		char *one = NULL, *other = NULL;

		for (size_t bytes = 16; bytes <= 65536; bytes *= 2) {
			one = realloc(one, bytes);
			other = realloc(other, bytes);
			one[bytes - 1] = other[bytes - 1] = 1;
		}
		free(one);
		free(other);
	}
}

static void calloc_mixed(void)
{
	void *block[200] = {NULL};
	uint64_t seed = 5;

	for (int i = 0; i < 5000000; i++) {
		size_t at = bench_random(&seed) % 200;

		free(block[at]);
		block[at] = calloc(1, bench_size(&seed) % 5000);
	}
	for (int i = 0; i < 200; i++)
		free(block[i]);
}

static void aligned_mixed(void)
{
	void *block[200] = {NULL};
	uint64_t seed = 5;

	for (int i = 0; i < 5000000; i++) {
		size_t at = bench_random(&seed) % 200;

		free(block[at]);
		block[at] = aligned_alloc((size_t)16 << (bench_random(&seed) % 4),
					  16 + bench_random(&seed) % 500);
	}
	for (int i = 0; i < 200; i++)
		free(block[i]);
}

/* Trees of small nodes with text, built and taken down. */
struct node {
	struct node *left, *right;
	char *text;
};

static struct node *build(int depth, uint64_t *seed)
{
	struct node *node = bench_alloc(sizeof(*node));

	node->text = bench_alloc(8 + bench_random(seed) % 40);
	node->left = depth > 0 ? build(depth - 1, seed) : NULL;
	node->right = depth > 0 ? build(depth - 1, seed) : NULL;
	return node;
}

static void take_down(struct node *node)
{
	if (node == NULL)
		return;
	take_down(node->left);
	take_down(node->right);
	free(node->text);
	free(node);
}

static void trees(void)
{
	uint64_t seed = 3;

	for (int i = 0; i < 60; i++)
		take_down(build(15, &seed));
}

static void nothing(void)
{
}

const struct bench_pattern bench_single[] = {
	{"pairs-16", "malloc and free of 16 bytes, by turns", pairs_16},
	{"pairs-4k", "the same of 4 KiB", pairs_4k},
	{"pairs-1m", "the same of 1 MiB", pairs_1m},
	{"single-size", "1000 live of 64 bytes, random ones replaced", single_size},
	{"mixed-sizes", "1000 live of 8 to 1000 bytes, random ones replaced",
	 mixed_sizes},
	{"million-live", "a million live, random ones replaced", million_live},
	{"million-walked", "a million live, touched in random order", million_walked},
	{"lifo-32", "10000 of 32 bytes, freed last in first out", batches_32},
	{"lifo-1k", "1000 of 1 KiB, freed last in first out", batches_1k},
	{"large", "20 live of 64 KiB to 32 MiB, random ones replaced", large_blocks},
	{"realloc-small", "one block grown to 64 KiB by 16 bytes", realloc_small_steps},
	{"realloc-large", "one block grown to 32 MiB by 4 KiB", realloc_large_steps},
	{"realloc-doubling", "two blocks doubled up to 64 KiB", realloc_doubling},
	{"calloc", "200 live of mixed sizes, zeroed", calloc_mixed},
	{"aligned", "200 live, aligned to 16 to 128 bytes", aligned_mixed},
	{"trees", "binary trees with text, built and taken down", trees},
	{"nothing", "a program that does nothing", nothing},
	{NULL, NULL, NULL},
};
