/* SPDX-License-Identifier: MIT */
/* ends WORD [NUMBER] - ends in the way that the word says; the driver looks at the
 * exit status and at what is printed.
 *
 *   exit N       returns N from main          _exit N    leaves at once with N
 *   signal N     is killed by signal N        abort      calls abort()
 *   segv         reads an unmapped page       segv-thread  the same in a thread
 *   overflow     uses up its stack            exit-thread N  exits from a thread
 *   close-all    closes every descriptor by close(), then goes on
 *   close-from   the same by closefrom()      close-range  the same by close_range()
 *   dup-over     puts its own file over every free descriptor below 512
 *   noise N      writes and checks N MiB that no store can compress
 *   words        prints its arguments, one a line
 */
#define _GNU_SOURCE 1

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define FD_LIMIT 512

struct ending {
	const char *word;
	int (*end)(long number);
};

/* Memory in use at the end: the end must not depend on it. */
static char *hold(void)
{
	size_t bytes = 2 * qr_ram_bytes();
	char *data = qr_pages_map(bytes);

	qr_pages_fill(data, bytes, 181);
	return data;
}

static int end_exit(long number)
{
	hold();
	return (int)number;
}

static int end_at_once(long number)
{
	hold();
	_exit((int)number);
}

static int end_by_signal(long number)
{
	hold();
	raise((int)number);
	return 1;
}

static int end_abort(long number)
{
	(void)number;
	hold();
	abort();
}

static int read_unmapped(long number)
{
	volatile char *gone = hold();

	(void)number;
	qr_pages_unmap((void *)gone, PAGE_BYTES);
	return *gone;
}

static void *read_unmapped_in_thread(void *arg)
{
	read_unmapped(0);
	return arg;
}

static int end_segv_thread(long number)
{
	pthread_t thread;

	(void)number;
	CHECK(pthread_create(&thread, NULL, read_unmapped_in_thread, NULL) == 0);
	pthread_join(thread, NULL);
	return 1;
}

/* Not through calls of itself, which a compiler may turn into a loop. */
static int end_overflow(long number)
{
	volatile char *at = (volatile char *)__builtin_frame_address(0);

	(void)number;
	hold();
	while (at) {
		at -= PAGE_BYTES;
		*at = 1;
	}
	return 1;
}

static void *exit_in_thread(void *arg)
{
	hold();
	exit((int)(intptr_t)arg);
}

static int end_exit_thread(long number)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, exit_in_thread, (void *)(intptr_t)number) ==
	      0);
	pthread_join(thread, NULL);
	return 1;
}

/* Works on without any descriptor, then ends as if nothing was. */
static int work_without_files(void)
{
	size_t bytes = 4 * qr_ram_bytes();
	char *data = malloc(bytes);
	bool right;

	if (!data)
		return 2;
	qr_noise_fill(data, bytes, 182);
	right = qr_noise_match(data, bytes, 182);
	free(data);
	return right ? 0 : 3;
}

static int end_close_all(long number)
{
	(void)number;
	hold();
	for (int fd = 0; fd < FD_LIMIT; fd++)
		close(fd);
	return work_without_files();
}

static int end_close_from(long number)
{
	(void)number;
	hold();
	close(0);
	close(1);
	close(2);
	closefrom(3);
	return work_without_files();
}

static int end_close_range(long number)
{
	(void)number;
	hold();
	if (close_range(0, ~0U, 0) != 0)
		return 4;
	return work_without_files();
}

/* What the program writes to its own file, and nothing else, must be in it. */
static int end_dup_over(long number)
{
	int own = memfd_create("own", MFD_CLOEXEC), status;

	(void)number;
	hold();
	CHECK(own >= 0);
	for (int fd = 3; fd < FD_LIMIT; fd++)
		if (fd != own)
			CHECK(dup2(own, fd) == fd);
	CHECK(write(FD_LIMIT - 1, "x", 1) == 1);
	status = work_without_files();
	CHECK(lseek(own, 0, SEEK_END) == 1);
	return status;
}

static int end_noise(long number)
{
	size_t bytes = (size_t)number * MIB;
	char *data = qr_pages_map(bytes);

	qr_noise_fill(data, bytes, 183);
	CHECK(qr_noise_match(data, bytes, 183));
	printf("kept %ld MiB\n", number);
	return 0;
}

static const struct ending endings[] = {
	{"exit", end_exit},
	{"_exit", end_at_once},
	{"signal", end_by_signal},
	{"abort", end_abort},
	{"segv", read_unmapped},
	{"segv-thread", end_segv_thread},
	{"overflow", end_overflow},
	{"exit-thread", end_exit_thread},
	{"close-all", end_close_all},
	{"close-from", end_close_from},
	{"close-range", end_close_range},
	{"dup-over", end_dup_over},
	{"noise", end_noise},
};

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	for (int i = 2; i < argc && !strcmp(word, "words"); i++)
		puts(argv[i]);
	if (!strcmp(word, "words"))
		return 0;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (!strcmp(word, endings[i].word))
			return endings[i].end(number);
	fprintf(stderr, "ends: unknown word '%s'\n", word);
	return 99;
}
