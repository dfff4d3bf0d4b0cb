/* SPDX-License-Identifier: MIT */
/* heap_pages.c - the machine as the heap's source of pages.
 *
 * In a process that goes on without a machine (fork.c) the same addresses are the host's,
 * and so is what is mapped from then on. */
#include "ports/linux/heap_pages.h"

#include "ports/linux/calls.h"
#include "ports/linux/enter.h"
#include "ports/linux/sys.h"

#include <sys/mman.h>

static uint64_t word(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static long map_aligned(const uint64_t *a)
{
	enum quire_status status;
	quire_vaddr at;

	status = quire_mmap(qr_ground.q, (quire_vaddr){0}, a[0], QUIRE_READ | QUIRE_WRITE,
			    0, a[1], &at);
	return status == QUIRE_OK ? (long)at.a : qr_status_error(status);
}

static void *map(void *ctx, size_t bytes, size_t align)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {bytes, align};
	long at;

	(void)ctx;
	if (!qr_is_managed())
		return qr_heap_pages_host.map(NULL, bytes, align);
	at = qr_call_managed(map_aligned, args);
	return qr_failed(at) ? NULL : (void *)at;
}

static void unmap(void *ctx, void *addr, size_t bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes};

	(void)ctx;
	(void)qr_call(SYS_munmap, qr_call_munmap, args);
}

static void *remap(void *ctx, void *old, size_t old_bytes, size_t new_bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(old), old_bytes, new_bytes,
						MREMAP_MAYMOVE};
	long at;

	(void)ctx;
	at = qr_call(SYS_mremap, qr_call_mremap, args);
	return qr_failed(at) ? NULL : (void *)at;
}

static bool purge(void *ctx, void *addr, size_t bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, MADV_DONTNEED};

	(void)ctx;
	return qr_call(SYS_madvise, qr_call_madvise, args) == 0;
}

/* Dropped, too: a page that is out is not to cost anything. */
static bool guard(void *ctx, void *addr, size_t bytes, bool on)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes,
						on ? PROT_NONE : PROT_READ | PROT_WRITE};

	if (on && !purge(ctx, addr, bytes))
		return false;
	return qr_call(SYS_mprotect, qr_call_mprotect, args) == 0;
}

/* A page that the machine has taken out is in no page table of the host's. */
static size_t resident(void *ctx, const void *addr, size_t bytes)
{
	(void)ctx;
	return qr_heap_pages_host.resident(NULL, addr, bytes);
}

const struct qr_heap_pages qr_heap_pages_machine = {
	.map = map,
	.unmap = unmap,
	.remap = remap,
	.purge = purge,
	.guard = guard,
	.resident = resident,
	.sbrk = NULL,
};
