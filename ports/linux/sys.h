/* SPDX-License-Identifier: MIT */
/* sys.h - the system calls that this port makes, by name; each returns what the kernel
 * does: a result, or -errno. */
#ifndef QUIRE_PORTS_LINUX_SYS_H
#define QUIRE_PORTS_LINUX_SYS_H

#include "ports/linux/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* Linux 5.18; advice that locked memory does not refuse. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static inline long qr_address(const void *p)
{
	return (long)(uintptr_t)p;
}

static inline bool qr_failed(long result)
{
	return result < 0 && result >= -4095;
}

static inline long qr_host_mmap(const void *addr, size_t bytes, int prot, int flags,
				int fd, long offset)
{
	return qr_sys(SYS_mmap, qr_address(addr), (long)bytes, prot, flags, fd, offset);
}

static inline long qr_host_munmap(const void *addr, size_t bytes)
{
	return qr_sys(SYS_munmap, qr_address(addr), (long)bytes, 0, 0, 0, 0);
}

static inline long qr_host_mremap(const void *old, size_t old_bytes, size_t new_bytes,
				  int flags, const void *target)
{
	return qr_sys(SYS_mremap, qr_address(old), (long)old_bytes, (long)new_bytes,
		      flags, qr_address(target), 0);
}

static inline long qr_host_mprotect(const void *addr, size_t bytes, int prot)
{
	return qr_sys(SYS_mprotect, qr_address(addr), (long)bytes, prot, 0, 0, 0);
}

static inline long qr_host_madvise(const void *addr, size_t bytes, int advice)
{
	return qr_sys(SYS_madvise, qr_address(addr), (long)bytes, advice, 0, 0, 0);
}

static inline long qr_host_munlock(const void *addr, size_t bytes)
{
	return qr_sys(SYS_munlock, qr_address(addr), (long)bytes, 0, 0, 0, 0);
}

static inline long qr_host_mincore(const void *addr, size_t bytes, unsigned char *vec)
{
	return qr_sys(SYS_mincore, qr_address(addr), (long)bytes, qr_address(vec), 0, 0,
		      0);
}

static inline long qr_host_process_madvise(int pidfd, const struct iovec *vec, size_t nr,
					   int advice)
{
	return qr_sys(SYS_process_madvise, pidfd, qr_address(vec), (long)nr, advice, 0,
		      0);
}

static inline long qr_host_open(const char *path, int flags, unsigned mode)
{
	return qr_sys(SYS_open, qr_address(path), flags, (long)mode, 0, 0, 0);
}

static inline long qr_host_close(long fd)
{
	return qr_sys(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long qr_host_unlink(const char *path)
{
	return qr_sys(SYS_unlink, qr_address(path), 0, 0, 0, 0, 0);
}

static inline long qr_host_read(long fd, void *buf, size_t bytes)
{
	return qr_sys(SYS_read, fd, qr_address(buf), (long)bytes, 0, 0, 0);
}

static inline long qr_host_write(long fd, const void *buf, size_t bytes)
{
	return qr_sys(SYS_write, fd, qr_address(buf), (long)bytes, 0, 0, 0);
}

static inline long qr_host_pread(long fd, void *buf, size_t bytes, uint64_t offset)
{
	return qr_sys(SYS_pread64, fd, qr_address(buf), (long)bytes, (long)offset, 0, 0);
}

static inline long qr_host_ioctl(long fd, unsigned long request, const void *arg)
{
	return qr_sys(SYS_ioctl, fd, (long)request, qr_address(arg), 0, 0, 0);
}

static inline long qr_host_fcntl(long fd, int command, long arg)
{
	return qr_sys(SYS_fcntl, fd, command, arg, 0, 0, 0);
}

static inline int qr_host_getpid(void)
{
	return (int)qr_sys(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int qr_host_gettid(void)
{
	return (int)qr_sys(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* Blocks every signal, those that libc keeps for itself included; the mask that was. */
static inline uint64_t qr_host_block_signals(void)
{
	const uint64_t all = UINT64_MAX;
	uint64_t old = 0;

	qr_sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, qr_address(&all),
	       qr_address(&old), sizeof(all), 0, 0);
	return old;
}

static inline void qr_host_restore_signals(uint64_t mask)
{
	qr_sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, qr_address(&mask), 0,
	       sizeof(mask), 0, 0);
}

#endif
