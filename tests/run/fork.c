/* SPDX-License-Identifier: MIT */
/* fork: the child has every byte of its parent at that moment, and from then on the
 * two differ as they write.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

static size_t data_bytes(void)
{
	return 4 * qr_ram_bytes();
}

static char *filled_data(uint64_t seed)
{
	char *data = qr_pages_map(data_bytes());

	qr_pages_fill(data, data_bytes(), seed);
	qr_pages_push_out(data, data_bytes());
	return data;
}

/* What each child of these trials does: sees the old bytes, writes its own. */
static _Noreturn void check_and_rewrite(char *data, uint64_t seen, uint64_t own)
{
	CHECK(qr_pages_match(data, data_bytes(), seen));
	qr_pages_fill(data, data_bytes(), own);
	CHECK(qr_pages_match(data, data_bytes(), own));
	_exit(0);
}

static void fork_by(pid_t (*fork_way)(void))
{
	char *data = filled_data(51);
	pid_t pid = fork_way();

	if (pid == 0)
		check_and_rewrite(data, 51, 52);
	CHECK(qr_pages_match(data, data_bytes(), 51));
	qr_pages_fill(data, data_bytes(), 53);
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 53));
	qr_pages_unmap(data, data_bytes());
}

static void try_fork(void)
{
	fork_by(fork);
}

static void try_libc_raw(void)
{
	fork_by(_Fork);
}

static pid_t fork_by_syscall(void)
{
	return (pid_t)syscall(SYS_fork);
}

static pid_t fork_by_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void try_syscall(void)
{
	fork_by(fork_by_syscall);
}

static void try_clone(void)
{
	fork_by(fork_by_clone);
}

/* The parent writes on while the child still reads: a snapshot is taken this way. */
static void try_snapshot(void)
{
	char *data = filled_data(54);
	int fds[2];
	char go = 0;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK(qr_pages_match(data, data_bytes() / 2, 54));
		CHECK(read(fds[0], &go, 1) == 1);
		CHECK(qr_pages_match(data, data_bytes(), 54));
		_exit(0);
	}
	qr_pages_fill(data, data_bytes(), 55);
	qr_pages_push_out(data, data_bytes());
	CHECK(write(fds[1], &go, 1) == 1);
	qr_pages_fill(data, data_bytes(), 56);
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 56));
	close(fds[0]);
	close(fds[1]);
	qr_pages_unmap(data, data_bytes());
}

/* Each generation sees its parent's bytes and has a child of its own. */
static void try_nested(void)
{
	char *data = filled_data(60);

	for (uint64_t depth = 0; depth < 4; depth++) {
		pid_t pid = fork();

		if (pid == 0) {
			CHECK(qr_pages_match(data, data_bytes(), 60 + depth));
			qr_pages_fill(data, data_bytes(), 61 + depth);
			continue;
		}
		CHECK(qr_child_wait(pid) == 0);
		CHECK(qr_pages_match(data, data_bytes(), 60 + depth));
		if (depth > 0)
			_exit(0);
		qr_pages_unmap(data, data_bytes());
		return;
	}
	_exit(0);
}

/* Several children at once, each with pages of the others' common past. */
static void try_siblings(void)
{
	char *data = filled_data(70);
	pid_t pid[4];

	for (uint64_t i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			check_and_rewrite(data, 70, 71 + i);
	}
	for (size_t i = 0; i < 4; i++)
		CHECK(qr_child_wait(pid[i]) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 70));
	qr_pages_unmap(data, data_bytes());
}

/* The parent is gone before the grandchild has read a byte. */
static void try_orphan(void)
{
	char *data = filled_data(75);
	int fds[2];
	char done = 0;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		while (getppid() == pid)
			sched_yield();
		CHECK(qr_pages_match(data, data_bytes(), 75));
		CHECK(write(fds[1], "y", 1) == 1);
		_exit(0);
	}
	CHECK(qr_child_wait(pid) == 0);
	qr_pages_fill(data, data_bytes(), 76);
	close(fds[1]);
	CHECK(read(fds[0], &done, 1) == 1 && done == 'y');
	close(fds[0]);
	qr_pages_unmap(data, data_bytes());
}

/* Forks while other threads allocate, write and free. */
static _Atomic bool threads_run;

static void *allocate_and_write(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg + 1;

	while (atomic_load(&threads_run)) {
		size_t bytes = qr_random_next(&random) % MIB & ~(size_t)7;
		char *block = malloc(bytes), *mapped = qr_pages_map(MIB);

		CHECK(block);
		qr_pages_fill(block, bytes, bytes);
		qr_pages_fill(mapped, MIB, bytes + 1);
		CHECK(qr_pages_match(block, bytes, bytes));
		CHECK(qr_pages_match(mapped, MIB, bytes + 1));
		free(block);
		qr_pages_unmap(mapped, MIB);
	}
	return NULL;
}

