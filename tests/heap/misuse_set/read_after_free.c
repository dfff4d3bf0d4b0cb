/* SPDX-License-Identifier: MIT */
/* read_after_free.c - a block is read after it was freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	return seen(block, bytes) ? MISSED : HARMLESS;
}
