/* SPDX-License-Identifier: MIT */
/* names_fork.c - the ways to copy a process that run no handlers of libc's, and
 * syscall(2), by which a program reaches any call. */
/* With it libc's headers give one function the name of another. */
#undef _FILE_OFFSET_BITS

#include "ports/linux/calls.h"
#include "ports/linux/careful.h"
#include "ports/linux/fork.h"
#include "ports/linux/next.h"
#include "ports/linux/sys.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

QR_EXPORT pid_t _Fork(void)
{
	pid_t pid;

	qr_fork_prepare(0);
	pid = QR_NEXT(_Fork)();
	if (pid == 0)
		qr_fork_child();
	else
		qr_fork_parent();
	return pid;
}

struct start {
	int (*run)(void *);
	void *arg;
};

static int run_copy(void *arg)
{
	struct start start = *(const struct start *)arg;

	qr_fork_child();
	return start.run(start.arg);
}

static int clone_copy(const struct start *start, void *stack, int flags, void *words[3])
{
	int pid;

	qr_fork_prepare((uint64_t)(uintptr_t)stack);
	pid = QR_NEXT(clone)(run_copy, stack, flags, (void *)(uintptr_t)start, words[0],
			     words[1], words[2]);
	qr_fork_parent();
	return pid;
}

QR_EXPORT int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	const struct start start = {run, arg};
	void *words[3];
	va_list list;

	va_start(list, arg);
	for (size_t i = 0; i < 3; i++)
		words[i] = va_arg(list, void *);
	va_end(list);
	if ((flags & CLONE_VM) == 0 && run != NULL && stack != NULL)
		return clone_copy(&start, stack, flags, words);
	return QR_NEXT(clone)(run, stack, flags, arg, words[0], words[1], words[2]);
}

static long copy_or_not(long nr, const uint64_t *a, uint64_t flags, uint64_t stack)
{
	if ((flags & CLONE_VM) == 0 && stack == 0)
		return qr_fork_raw(nr, a);
	return qr_sys(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], 0);
}

static long clone3_of(const uint64_t *a)
{
	struct clone_args args = {0};

	if (a[0] == 0 || a[1] < CLONE_ARGS_SIZE_VER0)
		return qr_sys(SYS_clone3, (long)a[0], (long)a[1], 0, 0, 0, 0);
	memcpy(&args, (const void *)a[0], CLONE_ARGS_SIZE_VER0);
	return copy_or_not(SYS_clone3, a, args.flags, args.stack);
}

static long route(long nr, const uint64_t *a)
{
	static const struct {
		long nr;
		long (*run)(const uint64_t *args);
	} calls[] = {
		{SYS_mmap, qr_call_mmap},
		{SYS_munmap, qr_call_munmap},
		{SYS_mprotect, qr_call_mprotect},
		{SYS_brk, qr_call_brk},
		{SYS_mremap, qr_call_mremap},
		{SYS_madvise, qr_call_madvise},
		{SYS_mincore, qr_call_mincore},
		{SYS_mlock, qr_call_mlock},
		{SYS_mlock2, qr_call_mlock2},
		{SYS_munlock, qr_call_munlock},
		{SYS_mlockall, qr_call_mlockall},
		{SYS_munlockall, qr_call_munlockall},
		{SYS_pkey_mprotect, qr_call_pkey_mprotect},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			return qr_call(nr, calls[i].run, a);
	return qr_sys(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4],
		      (long)a[5]);
}

static long dispatch(long nr, const uint64_t *a)
{
	switch (nr) {
	case SYS_fork:
		return qr_fork_raw(nr, a);
	case SYS_clone:
		return copy_or_not(nr, a, a[0], a[1]);
	case SYS_clone3:
		return clone3_of(a);
	case SYS_io_uring_setup:
	case SYS_io_setup:
		qr_careful_begin(true);
		break;
	case SYS_open:
	case SYS_openat:
		if ((a[nr == SYS_open ? 1 : 2] & O_DIRECT) != 0)
			qr_careful_begin(false);
		break;
	case SYS_fcntl:
		if (a[1] == F_SETFL && (a[2] & O_DIRECT) != 0)
			qr_careful_begin(false);
		break;
	default:
		break;
	}
	return route(nr, a);
}

/* Words that the caller did not give are read too, and passed on unused. */
QR_EXPORT long syscall(long nr, ...)
{
	uint64_t args[QUIRE_CALL_ARGS];
	va_list list;

	va_start(list, nr);
	for (size_t i = 0; i < QUIRE_CALL_ARGS; i++)
		args[i] = va_arg(list, uint64_t);
	va_end(list);
	return qr_call_result(dispatch(nr, args));
}
