/* SPDX-License-Identifier: MIT */
/* pages_host.c - the host as source of pages, by system calls made directly: the
 * library that holds this heap may stand in for libc's memory calls. */
#include "heap/pages.h"
#include "ports/linux/host.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define HOST_PAGE ((size_t)4096)

static bool failed(long result)
{
	return result < 0 && result >= -4095;
}

static void host_unmap(void *ctx, void *addr, size_t bytes)
{
	(void)ctx;
	qr_sys(SYS_munmap, (long)addr, (long)bytes, 0, 0, 0, 0);
}

static long map_anywhere(size_t bytes)
{
	return qr_sys(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Maps more than is asked for and gives back what lies around the aligned part. */
static void *map_aligned(size_t bytes, size_t align)
{
	size_t wide = bytes + align;
	uintptr_t start, aligned, end;
	long result;

	if (wide < bytes)
		return NULL;
	result = map_anywhere(wide);
	if (failed(result))
		return NULL;
	start = (uintptr_t)result;
	end = start + wide;
	aligned = (start + align - 1) & ~(uintptr_t)(align - 1);
	if (aligned != start)
		host_unmap(NULL, (void *)start, aligned - start);
	if (aligned + bytes != end)
		host_unmap(NULL, (void *)(aligned + bytes), end - aligned - bytes);
	return (void *)aligned;
}

static void *host_map(void *ctx, size_t bytes, size_t align)
{
	long result = map_anywhere(bytes);

	(void)ctx;
	if (failed(result))
		return NULL;
	if (((uintptr_t)result & (align - 1)) == 0)
		return (void *)result;
	host_unmap(NULL, (void *)result, bytes);
	return map_aligned(bytes, align);
}

static void *host_remap(void *ctx, void *old, size_t old_bytes, size_t new_bytes)
{
	long result = qr_sys(SYS_mremap, (long)old, (long)old_bytes, (long)new_bytes,
			     MREMAP_MAYMOVE, 0, 0);

	(void)ctx;
	return failed(result) ? NULL : (void *)result;
}

static bool host_purge(void *ctx, void *addr, size_t bytes)
{
	(void)ctx;
	return qr_sys(SYS_madvise, (long)addr, (long)bytes, MADV_DONTNEED, 0, 0, 0) == 0;
}

/* Linux 6.13.  No area is split by it, but each page costs an entry of a page table:
 * for few pages. */
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE  103
#define ADVICE_BYTES_MAX     (16 * HOST_PAGE)

/* Where the kernel does not know the advice, or refuses it, from then on. */
static _Atomic bool advice_fails;

static bool protect(void *addr, size_t bytes, int protection)
{
	return !failed(
		qr_sys(SYS_mprotect, (long)addr, (long)bytes, protection, 0, 0, 0));
}

static bool advise(void *addr, size_t bytes, int advice)
{
	return !failed(qr_sys(SYS_madvise, (long)addr, (long)bytes, advice, 0, 0, 0));
}

static bool guard_on(void *addr, size_t bytes)
{
	if (bytes <= ADVICE_BYTES_MAX && !advice_fails) {
		if (advise(addr, bytes, ADVICE_GUARD_INSTALL))
			return true;
		advice_fails = true;
	}
	(void)advise(addr, bytes, MADV_DONTNEED);
	return protect(addr, bytes, PROT_NONE);
}

/* The same bytes as when it was put on, by the one or the other. */
static bool host_guard(void *ctx, void *addr, size_t bytes, bool on)
{
	bool done = true;

	(void)ctx;
	if (on)
		return guard_on(addr, bytes);
	if (bytes > ADVICE_BYTES_MAX || advice_fails)
		done = protect(addr, bytes, PROT_READ | PROT_WRITE);
	if (bytes <= ADVICE_BYTES_MAX)
		(void)advise(addr, bytes, ADVICE_GUARD_REMOVE);
	return done;
}

/* Pages that one call asks about. */
#define LOOK_PAGES 4096u

static size_t host_resident(void *ctx, const void *addr, size_t bytes)
{
	unsigned char there[LOOK_PAGES];
	size_t result = 0;

	(void)ctx;
	for (size_t at = 0; at < bytes; at += LOOK_PAGES * HOST_PAGE) {
		size_t part = bytes - at;
		size_t nr = part / HOST_PAGE;

		if (nr > LOOK_PAGES)
			nr = LOOK_PAGES;
		part = nr * HOST_PAGE;
		if (failed(qr_sys(SYS_mincore, (long)addr + (long)at, (long)part,
				  (long)there, 0, 0, 0)))
			return result;
		for (size_t i = 0; i < nr; i++)
			result += (there[i] & 1u) * HOST_PAGE;
	}
	return result;
}

/* The kernel's brk(2) returns the break, unchanged where it could not be moved. */
static void *host_sbrk(void *ctx, intptr_t increment)
{
	uintptr_t old = (uintptr_t)qr_sys(SYS_brk, 0, 0, 0, 0, 0, 0);
	uintptr_t want = old + (uintptr_t)increment;

	(void)ctx;
	if ((uintptr_t)qr_sys(SYS_brk, (long)want, 0, 0, 0, 0, 0) != want)
		return (void *)-1;
	return (void *)old;
}

const struct qr_heap_pages qr_heap_pages_host = {
	.map = host_map,
	.unmap = host_unmap,
	.remap = host_remap,
	.purge = host_purge,
	.guard = host_guard,
	.resident = host_resident,
	.sbrk = host_sbrk,
};
