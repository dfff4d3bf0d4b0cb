/* SPDX-License-Identifier: MIT */
/* double_free_large.c - a block with pages of its own freed twice. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc(100000);

	free(block);
	free(block);
	return 0;
}
