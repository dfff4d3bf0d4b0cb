/* SPDX-License-Identifier: MIT */
/* write_after_free_end.c - the last byte is written after the block was freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	flip(block + bytes - 1, 1);
	return MISSED;
}
