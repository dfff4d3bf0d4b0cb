/* SPDX-License-Identifier: MIT */
/* overflow_page.c - two pages are written past the end; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block + bytes, 2 * PAGE);
	free(block);
	return MISSED;
}
