/* SPDX-License-Identifier: MIT */
/* realloc_interior.c - a pointer into a block, handed to realloc. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(400);

	block = realloc(block + 32, 800);
	return 0;
}
