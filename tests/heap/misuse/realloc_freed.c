/* SPDX-License-Identifier: MIT */
/* realloc_freed.c - a block that was freed, handed to realloc. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(40);

	free(block);
	block = realloc(block, 80);
	return 0;
}
