/* SPDX-License-Identifier: MIT */
/* mremap: shrink, grow, move, to a fixed place, and without unmapping the old one. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <sys/mman.h>

#include "common.h"

#define DATA_BYTES (4 * MIB)

static char *absent_data(uint64_t seed)
{
	char *at = qr_pages_map(DATA_BYTES);

	qr_pages_fill(at, DATA_BYTES, seed);
	qr_pages_push_out(at, DATA_BYTES);
	return at;
}

static bool is_unmapped(char *at, size_t bytes)
{
	unsigned char vec[1];

	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		if (mincore(at + i, PAGE_BYTES, vec) == 0 || errno != ENOMEM)
			return false;
	return true;
}

static void try_shrink(void)
{
	char *at = absent_data(111);

	CHECK(mremap(at, DATA_BYTES, MIB, 0) == at);
	CHECK(is_unmapped(at + MIB, DATA_BYTES - MIB));
	CHECK(qr_pages_match(at, MIB, 111));
	qr_pages_unmap(at, MIB);
}

/* Shrunk and grown again: what was cut off must not come back. */
static void try_shrink_grow(void)
{
	char *at = absent_data(112);

	CHECK(mremap(at, DATA_BYTES, MIB, 0) == at);
	at = mremap(at, MIB, DATA_BYTES, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED);
	CHECK(qr_pages_match(at, MIB, 112));
	CHECK(qr_pages_are_zero(at + MIB, DATA_BYTES - MIB));
	qr_pages_unmap(at, DATA_BYTES);
}

/* The neighbour is taken, so that the pages have to move. */
static void try_grow_moving(void)
{
	char *at = absent_data(113), *grown;
	char *guard = mmap(at + DATA_BYTES / 2, PAGE_BYTES, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(guard == at + DATA_BYTES / 2);
	CHECK(mremap(at, DATA_BYTES / 2, DATA_BYTES, 0) == MAP_FAILED && errno == ENOMEM);
	grown = mremap(at, DATA_BYTES / 2, DATA_BYTES, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED && grown != at);
	CHECK(is_unmapped(at, DATA_BYTES / 2));
	CHECK(qr_pages_match(grown, DATA_BYTES / 2, 113));
	CHECK(qr_pages_are_zero(grown + DATA_BYTES / 2, DATA_BYTES / 2));
	qr_pages_unmap(grown, DATA_BYTES);
	qr_pages_unmap(at + DATA_BYTES / 2, DATA_BYTES / 2);
}

/* Step by step far past the bound, as a growing array does. */
static void try_grow_far(void)
{
	size_t end = 4 * qr_ram_bytes(), bytes = MIB;
	char *at = qr_pages_map(bytes);

	qr_pages_fill(at, bytes, 114);
	while (bytes < end) {
		at = mremap(at, bytes, 2 * bytes, MREMAP_MAYMOVE);
		CHECK(at != MAP_FAILED);
		CHECK(qr_pages_match(at, bytes, 114));
		CHECK(qr_pages_are_zero(at + bytes, bytes));
		bytes *= 2;
		qr_pages_fill(at, bytes, 114);
	}
	CHECK(qr_pages_match(at, bytes, 114));
	qr_pages_unmap(at, bytes);
}

/* Over another mapping, whose bytes are gone then. */
static void try_fixed(void)
{
	char *at = absent_data(115), *over = absent_data(116);

	CHECK(mremap(at, DATA_BYTES / 2, DATA_BYTES / 2, MREMAP_MAYMOVE | MREMAP_FIXED,
		     over) == over);
	CHECK(is_unmapped(at, DATA_BYTES / 2));
	CHECK(qr_pages_match(over, DATA_BYTES / 2, 115));
	qr_pages_fill(over, DATA_BYTES / 2, 116);
	CHECK(qr_pages_match(over, DATA_BYTES, 116));
	qr_pages_fill(at + DATA_BYTES / 2, DATA_BYTES / 2, 117);
	CHECK(qr_pages_match(at + DATA_BYTES / 2, DATA_BYTES / 2, 117));
	qr_pages_unmap(at + DATA_BYTES / 2, DATA_BYTES / 2);
	qr_pages_unmap(over, DATA_BYTES);
}

/* A part out of the middle: three mappings from one. */
static void try_middle(void)
{
	char *at = absent_data(118), *away;
	size_t quarter = DATA_BYTES / 4;

	away = mremap(at + quarter, quarter, quarter, MREMAP_MAYMOVE | MREMAP_FIXED,
		      qr_pages_map(quarter));
	CHECK(away != MAP_FAILED);
	CHECK(is_unmapped(at + quarter, quarter));
	qr_pages_push_out(away, quarter);
	CHECK(mremap(away, quarter, quarter, MREMAP_MAYMOVE | MREMAP_FIXED,
		     at + quarter) == at + quarter);
	CHECK(qr_pages_match(at, DATA_BYTES, 118));
	qr_pages_unmap(at, DATA_BYTES);
}

/* The old place stays mapped and reads as zero. */
static void try_dont_unmap(void)
{
	char *at = absent_data(119), *copy;

	copy = mremap(at, DATA_BYTES, DATA_BYTES, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	CHECK(copy != MAP_FAILED && copy != at);
	CHECK(qr_pages_are_zero(at, DATA_BYTES));
	CHECK(qr_pages_match(copy, DATA_BYTES, 119));
	qr_pages_fill(at, DATA_BYTES, 120);
	CHECK(qr_pages_match(copy, DATA_BYTES, 119));
	CHECK(qr_pages_match(at, DATA_BYTES, 120));
	qr_pages_unmap(copy, DATA_BYTES);
	qr_pages_unmap(at, DATA_BYTES);
}

static void try_errors(void)
{
	char *at = absent_data(121);

	CHECK(mremap(at + 1, MIB, 2 * MIB, MREMAP_MAYMOVE) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mremap(at, DATA_BYTES, 0, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(at, DATA_BYTES, DATA_BYTES, MREMAP_FIXED, at + MIB) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mremap(at, DATA_BYTES, DATA_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		     at + MIB) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mremap(at, DATA_BYTES, (size_t)1 << 46, MREMAP_MAYMOVE) == MAP_FAILED &&
	      errno == ENOMEM);
	CHECK(qr_pages_match(at, DATA_BYTES, 121));
	qr_pages_unmap(at, DATA_BYTES);
	CHECK(mremap(at, DATA_BYTES, 2 * DATA_BYTES, MREMAP_MAYMOVE) == MAP_FAILED &&
	      errno == EFAULT);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"shrink", try_shrink},
		{"shrink-grow", try_shrink_grow},
		{"grow-moving", try_grow_moving},
		{"grow-far", try_grow_far},
		{"fixed", try_fixed},
		{"middle", try_middle},
		{"dont-unmap", try_dont_unmap},
		{"errors", try_errors},
	};

	return TRIALS_RUN(trials, argc, argv);
}
