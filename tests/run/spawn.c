/* SPDX-License-Identifier: MIT */
/* Programs that start programs: by vfork, posix_spawn, system, popen and exec.
 *
 * What is started runs on Quire too.  The heavy ones here are this program itself
 * with a word that makes it touch four times the bound: the driver sees from outside
 * whether each process kept it.
 */
#define _GNU_SOURCE 1

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define SELF "/proc/self/exe"

extern char **environ;

static char *held;
static size_t held_bytes;

static void hold(uint64_t seed)
{
	held_bytes = 2 * qr_ram_bytes();
	held = qr_pages_map(held_bytes);
	qr_pages_fill(held, held_bytes, seed);
	qr_pages_push_out(held, held_bytes);
}

static void release(uint64_t seed)
{
	CHECK(qr_pages_match(held, held_bytes, seed));
	qr_pages_unmap(held, held_bytes);
}

static int be_heavy(void)
{
	size_t bytes = 4 * qr_ram_bytes();
	char *data = malloc(bytes);

	CHECK(data);
	qr_pages_fill(data, bytes, 91);
	CHECK(qr_pages_match(data, bytes, 91));
	free(data);
	return 7;
}

static void try_vfork(void)
{
	pid_t pid;

	hold(92);
	for (size_t i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		CHECK(qr_child_wait(pid) == 0);
	}
	pid = vfork();
	if (pid == 0) {
		execl(SELF, "spawn", "be-heavy", (char *)NULL);
		_exit(1);
	}
	CHECK(qr_child_wait(pid) == 7);
	release(92);
}

static void try_vfork_exit(void)
{
	pid_t pid;

	hold(93);
	pid = vfork();
	if (pid == 0)
		_exit(5);
	CHECK(qr_child_wait(pid) == 5);
	release(93);
}

static void try_posix_spawn(void)
{
	char *const argv[] = {"spawn", "be-heavy", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	hold(94);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) ==
	      0);
	CHECK(posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0);
	CHECK(posix_spawn(&pid, SELF, &actions, NULL, argv, environ) == 0);
	CHECK(qr_child_wait(pid) == 7);
	CHECK(posix_spawn(&pid, "/nonexistent", &actions, NULL, argv, environ) != 0);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
	release(94);
}

static void try_system(void)
{
	hold(95);
	CHECK(system("exit 3") == 3 << 8);
	CHECK(system("kill -TERM $$") == SIGTERM);
	CHECK(system("a=$(echo x | tr x y | cat) && test \"$a\" = y") == 0);
	release(95);
}

static void try_popen(void)
{
	char line[64] = "";
	FILE *pipe;

	hold(96);
	pipe = popen("echo one; sort -r <<EOF | head -n 1\na\nb\nEOF\n", "re");
	CHECK(pipe);
	CHECK(fgets(line, sizeof(line), pipe) && !strcmp(line, "one\n"));
	CHECK(fgets(line, sizeof(line), pipe) && !strcmp(line, "b\n"));
	CHECK(pclose(pipe) == 0);
	release(96);
}

/* Without an environment there is nothing to preload by: it must still run. */
static void try_bare_environment(void)
{
	char *const argv[] = {"env", NULL}, *const none[] = {NULL};
	pid_t pid;

	hold(97);
	pid = fork();
	if (pid == 0) {
		close(1);
		CHECK(open("/dev/null", O_WRONLY) == 1);
		execve("/usr/bin/env", argv, none);
		_exit(1);
	}
	CHECK(qr_child_wait(pid) == 0);
	release(97);
}

/* Each program of the chain fills memory, goes on as the next, and the last ends. */
static int be_chain(const char *left)
{
	char next[32];
	long nr = strtol(left, NULL, 10);

	hold((uint64_t)nr);
	CHECK(qr_pages_match(held, held_bytes, (uint64_t)nr));
	if (nr == 0)
		return 11;
	snprintf(next, sizeof(next), "%ld", nr - 1);
	execl(SELF, "spawn", "be-chain", next, (char *)NULL);
	return 1;
}

static void try_chain(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(SELF, "spawn", "be-chain", "4", (char *)NULL);
		_exit(1);
	}
	CHECK(qr_child_wait(pid) == 11);
}

/* An exec ends all other threads, whatever they are at. */
static _Noreturn void *write_forever(void *arg)
{
	size_t bytes = qr_ram_bytes();
	char *data = qr_pages_map(bytes);

	(void)arg;
	for (uint64_t seed = 1;; seed++)
		qr_pages_fill(data, bytes, seed);
}

static _Noreturn void exec_among_threads(void)
{
	pthread_t thread;

	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_create(&thread, NULL, write_forever, NULL) == 0);
	usleep(20000);
	execl(SELF, "spawn", "be-heavy", (char *)NULL);
	_exit(1);
}

static void try_exec_among_threads(void)
{
	for (size_t i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0)
			exec_among_threads();
		CHECK(qr_child_wait(pid) == 7);
	}
}

/* A failed exec leaves the program as it was. */
static void try_failed_exec(void)
{
	hold(98);
	CHECK(execl("/nonexistent/program", "program", (char *)NULL) == -1);
	qr_pages_push_out(held, held_bytes);
	release(98);
}

/* Threads that start programs while others write. */
static _Atomic bool spawners_run;

static void *spawn_often(void *arg)
{
	char *const argv[] = {"true", NULL};

	for (size_t i = 0; i < 15; i++) {
		pid_t pid;

		CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
		CHECK(qr_child_wait(pid) == 0);
	}
	return arg;
}

static void *write_on(void *arg)
{
	size_t bytes = qr_ram_bytes();
	char *data = qr_pages_map(bytes);
	uint64_t seed = 0;

	do {
		qr_pages_fill(data, bytes, ++seed);
		CHECK(qr_pages_match(data, bytes, seed));
	} while (atomic_load(&spawners_run));
	qr_pages_unmap(data, bytes);
	return arg;
}

static void try_threads(void)
{
	pthread_t spawners[3], writers[2];

	atomic_store(&spawners_run, true);
	for (size_t i = 0; i < 2; i++)
		CHECK(pthread_create(&writers[i], NULL, write_on, NULL) == 0);
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_create(&spawners[i], NULL, spawn_often, NULL) == 0);
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_join(spawners[i], NULL) == 0);
	atomic_store(&spawners_run, false);
	for (size_t i = 0; i < 2; i++)
		CHECK(pthread_join(writers[i], NULL) == 0);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"vfork", try_vfork},
		{"vfork-exit", try_vfork_exit},
		{"posix-spawn", try_posix_spawn},
		{"system", try_system},
		{"popen", try_popen},
		{"bare-environment", try_bare_environment},
		{"chain", try_chain},
		{"exec-among-threads", try_exec_among_threads},
		{"failed-exec", try_failed_exec},
		{"threads", try_threads},
	};

	if (argc == 2 && !strcmp(argv[1], "be-heavy"))
		return be_heavy();
	if (argc == 3 && !strcmp(argv[1], "be-chain"))
		return be_chain(argv[2]);
	return TRIALS_RUN(trials, argc, argv);
}
