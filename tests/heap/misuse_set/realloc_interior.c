/* SPDX-License-Identifier: MIT */
/* realloc_interior.c - a pointer into a block is resized. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	use(realloc(block + 16, bytes));
	return MISSED;
}
