/* SPDX-License-Identifier: MIT */
/* read_after_realloc.c - a block is read where it was before realloc moved it. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);
	char *moved = grow(block, bytes);

	use(moved);
	return seen(block, bytes) ? MISSED : HARMLESS;
}
