/* SPDX-License-Identifier: MIT */
/* overread_one.c - one byte is read past the end. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	use(block + bytes);
	free(block);
	return MISSED;
}
