/* SPDX-License-Identifier: MIT */
/* O_DIRECT: the disk's transfers pin the program's pages while others are evicted. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define PIECE_BYTES MIB
#define NR_PIECES   16
#define ROUNDS	    2

static _Atomic bool pressure_runs;
static char path[4096];

static void *press(void *arg)
{
	size_t bytes = qr_ram_bytes();
	char *other = qr_pages_map(bytes);
	uint64_t seed = 0;

	do {
		qr_pages_fill(other, bytes, ++seed);
		CHECK(qr_pages_match(other, bytes, seed));
	} while (atomic_load(&pressure_runs));
	qr_pages_unmap(other, bytes);
	return arg;
}

/* -1 where the file system has no O_DIRECT. */
static int open_direct(void)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(path, sizeof(path), "%s/direct.XXXXXX", dir ? dir : "/tmp");
	fd = mkostemp(path, O_DIRECT | O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	CHECK(fd >= 0 || errno == EINVAL);
	return fd;
}

static void transfer(int fd, char *buf, uint64_t round)
{
	size_t bytes = NR_PIECES * PIECE_BYTES;

	qr_pages_fill(buf, bytes, round);
	for (size_t i = 0; i < bytes; i += PIECE_BYTES)
		CHECK(pwrite(fd, buf + i, PIECE_BYTES, (off_t)i) == (ssize_t)PIECE_BYTES);
	qr_pages_fill(buf, bytes, round + 100);
	qr_pages_push_out(buf, bytes);
	for (size_t i = 0; i < bytes; i += PIECE_BYTES)
		CHECK(pread(fd, buf + i, PIECE_BYTES, (off_t)i) == (ssize_t)PIECE_BYTES);
	CHECK(qr_pages_match(buf, bytes, round));
	/* Into pages that were dropped a moment before. */
	CHECK(madvise(buf, bytes, MADV_DONTNEED) == 0);
	for (size_t i = 0; i < bytes; i += PIECE_BYTES)
		CHECK(pread(fd, buf + i, PIECE_BYTES, (off_t)i) == (ssize_t)PIECE_BYTES);
	CHECK(qr_pages_match(buf, bytes, round));
}

static void try_transfers(void)
{
	char *buf = qr_pages_map(NR_PIECES * PIECE_BYTES);
	pthread_t presser;
	int fd = open_direct();

	if (fd < 0) {
		qr_check_skip("transfers: the file system of TMPDIR has no O_DIRECT");
		qr_pages_unmap(buf, NR_PIECES * PIECE_BYTES);
		return;
	}
	atomic_store(&pressure_runs, true);
	CHECK(pthread_create(&presser, NULL, press, NULL) == 0);
	for (uint64_t round = 1; round <= ROUNDS; round++)
		transfer(fd, buf, round);
	atomic_store(&pressure_runs, false);
	CHECK(pthread_join(presser, NULL) == 0);
	close(fd);
	qr_pages_unmap(buf, NR_PIECES * PIECE_BYTES);
}

/* Reads that end in a child's pages while the parent writes its own. */
static void try_fork(void)
{
	char *buf = qr_pages_map(PIECE_BYTES);
	int fd = open_direct();
	pid_t pid;

	if (fd < 0) {
		qr_check_skip("fork: the file system of TMPDIR has no O_DIRECT");
		qr_pages_unmap(buf, PIECE_BYTES);
		return;
	}
	qr_pages_fill(buf, PIECE_BYTES, 161);
	CHECK(pwrite(fd, buf, PIECE_BYTES, 0) == (ssize_t)PIECE_BYTES);
	qr_pages_fill(buf, PIECE_BYTES, 162);
	qr_pages_push_out(buf, PIECE_BYTES);
	pid = fork();
	if (pid == 0) {
		CHECK(pread(fd, buf, PIECE_BYTES, 0) == (ssize_t)PIECE_BYTES);
		CHECK(qr_pages_match(buf, PIECE_BYTES, 161));
		_exit(0);
	}
	CHECK(qr_pages_match(buf, PIECE_BYTES, 162));
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(buf, PIECE_BYTES, 162));
	close(fd);
	qr_pages_unmap(buf, PIECE_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"transfers", try_transfers},
		{"fork", try_fork},
	};

	return TRIALS_RUN(trials, argc, argv);
}
