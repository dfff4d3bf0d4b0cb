/* SPDX-License-Identifier: MIT */
/* late.c - a library that allocates when it is loaded, when it is used and when it goes;
 * early.c loads it. */
#include <stdlib.h>
#include <string.h>

char *late_give(void);

static char *volatile own;

__attribute__((constructor)) static void begin(void)
{
	own = malloc(3000);
}

__attribute__((destructor)) static void end(void)
{
	free(own);
	free(malloc(100000));
}

char *late_give(void)
{
	char *block = malloc(5);

	return block != NULL ? strcpy(block, "late") : NULL;
}
