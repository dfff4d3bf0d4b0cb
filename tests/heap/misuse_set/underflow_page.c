/* SPDX-License-Identifier: MIT */
/* underflow_page.c - a page is written before the start; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block - PAGE, PAGE);
	free(block);
	return MISSED;
}
