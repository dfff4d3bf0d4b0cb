/* SPDX-License-Identifier: MIT */
/* underread_one.c - one byte is read before the start. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	use(block - 1);
	free(block);
	return MISSED;
}
