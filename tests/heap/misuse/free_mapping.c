/* SPDX-License-Identifier: MIT */
/* free_mapping.c - a mapping that the heap did not make. */
#include <stdlib.h>
#include <sys/mman.h>

int main(void)
{
	char *volatile block = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	free(block);
	return 0;
}
