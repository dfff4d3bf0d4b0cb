/* SPDX-License-Identifier: MIT */
/* write_after_free_reused.c - a freed block is written to when the next one was allocated. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes), *next;

	free(block);
	next = fill(malloc(bytes), bytes);
	flip(block, 1);
	use(next);
	return MISSED;
}
