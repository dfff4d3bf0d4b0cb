/* SPDX-License-Identifier: MIT */
/* double_free_other.c - a block freed by another thread, then by its own. */
#include <pthread.h>
#include <stdlib.h>

static void *free_it(void *block)
{
	free(block);
	return NULL;
}

int main(void)
{
	char *volatile block = malloc(40);
	pthread_t thread;

	if (pthread_create(&thread, NULL, free_it, block) != 0)
		return 1;
	pthread_join(thread, NULL);
	free(block);
	return 0;
}
