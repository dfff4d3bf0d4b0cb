/* SPDX-License-Identifier: MIT */
/* source.h - where the choices of a sequence come from: a seed, or given bytes. */
#ifndef QUIRE_TESTS_MODEL_SOURCE_H
#define QUIRE_TESTS_MODEL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source {
	uint64_t state;	     /* of the generator; unused with data */
	const uint8_t *data; /* or NULL */
	size_t bytes, at;
};

static inline struct source source_seed(uint64_t seed)
{
	return (struct source){.state = seed};
}

static inline struct source source_data(const uint8_t *data, size_t bytes)
{
	return (struct source){.data = data, .bytes = bytes};
}

/* True when given bytes are used up; a seed never is. */
static inline bool source_is_over(const struct source *source)
{
	return source->data != NULL && source->at >= source->bytes;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t source_next(struct source *source)
{
	uint64_t z = source->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* A number below limit, 1..65536. */
static inline uint32_t source_below(struct source *source, uint32_t limit)
{
	uint32_t value = 0;

	if (source->data == NULL)
		return (uint32_t)(source_next(source) >> 32) % limit;
	for (uint32_t shift = 0; (limit - 1) >> shift != 0; shift += 8)
		if (source->at < source->bytes)
			value |= (uint32_t)source->data[source->at++] << shift;
	return value % limit;
}

/* True once in so many times. */
static inline bool source_one_in(struct source *source, uint32_t times)
{
	return source_below(source, times) == 0;
}

#endif
