/* SPDX-License-Identifier: MIT */
/* free_unaligned.c - a pointer to a block's second byte is freed. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free(block + 1);
	return MISSED;
}
