/* SPDX-License-Identifier: MIT */
/* info.c - a program that prints what malloc says of itself; info.py judges it. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	enum { NR = 3000 };
	static char *volatile blocks[NR];
	int failed;

	for (size_t i = 0; i < NR; i++)
		blocks[i] = malloc(i + 1);
	for (size_t i = 0; i < NR; i += 2)
		free(blocks[i]);
	blocks[0] = malloc((size_t)64 << 20);
	malloc_stats();
	failed = malloc_info(0, stdout);
	fclose(stdout);
	return failed;
}
