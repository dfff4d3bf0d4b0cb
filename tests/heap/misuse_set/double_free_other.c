/* SPDX-License-Identifier: MIT */
/* double_free_other.c - a block is freed twice, and another one between. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes), *other = fill(malloc(bytes), bytes);

	free(block);
	free(other);
	free(block);
	return MISSED;
}
