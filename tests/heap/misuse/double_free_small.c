/* SPDX-License-Identifier: MIT */
/* double_free_small.c - the same small block freed twice running. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(40);

	free(block);
	free(block);
	return 0;
}
