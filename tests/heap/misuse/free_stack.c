/* SPDX-License-Identifier: MIT */
/* free_stack.c - a variable on the stack. */
#include <stdlib.h>

int main(void)
{
	char variable[64];
	char *volatile block = variable;

	free(block);
	return 0;
}
