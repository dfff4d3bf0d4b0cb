/* SPDX-License-Identifier: MIT */
/* free_unaligned.c - a pointer one byte into a block. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(40);

	free(block + 1);
	return 0;
}
