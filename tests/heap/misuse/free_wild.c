/* SPDX-License-Identifier: MIT */
/* free_wild.c - an address that nothing is at. */
#include <stdlib.h>

int main(void)
{
	char *volatile block = (char *)0xdeadbeef0000;

	free(block);
	return 0;
}
