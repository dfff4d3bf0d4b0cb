/* SPDX-License-Identifier: MIT */
/* double_free_threads.c - a block freed by two threads that did not allocate it. */
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

	for (int i = 0; i < 2; i++) {
		if (pthread_create(&thread, NULL, free_it, block) != 0)
			return 1;
		pthread_join(thread, NULL);
	}
	return 0;
}
