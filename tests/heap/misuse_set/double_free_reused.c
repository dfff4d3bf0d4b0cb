/* SPDX-License-Identifier: MIT */
/* double_free_reused.c - a block is freed twice, and the next one allocated between. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes), *next;

	free(block);
	next = fill(malloc(bytes), bytes);
	free(block);
	use(next);
	return MISSED;
}
