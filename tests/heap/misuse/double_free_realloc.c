/* SPDX-License-Identifier: MIT */
/* double_free_realloc.c - a block that realloc has moved, freed at its old place. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(40);
	char *volatile moved = realloc(block, 4000);

	free(block);
	free(moved);
	return 0;
}
