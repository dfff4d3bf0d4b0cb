/* SPDX-License-Identifier: MIT */
/* bench.h - what the allocation patterns share. */
#ifndef QUIRE_BENCH_HEAP_BENCH_H
#define QUIRE_BENCH_HEAP_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct bench_pattern {
	const char *name;
	const char *what;
	void (*run)(void);
};

extern const struct bench_pattern bench_single[], bench_threads[], bench_life[];

/* Xorshift; Marsaglia 2003. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A request size as programs have them: nearly all small, with a long tail. */
size_t bench_size(uint64_t *state);
/* malloc that ends the program where it fails, and writes to the block's ends. */
void *bench_alloc(size_t bytes);
/* Notes the resident memory under a name; printed at the end. */
void bench_note(const char *name);

#endif
