/* SPDX-License-Identifier: MIT */
/* names_memory.c - libc's memory calls, by their names. */
/* With it libc's headers give one function the name of another. */
#undef _FILE_OFFSET_BITS

#include "ports/linux/calls.h"
#include "ports/linux/enter.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t word(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

QR_EXPORT void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr),	bytes,
						(uint64_t)prot, (uint64_t)flags,
						(uint64_t)fd,	(uint64_t)offset};

	return (void *)qr_call_result(qr_call(SYS_mmap, qr_call_mmap, args));
}

QR_EXPORT void *mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		       off64_t offset) __attribute__((alias("mmap")));

QR_EXPORT int munmap(void *addr, size_t bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes};

	return (int)qr_call_result(qr_call(SYS_munmap, qr_call_munmap, args));
}

QR_EXPORT void *mremap(void *old, size_t old_bytes, size_t new_bytes, int flags, ...)
{
	uint64_t args[QUIRE_CALL_ARGS] = {word(old), old_bytes, new_bytes,
					  (uint64_t)flags};
	va_list list;

	va_start(list, flags);
	if ((flags & MREMAP_FIXED) != 0 || (flags & 4 /* MREMAP_DONTUNMAP */) != 0)
		args[4] = word(va_arg(list, void *));
	va_end(list);
	return (void *)qr_call_result(qr_call(SYS_mremap, qr_call_mremap, args));
}

QR_EXPORT int mprotect(void *addr, size_t bytes, int prot)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, (uint64_t)prot};

	return (int)qr_call_result(qr_call(SYS_mprotect, qr_call_mprotect, args));
}

QR_EXPORT int pkey_mprotect(void *addr, size_t bytes, int prot, int key)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, (uint64_t)prot,
						(uint64_t)key};

	return (int)qr_call_result(
		qr_call(SYS_pkey_mprotect, qr_call_pkey_mprotect, args));
}

static long advise(void *addr, size_t bytes, int advice)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, (uint64_t)advice};

	return qr_call(SYS_madvise, qr_call_madvise, args);
}

QR_EXPORT int madvise(void *addr, size_t bytes, int advice)
{
	return (int)qr_call_result(advise(addr, bytes, advice));
}

/* POSIX's DONTNEED may not lose contents; Linux's does, so libc does nothing. */
QR_EXPORT int posix_madvise(void *addr, size_t bytes, int advice)
{
	return advice == POSIX_MADV_DONTNEED ? 0 : (int)-advise(addr, bytes, advice);
}

QR_EXPORT int mincore(void *addr, size_t bytes, unsigned char *vec)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, word(vec)};

	return (int)qr_call_result(qr_call(SYS_mincore, qr_call_mincore, args));
}

QR_EXPORT int mlock(const void *addr, size_t bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes};

	return (int)qr_call_result(qr_call(SYS_mlock, qr_call_mlock, args));
}

QR_EXPORT int mlock2(const void *addr, size_t bytes, unsigned int flags)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes, flags};

	return (int)qr_call_result(qr_call(SYS_mlock2, qr_call_mlock2, args));
}

QR_EXPORT int munlock(const void *addr, size_t bytes)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {word(addr), bytes};

	return (int)qr_call_result(qr_call(SYS_munlock, qr_call_munlock, args));
}

QR_EXPORT int mlockall(int flags)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {(uint64_t)flags};

	return (int)qr_call_result(qr_call(SYS_mlockall, qr_call_mlockall, args));
}

QR_EXPORT int munlockall(void)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {0};

	return (int)qr_call_result(qr_call(SYS_munlockall, qr_call_munlockall, args));
}

static uint64_t break_at(uint64_t want)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {want};

	return (uint64_t)qr_call(SYS_brk, qr_call_brk, args);
}

/* What asks for less than there ever was gets what there is, and no error. */
QR_EXPORT int brk(void *addr)
{
	if (break_at(word(addr)) >= word(addr))
		return 0;
	errno = ENOMEM;
	return -1;
}

QR_EXPORT void *sbrk(intptr_t increment)
{
	uint64_t old = break_at(0), want = old + (uint64_t)increment;

	if (increment == 0 || break_at(want) == want)
		return (void *)old;
	errno = ENOMEM;
	return (void *)-1;
}
