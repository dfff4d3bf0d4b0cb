/* SPDX-License-Identifier: MIT */
/* underflow_many.c - sixteen bytes are written before the start; the block is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	flip(block - 16, 16);
	free(block);
	return MISSED;
}
