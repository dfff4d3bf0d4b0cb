/* SPDX-License-Identifier: MIT */
/* enter.c - how a thread of the program comes into the machine. */
#include "ports/linux/enter.h"

#include "core/base/lock.h"
#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/thread.h"

#include <sys/mman.h>

#define STACK_BYTES ((size_t)128 << 10)

/* One stack is enough: programs that keep stacks in their own memory are few, and their
 * calls short. */
static struct {
	struct quire_lock lock;
	unsigned char *start;
	uint64_t args[QUIRE_CALL_ARGS];
} private_stack;

bool qr_enter_init(void)
{
	long at = qr_host_mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
			       -1, 0);

	if (qr_failed(at))
		return false;
	(void)qr_host_mprotect((const void *)at, QUIRE_PAGE_BYTES, PROT_NONE);
	private_stack.start = (unsigned char *)at;
	qr_enter_reset();
	return true;
}

void qr_enter_reset(void)
{
	qr_lock_init(&private_stack.lock, &qr_ground.port);
}

bool qr_enter_is_paged(void)
{
	return qr_range_has(qr_ground.reserve,
			    (uint64_t)(uintptr_t)__builtin_frame_address(0));
}

static long run_aside(long (*run)(const uint64_t *args),
		      const uint64_t args[QUIRE_CALL_ARGS])
{
	long result;

	qr_lock(&private_stack.lock);
	for (uint32_t i = 0; i < QUIRE_CALL_ARGS; i++)
		private_stack.args[i] = args[i];
	result =
		qr_stack_call(private_stack.start + STACK_BYTES, run, private_stack.args);
	qr_unlock(&private_stack.lock);
	return result;
}

long qr_enter_blocked(long (*run)(const uint64_t *args),
		      const uint64_t args[QUIRE_CALL_ARGS])
{
	return qr_enter_is_paged() ? run_aside(run, args) : run(args);
}

long qr_enter(long (*run)(const uint64_t *args), const uint64_t args[QUIRE_CALL_ARGS])
{
	uint64_t mask = qr_host_block_signals();
	long result = qr_enter_blocked(run, args);

	qr_host_restore_signals(mask);
	return result;
}
