/* SPDX-License-Identifier: MIT */
/* host.h - system calls made directly, with no libc, no errno and no thread-local data.
 *
 * Pager threads have no libc state of their own, and libquire.so stands in for libc's
 * memory calls, so neither may use libc's wrappers. */
#ifndef QUIRE_PORTS_LINUX_HOST_H
#define QUIRE_PORTS_LINUX_HOST_H

/* The call's result, or -errno. */
static inline long qr_sys(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
