/* SPDX-License-Identifier: MIT */
/* A server gives its privilege up after the start, and forks later.
 *
 * Who may page may be decided anew for each process: with or without Quire every child
 * has its parent's bytes.
 */
#define _GNU_SOURCE 1

#include <grp.h>
#include <unistd.h>

#include "common.h"

#define NOBODY 65534

static size_t data_bytes(void)
{
	return 4 * qr_ram_bytes();
}

static void drop_privilege(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static _Noreturn void check_and_rewrite(char *data, uint64_t seen, uint64_t own)
{
	CHECK(qr_pages_match(data, data_bytes(), seen));
	qr_pages_fill(data, data_bytes(), own);
	CHECK(qr_pages_match(data, data_bytes(), own));
	_exit(0);
}

static _Noreturn void serve(char *data)
{
	pid_t pid;

	drop_privilege();
	CHECK(qr_pages_match(data, data_bytes(), 83));
	pid = fork();
	if (pid == 0)
		check_and_rewrite(data, 83, 84);
	CHECK(qr_child_wait(pid) == 0);
	check_and_rewrite(data, 83, 85);
}

static void try_dropped(void)
{
	char *data;
	pid_t pid;

	if (geteuid() != 0) {
		qr_check_skip("dropped: not root, nothing to drop");
		return;
	}
	data = qr_pages_map(data_bytes());
	qr_pages_fill(data, data_bytes(), 83);
	qr_pages_push_out(data, data_bytes());
	pid = fork();
	if (pid == 0)
		serve(data);
	CHECK(qr_child_wait(pid) == 0);
	CHECK(qr_pages_match(data, data_bytes(), 83));
	qr_pages_unmap(data, data_bytes());
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"dropped", try_dropped},
	};

	return TRIALS_RUN(trials, argc, argv);
}
