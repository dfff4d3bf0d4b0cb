/* SPDX-License-Identifier: MIT */
/* preloaded.c - programs that use malloc where a replacement of it can go wrong.
 *
 * preloaded dlopen LIBRARY... | exit | fork
 * Each prints the same under every allocator.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A block with a text in it, which must be there when it is freed. */
static char *make(const char *text)
{
	char *block = malloc(strlen(text) + 1);

	if (block == NULL)
		abort();
	return strcpy(block, text);
}

static void drop(char *block, const char *text)
{
	if (strcmp(block, text) != 0)
		abort();
	free(block);
}

static char *early, *late;

__attribute__((constructor(101))) static void before_all(void)
{
	early = make("made by a constructor");
}

__attribute__((destructor(101))) static void after_all(void)
{
	drop(early, "made by a constructor");
	drop(make("made by a destructor"), "made by a destructor");
}

static void at_exit(void)
{
	drop(late, "made by main");
	late = make("made at exit");
	drop(realloc(late, 100000), "made at exit");
	puts("at exit");
}

static int use_exit(void)
{
	late = make("made by main");
	return atexit(at_exit);
}

/* Libraries that come and go, blocks that they make and somebody else frees. */
static int use_dlopen(char **names)
{
	for (int round = 0; round < 20; round++) {
		for (char **name = names; *name != NULL; name++) {
			void *library = dlopen(*name, RTLD_NOW | RTLD_LOCAL);

			if (library == NULL) {
				fprintf(stderr, "%s\n", dlerror());
				return 1;
			}
			drop(make(*name), *name);
			dlclose(library);
		}
	}
	puts("opened and closed");
	return 0;
}

static atomic_bool done;

static void *churn(void *argument)
{
	size_t bytes = 1;

	(void)argument;
	while (!done) {
		free(malloc(bytes % 100000));
		bytes = bytes * 7 + 3;
	}
	return NULL;
}

static int use_in_child(void)
{
	for (size_t i = 1; i < 3000; i++)
		free(realloc(malloc(i), i * 20));
	return 0;
}

static int use_fork(void)
{
	pthread_t thread[3];
	int nr_good = 0;

	for (int i = 0; i < 3; i++) {
		if (pthread_create(&thread[i], NULL, churn, NULL) != 0)
			return 1;
	}
	for (int i = 0; i < 100; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(60);
			_exit(use_in_child());
		}
		waitpid(child, &status, 0);
		nr_good += status == 0;
	}
	done = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	printf("%d children\n", nr_good);
	return nr_good != 100;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "dlopen") == 0)
		return use_dlopen(argv + 2);
	if (strcmp(what, "exit") == 0)
		return use_exit();
	if (strcmp(what, "fork") == 0)
		return use_fork();
	fprintf(stderr, "usage: preloaded dlopen LIBRARY... | exit | fork\n");
	return 2;
}
