/* SPDX-License-Identifier: MIT */
/* double_free_realloc.c - a block is resized after it was freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	use(realloc(block, 2 * bytes));
	return MISSED;
}
