/* SPDX-License-Identifier: MIT */
/* write_after_free_middle.c - bytes in the middle are written after the block was freed, and others are
 * allocated since. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	flip(block + bytes / 2, 8);
	for (int i = 0; i < 20; i++)
		use(malloc(bytes));
	return MISSED;
}
