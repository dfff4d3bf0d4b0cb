/* SPDX-License-Identifier: MIT */
/* uninitialised_aligned.c - new aligned blocks are read before they are written to. */
#include "misuse.h"

int misuse(size_t bytes)
{
	free_secrets(bytes);
	for (int i = 0; i < NR_BLOCKS; i++) {
		if (seen(aligned_alloc(64, bytes), bytes))
			return MISSED;
	}
	return HARMLESS;
}
