/* SPDX-License-Identifier: MIT */
/* underflow_one.c - one byte is written before the start; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block - 1, 1);
	free(block);
	return MISSED;
}
