/* SPDX-License-Identifier: MIT */
/* early.c - a program that allocates where little works yet or any more: in
 * constructors, in a library that is loaded late and has gone again, in a thread's
 * destructors, at exit and after it.  Prints "early: right" where all was as it should be.
 *
 *     early LIBRARY
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *first, *by_library;
static pthread_key_t key;

/* Blocks of several sizes, written to and resized. */
static bool works(void)
{
	for (size_t bytes = 1; bytes < 1 << 20; bytes = bytes * 5 + 1) {
		char *block = malloc(bytes);

		if (block == NULL)
			return false;
		memset(block, 1, bytes);
		block = realloc(block, 2 * bytes);
		if (block == NULL || block[bytes - 1] != 1)
			return false;
		free(block);
	}
	return true;
}

static void require(bool right, const char *where)
{
	if (right)
		return;
	(void)write(STDOUT_FILENO, where, strlen(where));
	_exit(1);
}

__attribute__((constructor(101))) static void at_start(void)
{
	first = malloc(100);
	require(first != NULL && works(), "in a constructor\n");
}

__attribute__((destructor(101))) static void at_end(void)
{
	free(first);
	require(works(), "in a destructor\n");
	(void)write(STDOUT_FILENO, "early: right\n", strlen("early: right\n"));
}

static void at_exit_first(void)
{
	free(by_library);
	require(works(), "at exit\n");
}

/* The heap's own destructor of the thread may have run before. */
static void at_thread_end(void *block)
{
	static __thread int rounds;

	free(block);
	require(works(), "at a thread's end\n");
	if (++rounds < 3)
		pthread_setspecific(key, malloc(200));
}

static void *work(void *argument)
{
	(void)argument;
	pthread_setspecific(key, malloc(100));
	require(works(), "in a thread\n");
	return NULL;
}

/* What the library allocated is freed when it has gone. */
static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	char *(*give)(void);
	void *symbol;

	require(library != NULL, "dlopen\n");
	symbol = dlsym(library, "late_give");
	require(symbol != NULL, "dlsym\n");
	memcpy(&give, &symbol, sizeof(give));
	by_library = give();
	require(by_library != NULL && strcmp(by_library, "late") == 0, "by a library\n");
	dlclose(library);
	require(strcmp(by_library, "late") == 0, "after dlclose\n");
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 2 || atexit(at_exit_first) != 0)
		return 2;
	load(argv[1]);
	require(pthread_key_create(&key, at_thread_end) == 0, "pthread_key_create\n");
	require(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create\n");
	pthread_join(thread, NULL);
	require(works(), "in main\n");
	return 0;
}
