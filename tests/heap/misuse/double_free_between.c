/* SPDX-License-Identifier: MIT */
/* double_free_between.c - twice, with another block freed in between. */
#include <stdlib.h>

int main(void)
{
	char *volatile one = malloc(40);
	char *volatile other = malloc(40);

	free(one);
	free(other);
	free(one);
	return 0;
}
