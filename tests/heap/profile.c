/* SPDX-License-Identifier: MIT */
/* profile.c - a program whose functions allocate known amounts; profile.py judges what
 * the profiler says of them.
 *
 *     profile [SIGNAL]     in the middle the signal is raised, and soon after the process
 *                          ends without its destructors
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define NR 20000

static void *volatile kept[NR];

__attribute__((noinline)) static void *alloc_leaf(size_t bytes)
{
	/* No tail call, so that this function is on the stack. */
	void *volatile block = malloc(bytes);

	return block;
}

/* 20000 blocks of 100 bytes that stay. */
__attribute__((noinline)) static void keep_small(void)
{
	for (size_t i = 0; i < NR; i++)
		kept[i] = alloc_leaf(100);
}

/* 20000 blocks of 500 bytes that go at once. */
__attribute__((noinline)) static void churn_small(void)
{
	for (size_t i = 0; i < NR; i++)
		free(alloc_leaf(500));
}

/* 50 large blocks that grow by realloc, of which 10 stay. */
__attribute__((noinline)) static void grow_large(void)
{
	for (int i = 0; i < 50; i++) {
		void *block = alloc_leaf(50000);

		block = realloc(block, 400000);
		if (i >= 10)
			free(block);
		else
			kept[i] = block;
	}
}

/* Another thread frees what this one allocated: 5000 blocks of 1000 bytes. */
__attribute__((noinline)) static void hand_over(void **blocks, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		blocks[i] = alloc_leaf(1000);
}

static void *free_all(void *blocks_pointer)
{
	void **blocks = blocks_pointer;

	for (size_t i = 0; i < 5000; i++)
		free(blocks[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	static void *blocks[5000];
	pthread_t thread;

	keep_small();
	if (argc > 1)
		raise(atoi(argv[1]));
	churn_small();
	if (argc > 1)
		_exit(3);
	hand_over(blocks, 5000);
	if (pthread_create(&thread, NULL, free_all, blocks) != 0)
		return 1;
	pthread_join(thread, NULL);
	/* Ten of the small ones are freed again. */
	for (int i = 0; i < 10; i++)
		free(kept[i]);
	grow_large();
	return 0;
}
