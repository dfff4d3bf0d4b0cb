/* SPDX-License-Identifier: MIT */
/* free_interior_large.c - a pointer into a block with pages of its own. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(400000);

	free(block + 4096);
	return 0;
}
