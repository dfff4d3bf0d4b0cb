/* SPDX-License-Identifier: MIT */
/* free_interior.c - a pointer into a block, at a block's alignment, is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block + 16);
	return MISSED;
}
