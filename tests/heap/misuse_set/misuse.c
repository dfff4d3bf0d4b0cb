/* SPDX-License-Identifier: MIT */
/* misuse.c - the frame of the programs of the misuse set: PROGRAM RANGE. */
#include "misuse.h"

#include <pthread.h>
#include <string.h>

#define SECRET ((char)0xb7)

/* Sizes that are odd within their range, as sizes are. */
static const struct {
	const char *name;
	size_t bytes;
} ranges[] = {
	{"small", 40},
	{"medium", 3000},
	{"large", 100000},
	{"huge", (size_t)40 << 20},
};

char *fill(char *block, size_t bytes)
{
	if (block == NULL)
		exit(2);
	memset(block, SECRET, bytes);
	return block;
}

bool seen(char *block, size_t bytes)
{
	size_t nr = 0;

	for (size_t i = 0; i < bytes; i++)
		nr += *(volatile char *)&block[i] == SECRET;
	/* A byte of something else may look like one. */
	return nr > 4 + bytes / 16;
}

void flip(char *at, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		*(volatile char *)&at[i] ^= (char)0xff;
}

void use(char *at)
{
	(void)*(volatile char *)at;
}

char *grow(char *block, size_t bytes)
{
	char *moved = block;

	/* Something behind it, so that it cannot grow where it is. */
	use(malloc(bytes));
	while (moved == block)
		moved = realloc(block, bytes *= 2);
	use(moved);
	return moved;
}

static void *free_it(void *block)
{
	free(block);
	return NULL;
}

void free_in_thread(char *block)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, free_it, block) != 0)
		exit(2);
	pthread_join(thread, NULL);
}

void free_secrets(size_t bytes)
{
	char *block[NR_BLOCKS];

	for (int i = 0; i < NR_BLOCKS; i++)
		block[i] = fill(malloc(bytes), bytes);
	for (int i = 0; i < NR_BLOCKS; i++)
		free(block[i]);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (argc == 2 && strcmp(argv[1], ranges[i].name) == 0)
			return misuse(ranges[i].bytes);
	}
	return 2;
}
