/* SPDX-License-Identifier: MIT */
/* overflow_one_realloc.c - one byte is written past the end; the block is resized. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes, 1);
	use(realloc(block, 2 * bytes));
	return MISSED;
}
