/* SPDX-License-Identifier: MIT */
/* uninitialised_realloc.c - what realloc added is read before it is written to. */
#include "misuse.h"

int misuse(size_t bytes)
{
	free_secrets(bytes);
	for (int i = 0; i < NR_BLOCKS; i++) {
		char *block = realloc(malloc(bytes / 2), bytes);

		if (seen(block + bytes / 2, bytes - bytes / 2))
			return MISSED;
	}
	return HARMLESS;
}
