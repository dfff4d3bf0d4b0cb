/* SPDX-License-Identifier: MIT */
/* write_after_free.c - the first byte is written after the block was freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	flip(block, 1);
	return MISSED;
}
