/* SPDX-License-Identifier: MIT */
/* double_free.c - a block is freed twice running. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block);
	free(block);
	return MISSED;
}
