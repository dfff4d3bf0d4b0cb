/* SPDX-License-Identifier: MIT */
/* Memory that the program locks stays in, whatever else it touches. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"

#define LOCKED_BYTES ((size_t)2 * MIB)

static bool all_present(const void *at, size_t bytes)
{
	return qr_pages_present(at, bytes) == bytes / PAGE_BYTES;
}

/* The kernel's own view (pagemap) and the program's (mincore) must agree. */
static void check_locked(char *at, size_t bytes)
{
	unsigned char vec[LOCKED_BYTES / PAGE_BYTES];

	CHECK(all_present(at, bytes));
	CHECK(mincore(at, bytes, vec) == 0);
	for (size_t i = 0; i < bytes / PAGE_BYTES; i++)
		CHECK(vec[i] & 1);
}

static void try_mlock(void)
{
	char *at = qr_pages_map(2 * LOCKED_BYTES);

	qr_pages_fill(at, 2 * LOCKED_BYTES, 101);
	CHECK(mlock(at, LOCKED_BYTES) == 0);
	for (size_t i = 0; i < 3; i++) {
		qr_pages_push_out(at + LOCKED_BYTES, LOCKED_BYTES);
		check_locked(at, LOCKED_BYTES);
	}
	CHECK(qr_pages_match(at, 2 * LOCKED_BYTES, 101));
	CHECK(munlock(at, LOCKED_BYTES) == 0);
	qr_pages_push_out(at, LOCKED_BYTES);
	CHECK(qr_pages_match(at, 2 * LOCKED_BYTES, 101));
	qr_pages_unmap(at, 2 * LOCKED_BYTES);
}

/* Locking brings in what is out already. */
static void try_lock_absent(void)
{
	char *at = qr_pages_map(LOCKED_BYTES);

	qr_pages_fill(at, LOCKED_BYTES, 102);
	qr_pages_push_out(at, LOCKED_BYTES);
	CHECK(mlock(at, LOCKED_BYTES) == 0);
	check_locked(at, LOCKED_BYTES);
	qr_pressure_apply();
	check_locked(at, LOCKED_BYTES);
	CHECK(qr_pages_match(at, LOCKED_BYTES, 102));
	qr_pages_unmap(at, LOCKED_BYTES);
}

/* A part in the middle: its neighbours stay free to go. */
static void try_middle(void)
{
	char *at = qr_pages_map(LOCKED_BYTES), *middle = at + LOCKED_BYTES / 4;
	size_t bytes = LOCKED_BYTES / 2;

	qr_pages_fill(at, LOCKED_BYTES, 103);
	CHECK(mlock(middle, bytes) == 0);
	qr_pages_push_out(at, LOCKED_BYTES / 4);
	check_locked(middle, bytes);
	CHECK(munlock(middle + bytes / 2, bytes / 2) == 0);
	qr_pages_push_out(middle + bytes / 2, bytes / 2);
	check_locked(middle, bytes / 2);
	CHECK(qr_pages_match(at, LOCKED_BYTES, 103));
	qr_pages_unmap(at, LOCKED_BYTES);
}

static void try_on_fault(void)
{
	char *at = qr_pages_map(LOCKED_BYTES);

	CHECK(mlock2(at, LOCKED_BYTES, MLOCK_ONFAULT) == 0);
	qr_pages_fill(at, LOCKED_BYTES / 2, 104);
	qr_pressure_apply();
	check_locked(at, LOCKED_BYTES / 2);
	CHECK(qr_pages_present(at + LOCKED_BYTES / 2, LOCKED_BYTES / 2) == 0);
	CHECK(qr_pages_match(at, LOCKED_BYTES / 2, 104));
	qr_pages_unmap(at, LOCKED_BYTES);
}

static void try_map_locked(void)
{
	char *at = mmap(NULL, LOCKED_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

	CHECK(at != MAP_FAILED);
	check_locked(at, LOCKED_BYTES);
	CHECK(qr_pages_are_zero(at, LOCKED_BYTES));
	qr_pages_fill(at, LOCKED_BYTES, 105);
	qr_pressure_apply();
	check_locked(at, LOCKED_BYTES);
	CHECK(qr_pages_match(at, LOCKED_BYTES, 105));
	qr_pages_unmap(at, LOCKED_BYTES);
}

/* The child of a fork inherits no lock, the parent keeps its own. */
static void try_fork(void)
{
	char *at = qr_pages_map(LOCKED_BYTES);
	pid_t pid;

	qr_pages_fill(at, LOCKED_BYTES, 106);
	CHECK(mlock(at, LOCKED_BYTES) == 0);
	pid = fork();
	if (pid == 0) {
		qr_pressure_apply();
		CHECK(qr_pages_match(at, LOCKED_BYTES, 106));
		qr_pages_fill(at, LOCKED_BYTES, 107);
		_exit(0);
	}
	CHECK(qr_child_wait(pid) == 0);
	qr_pressure_apply();
	check_locked(at, LOCKED_BYTES);
	CHECK(qr_pages_match(at, LOCKED_BYTES, 106));
	qr_pages_unmap(at, LOCKED_BYTES);
}

static void try_errors(void)
{
	char *at = qr_pages_map(4 * PAGE_BYTES);

	CHECK(munmap(at + PAGE_BYTES, PAGE_BYTES) == 0);
	CHECK(mlock(at, 4 * PAGE_BYTES) == -1 && errno == ENOMEM);
	CHECK(munlock(at, 4 * PAGE_BYTES) == -1 && errno == ENOMEM);
	CHECK(mlock2(at, PAGE_BYTES, 64) == -1 && errno == EINVAL);
	qr_pages_unmap(at, PAGE_BYTES);
	qr_pages_unmap(at + 2 * PAGE_BYTES, 2 * PAGE_BYTES);
}

/* Last, as it holds for the process: everything mapped from here on stays in. */
static void try_mlockall(void)
{
	char *at = qr_pages_map(LOCKED_BYTES), *later;

	qr_pages_fill(at, LOCKED_BYTES, 108);
	qr_pressure_apply();
	CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	later = qr_pages_map(LOCKED_BYTES);
	check_locked(at, LOCKED_BYTES);
	check_locked(later, LOCKED_BYTES);
	qr_pages_fill(later, LOCKED_BYTES, 109);
	CHECK(qr_pages_match(at, LOCKED_BYTES, 108));
	CHECK(munlockall() == 0);
	qr_pages_push_out(later, LOCKED_BYTES);
	CHECK(qr_pages_match(later, LOCKED_BYTES, 109));
	qr_pages_unmap(later, LOCKED_BYTES);
	qr_pages_unmap(at, LOCKED_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"mlock", try_mlock},		{"lock-absent", try_lock_absent},
		{"middle", try_middle},		{"on-fault", try_on_fault},
		{"map-locked", try_map_locked}, {"fork", try_fork},
		{"errors", try_errors},		{"mlockall", try_mlockall},
	};
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (geteuid() != 0 && limit.rlim_cur < 4 * LOCKED_BYTES) {
		qr_check_skip("mlock: RLIMIT_MEMLOCK is below 8 MiB");
		return 77;
	}
	return TRIALS_RUN(trials, argc, argv);
}
