/* SPDX-License-Identifier: MIT */
/* read_after_free_reused.c - a freed block is read when the next one was allocated and filled. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = malloc(bytes), *next;

	free(block);
	next = fill(malloc(bytes), bytes);
	use(next);
	return seen(block, bytes) ? MISSED : HARMLESS;
}
