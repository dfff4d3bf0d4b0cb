/* SPDX-License-Identifier: MIT */
/* write_after_realloc.c - a block is written to where it was before realloc moved it. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);
	char *moved = grow(block, bytes);

	flip(block, 1);
	use(moved);
	return MISSED;
}
