/* SPDX-License-Identifier: MIT */
/* double_free_many.c - twice, with many of its size freed in between. */
#include <stdlib.h>

int main(void)
{
	enum { NR = 10000 };
	static char *volatile block[NR];

	for (int i = 0; i < NR; i++)
		block[i] = malloc(100);
	for (int i = 0; i < NR; i += 2)
		free(block[i]);
	free(block[0]);
	return 0;
}
