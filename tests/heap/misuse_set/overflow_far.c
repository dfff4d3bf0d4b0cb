/* SPDX-License-Identifier: MIT */
/* overflow_far.c - one byte is written a page past the end; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes + PAGE, 1);
	free(block);
	return MISSED;
}
