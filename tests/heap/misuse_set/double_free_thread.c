/* SPDX-License-Identifier: MIT */
/* double_free_thread.c - a block is freed in another thread, and then in this one. */
#include "misuse.h"

int misuse(size_t bytes)
{
	char *block = fill(malloc(bytes), bytes);

	free_in_thread(block);
	free(block);
	return MISSED;
}
