/* SPDX-License-Identifier: MIT */
/* overflow_one_kept.c - one byte is written past the end; the block is never freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes, 1);
	return MISSED;
}
