/* SPDX-License-Identifier: MIT */
/* setid.c - prints whether the process runs with another's rights; linked with Quire. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

int main(void)
{
	free(malloc(100));
	puts(getauxval(AT_SECURE) != 0 ? "secure" : "ordinary");
	return 0;
}
