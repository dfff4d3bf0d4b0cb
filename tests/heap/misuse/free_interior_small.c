/* SPDX-License-Identifier: MIT */
/* free_interior_small.c - a pointer into a small block. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(400);

	free(block + 16);
	return 0;
}
