/* SPDX-License-Identifier: MIT */
/* double_free_moved.c - a block is freed where it was before realloc moved it. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);
	char *moved = grow(block, bytes);

	free(block);
	use(moved);
	return MISSED;
}
