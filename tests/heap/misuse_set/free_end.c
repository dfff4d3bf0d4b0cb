/* SPDX-License-Identifier: MIT */
/* free_end.c - a pointer to where a block ends is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block + (bytes & ~(size_t)15));
	return MISSED;
}
