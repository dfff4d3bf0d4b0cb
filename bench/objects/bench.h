/* SPDX-License-Identifier: MIT */
/* bench.h - allocation patterns, written once for every allocator.
 *
 * Each pattern is a function of an allocator's calls; with these constant it is compiled
 * into direct calls, so that what is timed is the allocator and a loop around it.
 */
#ifndef QUIRE_BENCH_OBJECTS_BENCH_H
#define QUIRE_BENCH_OBJECTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_BULK  32u	  /* objects of a bulk call */
#define BENCH_SIZES 4096u /* of the table of sizes, a power of two */
#define BENCH_LIVE  16384u

/* What a side needs to allocate; one for each thread. */
struct bench_side {
	void *objects, *cache;
	uint32_t cpu;
	void **live; /* BENCH_LIVE slots */
};

struct bench_calls {
	void *(*fixed_alloc)(struct bench_side *side); /* 64 bytes */
	void (*fixed_free)(struct bench_side *side, void *object);
	void (*bulk_alloc)(struct bench_side *side, void **out);
	void (*bulk_free)(struct bench_side *side, void **objects);
	void *(*alloc)(struct bench_side *side, size_t bytes);
	void (*give)(struct bench_side *side, void *object);
};

enum bench_pattern {
	BENCH_PAIR,	    /* 64 bytes, allocated and freed */
	BENCH_BULK_PAIR,    /* 32 of them; time of one */
	BENCH_MIXED_PAIR,   /* 8 to 8192 bytes, each octave as often */
	BENCH_RANDOM,	    /* one of 16384 objects of 64 bytes is replaced */
	BENCH_MIXED_RANDOM, /* the same, 8 to 1024 bytes */
	BENCH_PATTERNS,
};

extern const char *const bench_names[BENCH_PATTERNS];

/* Times nr turns of a pattern; nanoseconds. */
typedef double bench_run(enum bench_pattern pattern, struct bench_side *side,
			 uint64_t nr);

extern const uint16_t *bench_sizes(enum bench_pattern pattern);
double bench_now(void);
/* Nanoseconds a turn: runs for about seconds, in each of nr_threads threads with the
 * side of its number at once. */
double bench_measure(bench_run *run, enum bench_pattern pattern, struct bench_side *sides,
		     uint32_t nr_threads, double seconds);

bench_run bench_run_quire, bench_run_malloc;
/* Sides on a fresh machine of so much memory, and its end. */
struct bench_side *bench_quire_open(uint64_t bytes, uint32_t nr_cpus);
void bench_quire_close(struct bench_side *sides);
struct bench_side *bench_malloc_open(uint32_t nr_threads);

static inline uint64_t bench_random(uint64_t *state)
{
	/* Xorshift; Marsaglia 2003. */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#define BENCH_INLINE static inline __attribute__((always_inline))

/* The object is used, as far as the compiler knows, and its memory changes. */
BENCH_INLINE void bench_use(void *object)
{
	__asm__ volatile("" : : "r"(object) : "memory");
}

BENCH_INLINE void bench_pair(const struct bench_calls *calls, struct bench_side *side,
			     uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		void *object = calls->fixed_alloc(side);

		bench_use(object);
		calls->fixed_free(side, object);
	}
}

BENCH_INLINE void bench_bulk(const struct bench_calls *calls, struct bench_side *side,
			     uint64_t nr)
{
	void *objects[BENCH_BULK];

	for (uint64_t i = 0; i < nr; i += BENCH_BULK) {
		calls->bulk_alloc(side, objects);
		bench_use(objects);
		calls->bulk_free(side, objects);
	}
}

BENCH_INLINE void bench_mixed(const struct bench_calls *calls, struct bench_side *side,
			      uint64_t nr)
{
	const uint16_t *sizes = bench_sizes(BENCH_MIXED_PAIR);

	for (uint64_t i = 0; i < nr; i++) {
		void *object = calls->alloc(side, sizes[i % BENCH_SIZES]);

		bench_use(object);
		calls->give(side, object);
	}
}

BENCH_INLINE void bench_random_fixed(const struct bench_calls *calls,
				     struct bench_side *side, uint64_t nr)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < BENCH_LIVE; i++)
		side->live[i] = calls->fixed_alloc(side);
	for (uint64_t i = 0; i < nr; i++) {
		void **slot = &side->live[bench_random(&state) % BENCH_LIVE];

		calls->fixed_free(side, *slot);
		*slot = calls->fixed_alloc(side);
		bench_use(*slot);
	}
	for (uint32_t i = 0; i < BENCH_LIVE; i++)
		calls->fixed_free(side, side->live[i]);
}

BENCH_INLINE void bench_random_mixed(const struct bench_calls *calls,
				     struct bench_side *side, uint64_t nr)
{
	const uint16_t *sizes = bench_sizes(BENCH_MIXED_RANDOM);
	uint64_t state = 1;

	for (uint32_t i = 0; i < BENCH_LIVE; i++)
		side->live[i] = calls->alloc(side, sizes[i % BENCH_SIZES]);
	for (uint64_t i = 0; i < nr; i++) {
		void **slot = &side->live[bench_random(&state) % BENCH_LIVE];

		calls->give(side, *slot);
		*slot = calls->alloc(side, sizes[i % BENCH_SIZES]);
		bench_use(*slot);
	}
	for (uint32_t i = 0; i < BENCH_LIVE; i++)
		calls->give(side, side->live[i]);
}

BENCH_INLINE double bench_pattern_run(const struct bench_calls *calls,
				      enum bench_pattern pattern, struct bench_side *side,
				      uint64_t nr)
{
	double start = bench_now();

	switch (pattern) {
	case BENCH_PAIR:
		bench_pair(calls, side, nr);
		break;
	case BENCH_BULK_PAIR:
		bench_bulk(calls, side, nr);
		break;
	case BENCH_MIXED_PAIR:
		bench_mixed(calls, side, nr);
		break;
	case BENCH_RANDOM:
		bench_random_fixed(calls, side, nr);
		break;
	default:
		bench_random_mixed(calls, side, nr);
		break;
	}
	return (bench_now() - start) * 1e9;
}

#endif
