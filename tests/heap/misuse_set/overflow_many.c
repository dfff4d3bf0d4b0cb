/* SPDX-License-Identifier: MIT */
/* overflow_many.c - sixteen bytes are written past the end; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes, 16);
	free(block);
	return MISSED;
}
