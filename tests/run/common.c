/* SPDX-License-Identifier: MIT */
/* Checks, patterns and pressure for the programs under `quire run`.
 *
 * Nothing here keeps its state in memory that Quire pages: statics and the stack
 * stay with the host, so the oracle does not depend on what it judges.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define WORDS_A_PAGE	(PAGE_BYTES / sizeof(uint64_t))
#define WORDS_REPEATED	64
#define EXIT_SKIP	77

static _Atomic size_t nr_absent;

_Noreturn void qr_check_fail(const char *file, int line, const char *what)
{
	char text[512];
	int bytes = snprintf(text, sizeof(text), "%s:%d: pid %d: not so: %s (errno %d)\n",
			     file, line, (int)getpid(), what, errno);

	if (bytes > 0 && write(STDERR_FILENO, text, (size_t)bytes) < 0)
		_exit(2);
	_exit(1);
}

void qr_check_skip(const char *why)
{
	printf("skip %s\n", why);
	fflush(stdout);
}

static bool trial_is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int qr_trials_run(const struct trial *trials, size_t nr, int argc, char **argv)
{
	size_t nr_run = 0;

	for (size_t i = 0; i < nr; i++) {
		if (!trial_is_wanted(trials[i].name, argc, argv))
			continue;
		trials[i].run();
		printf("ok %s\n", trials[i].name);
		fflush(stdout);
		nr_run++;
	}
	printf("absent %zu\n", atomic_load(&nr_absent));
	return nr_run ? 0 : EXIT_SKIP;
}

size_t qr_ram_bytes(void)
{
	const char *text = getenv("TEST_RAM_MIB");

	return (text ? strtoul(text, NULL, 10) : 16) * MIB;
}

void *qr_pages_map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

void qr_pages_unmap(void *at, size_t bytes)
{
	CHECK(munmap(at, bytes) == 0);
}

/* The finalizer of splitmix64: neighbouring inputs give unrelated words. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t word_at(uint64_t seed, size_t word, size_t period)
{
	size_t page = word / WORDS_A_PAGE;

	return mix(seed * UINT64_C(0x9e3779b97f4a7c15) + page * WORDS_A_PAGE +
		   word % period + 1);
}

static void fill(uint64_t *at, size_t bytes, uint64_t seed, size_t first, size_t period)
{
	for (size_t i = 0; i < bytes / sizeof(*at); i++)
		at[i] = word_at(seed, first + i, period);
}

static bool match(const uint64_t *at, size_t bytes, uint64_t seed, size_t period)
{
	for (size_t i = 0; i < bytes / sizeof(*at); i++)
		if (at[i] != word_at(seed, i, period))
			return false;
	return true;
}

void qr_pages_fill(void *at, size_t bytes, uint64_t seed)
{
	fill(at, bytes, seed, 0, WORDS_REPEATED);
}

void qr_pages_fill_from(void *at, size_t bytes, uint64_t seed, size_t page)
{
	fill(at, bytes, seed, page * WORDS_A_PAGE, WORDS_REPEATED);
}

void qr_noise_fill(void *at, size_t bytes, uint64_t seed)
{
	fill(at, bytes, seed, 0, WORDS_A_PAGE);
}

bool qr_pages_match(const void *at, size_t bytes, uint64_t seed)
{
	return match(at, bytes, seed, WORDS_REPEATED);
}

bool qr_noise_match(const void *at, size_t bytes, uint64_t seed)
{
	return match(at, bytes, seed, WORDS_A_PAGE);
}

bool qr_pages_are_zero(const void *at, size_t bytes)
{
	const uint64_t *word = at;

	for (size_t i = 0; i < bytes / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

size_t qr_pages_present(const void *at, size_t bytes)
{
	size_t first = (uintptr_t)at / PAGE_BYTES, nr = bytes / PAGE_BYTES, present = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry[64];

	CHECK(fd >= 0);
	while (nr) {
		size_t batch = nr < 64 ? nr : 64;
		off_t where = (off_t)(first * sizeof(entry[0]));

		CHECK(pread(fd, entry, batch * sizeof(entry[0]), where) ==
		      (ssize_t)(batch * sizeof(entry[0])));
		for (size_t i = 0; i < batch; i++)
			present += (entry[i] & PAGEMAP_PRESENT) != 0;
		first += batch;
		nr -= batch;
	}
	close(fd);
	return present;
}

void qr_pressure_apply(void)
{
	size_t bytes = 3 * qr_ram_bytes();
	void *other = qr_pages_map(bytes);

	qr_pages_fill(other, bytes, 0xfeed);
	CHECK(qr_pages_match(other, bytes, 0xfeed));
	qr_pages_unmap(other, bytes);
}

void qr_pages_push_out(const void *at, size_t bytes)
{
	qr_pressure_apply();
	atomic_fetch_add(&nr_absent, bytes / PAGE_BYTES - qr_pages_present(at, bytes));
}

uint64_t qr_random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

int qr_child_wait(pid_t pid)
{
	int status;

	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

double qr_clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
