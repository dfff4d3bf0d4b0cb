/* SPDX-License-Identifier: MIT */
/* double_free_huge.c - a block with a mapping of its own freed twice. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = malloc((size_t)100 << 20);

	free(block);
	free(block);
	return 0;
}
