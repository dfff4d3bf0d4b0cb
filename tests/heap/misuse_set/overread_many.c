/* SPDX-License-Identifier: MIT */
/* overread_many.c - 256 KiB are read past the end. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	for (size_t i = 0; i < 64 * PAGE; i += 16)
		use(block + bytes + i);
	free(block);
	return MISSED;
}