static void use_and_free(char *block, size_t bytes)
{
	CHECK(block);
	memset(block, 5, bytes);
	CHECK(block[bytes - 1] == 5);
	free(block);
}

static _Noreturn void use_heap_in_child(const char *data)
{
	CHECK(qr_pages_match(data, data_bytes() / 8, 77));
	use_and_free(malloc(300000), 300000);
	_exit(0);
}

static void *fork_often(void *arg)
{
	const char *data = arg;

	for (size_t i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			use_heap_in_child(data);
		CHECK(qr_child_wait(pid) == 0);
	}
	return NULL;
}

static void try_threads(void)
{
	char *data = filled_data(77);
	pthread_t writers[3], forker;

	atomic_store(&threads_run, true);
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_create(&writers[i], NULL, allocate_and_write, (void *)i) ==
		      0);
	CHECK(pthread_create(&forker, NULL, fork_often, data) == 0);
	fork_often(data);
	CHECK(pthread_join(forker, NULL) == 0);
	atomic_store(&threads_run, false);
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_join(writers[i], NULL) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 77));
	qr_pages_unmap(data, data_bytes());
}

/* A child may start threads of its own, which fault at once. */
static void *check_and_allocate(void *arg)
{
	CHECK(qr_pages_match(arg, data_bytes(), 78));
	use_and_free(malloc(200000), 200000);
	return NULL;
}

static _Noreturn void run_threads_in_child(char *data)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, check_and_allocate, data) == 0);
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	check_and_rewrite(data, 78, 79);
}

static void try_threads_in_child(void)
{
	char *data = filled_data(78);
	pid_t pid = fork();

	if (pid == 0)
		run_threads_in_child(data);
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 78));
	qr_pages_unmap(data, data_bytes());
}

/* Blocks of the heap that the parent made, freed and grown by the child. */
static void try_heap(void)
{
	enum { NR = 2000 };
	static char *block[NR];
	pid_t pid;

	for (size_t i = 0; i < NR; i++) {
		block[i] = malloc(8 * (i + 1));
		CHECK(block[i]);
		qr_pages_fill(block[i], 8 * (i + 1), i);
	}
	qr_pressure_apply();
	pid = fork();
	for (size_t i = 0; i < NR; i++) {
		CHECK(qr_pages_match(block[i], 8 * (i + 1), i));
		if (i % 3 == 0) {
			block[i] = realloc(block[i], 16 * (i + 1));
			CHECK(block[i] && qr_pages_match(block[i], 8 * (i + 1), i));
		}
		free(block[i]);
	}
	if (pid == 0)
		_exit(0);
	CHECK(qr_child_wait(pid) == 0);
}

/* What madvise says about a child: not there at all, or there and zero. */
static void try_advice(void)
{
	char *data = filled_data(79);
	pid_t pid;

	CHECK(madvise(data, MIB, MADV_WIPEONFORK) == 0);
	CHECK(madvise(data + MIB, MIB, MADV_DONTFORK) == 0);
	pid = fork();
	if (pid == 0) {
		unsigned char vec[1];

		CHECK(qr_pages_are_zero(data, MIB));
		CHECK(mincore(data + MIB, PAGE_BYTES, vec) == -1 && errno == ENOMEM);
		memset(data, 1, MIB);
		_exit(0);
	}
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 79));
	CHECK(madvise(data, MIB, MADV_KEEPONFORK) == 0);
	CHECK(madvise(data + MIB, MIB, MADV_DOFORK) == 0);
	pid = fork();
	if (pid == 0)
		check_and_rewrite(data, 79, 80);
	CHECK(qr_child_wait(pid) == 0);
	qr_pages_unmap(data, data_bytes());
}

/* Memory that is not Quire's: shared between the two, as it is without it. */
static void try_shared(void)
{
	char *shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	pid_t pid;

	CHECK(shared != MAP_FAILED);
	qr_pages_fill(shared, MIB, 81);
	qr_pressure_apply();
	pid = fork();
	if (pid == 0) {
		CHECK(qr_pages_match(shared, MIB, 81));
		qr_pages_fill(shared, MIB, 82);
		_exit(0);
	}
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(shared, MIB, 82));
	qr_pages_unmap(shared, MIB);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"fork", try_fork},	    {"libc-raw", try_libc_raw},
		{"syscall", try_syscall},   {"clone", try_clone},
		{"snapshot", try_snapshot}, {"nested", try_nested},
		{"siblings", try_siblings}, {"orphan", try_orphan},
		{"threads", try_threads},   {"threads-in-child", try_threads_in_child},
		{"heap", try_heap},	    {"advice", try_advice},
		{"shared", try_shared},
	};

	return TRIALS_RUN(trials, argc, argv);
}
