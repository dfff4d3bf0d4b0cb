/* SPDX-License-Identifier: MIT */
/* fuzz.c - a sequence of requests read from a fuzzer's bytes, against a shadow of what
 * the blocks must hold.
 *
 * With libFuzzer, in a build directory made with CC=clang: `ninja tests/heap/fuzz-heap`.
 * fuzz_run.c calls it with random bytes.
 */
#include "tests/heap/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_PLACES  48
#define STEP_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct place {
	unsigned char *block;
	size_t bytes;
	unsigned char mark;
};

static void stop(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void check(const struct place *place)
{
	for (size_t i = 0; i < place->bytes; i++) {
		if (place->block[i] != place->mark)
			stop("a block lost its contents");
	}
}

/* A byte of exponent and one of fraction: all classes, large and huge ones too. */
static size_t size_of(uint8_t high, uint8_t low)
{
	unsigned shift = high % 25;

	return ((size_t)1 << shift) + (((size_t)low << shift) >> 8) - (high >> 7);
}

static void fill(struct place *place, size_t bytes, uint8_t mark)
{
	/* The ends of a large block stand for it: a run is many steps. */
	place->bytes = bytes < 4096 ? bytes : 4096;
	place->mark = mark;
	if (place->block == NULL)
		stop("no memory");
	if (qr_heap_usable(place->block) < bytes)
		stop("a block is smaller than asked for");
	memset(place->block, mark, place->bytes);
	if (bytes != 0)
		place->block[bytes - 1] = mark;
}

static void *zeroed(size_t bytes)
{
	unsigned char *block = qr_heap_calloc(bytes, 1);

	for (size_t i = 0; block != NULL && i < bytes && i < 4096; i++) {
		if (block[i] != 0)
			stop("a block is not zeroed");
	}
	return block;
}

static void renew(struct place *place, const uint8_t *step)
{
	size_t bytes = size_of(step[1], step[2]);
	size_t align = (size_t)1 << (step[3] % 14);

	qr_heap_free(place->block);
	if ((step[0] & 0x40) != 0)
		place->block = qr_heap_aligned(align, bytes);
	else
		place->block =
			(step[0] & 0x80) != 0 ? zeroed(bytes) : qr_heap_malloc(bytes);
	if ((step[0] & 0x40) != 0 && ((uintptr_t)place->block & (align - 1)) != 0)
		stop("a block is not aligned");
	fill(place, bytes, step[3]);
}

static void resize(struct place *place, const uint8_t *step)
{
	size_t bytes = size_of(step[1], step[2]);

	if (bytes == 0)
		bytes = 1;
	place->block = qr_heap_realloc(place->block, bytes);
	if (place->bytes > bytes)
		place->bytes = bytes;
	check(place);
	fill(place, bytes, step[3]);
}

static void drop(struct place *place)
{
	qr_heap_free(place->block);
	*place = (struct place){.block = NULL};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct place place[NR_PLACES] = {{.block = NULL}};
	const char *broken;

	for (size_t at = 0; at + STEP_BYTES <= bytes; at += STEP_BYTES) {
		const uint8_t *step = data + at;
		struct place *p = &place[step[0] % NR_PLACES];

		check(p);
		if (step[0] >= 0xf8)
			qr_heap_trim((size_t)step[1] << 10);
		else if ((step[2] & 7) == 0)
			drop(p);
		else if ((step[2] & 7) < 3)
			resize(p, step);
		else
			renew(p, step);
	}
	broken = qr_heap_validate();
	if (broken != NULL)
		stop(broken);
	for (int i = 0; i < NR_PLACES; i++) {
		check(&place[i]);
		drop(&place[i]);
	}
	return 0;
}
