/* SPDX-License-Identifier: MIT */
/* overflow_one.c - one byte is written past the end; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes, 1);
	free(block);
	return MISSED;
}
