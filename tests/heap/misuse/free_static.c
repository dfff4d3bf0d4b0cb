/* SPDX-License-Identifier: MIT */
/* free_static.c - a static variable. */
#include <stdlib.h>

int main(void)
{
	static char variable[64];
	char *volatile block = variable;

	free(block);
	return 0;
}
