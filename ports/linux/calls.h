/* SPDX-License-Identifier: MIT */
/* calls.h - the system calls that go to the machine, as the kernel has them: arguments in
 * order, a result or -errno.
 *
 * The functions of that name that programs call, and syscall(2), both come down to these.
 * They run inside (enter.h), while the process is managed. */
#ifndef QUIRE_PORTS_LINUX_CALLS_H
#define QUIRE_PORTS_LINUX_CALLS_H

#include "ports/linux/doorbell.h"
#include "ports/linux/ground.h"

long qr_call_mmap(const uint64_t *a);
long qr_call_munmap(const uint64_t *a);
long qr_call_mprotect(const uint64_t *a);
long qr_call_pkey_mprotect(const uint64_t *a);
long qr_call_brk(const uint64_t *a);
long qr_call_mremap(const uint64_t *a);
long qr_call_madvise(const uint64_t *a);
long qr_call_mincore(const uint64_t *a);
long qr_call_mlock(const uint64_t *a);
long qr_call_mlock2(const uint64_t *a);
long qr_call_munlock(const uint64_t *a);
long qr_call_mlockall(const uint64_t *a);
long qr_call_munlockall(const uint64_t *a);

/* To the machine when there is one, otherwise to the kernel. */
long qr_call(long nr, long (*run)(const uint64_t *args),
	     const uint64_t args[QUIRE_CALL_ARGS]);
/* To the machine, which there is; once more where it lacked frames and pages could go. */
long qr_call_managed(long (*run)(const uint64_t *args),
		     const uint64_t args[QUIRE_CALL_ARGS]);
/* What libc's function returns: -1 and errno for an error. */
long qr_call_result(long result);
/* 0 or -errno. */
long qr_status_error(enum quire_status status);

/* Addresses by whom they belong to. */
enum qr_side { QR_HOST, QR_MACHINE, QR_FOREIGN };

struct qr_piece {
	struct quire_range range;
	enum qr_side side;
};

/* [addr, addr + bytes) in whole pages; false when it goes round the end. */
bool qr_pages_of(uint64_t addr, uint64_t bytes, struct quire_range *out);
/* Takes the first piece of one side off left; false when left is empty. */
bool qr_piece_next(struct quire_range *left, struct qr_piece *out);
/* True when every page of a range in the window is in an area. */
bool qr_areas_cover(struct quire_range range);

bool qr_touches_reserve(struct quire_range range);
bool qr_is_in_window(struct quire_range range);

/* foreign.c: puts the reserve back where host mappings lie in range; 0 or -errno. */
long qr_foreign_restore(struct quire_range range);
/* calls_lock.c: locks what mmap has just made and brings it in; 0 or -errno. */
long qr_lock_new(struct quire_range range);

#endif
