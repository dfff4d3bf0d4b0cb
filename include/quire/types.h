/* SPDX-License-Identifier: MIT */
/* types.h - the units, the statuses and the small records that every storey speaks of. */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIRE_PAGE_SHIFT 12
#define QUIRE_PAGE_BYTES ((size_t)1 << QUIRE_PAGE_SHIFT)

/* A frame number: an index into the machine's frames, not an address. */
typedef struct {
	uint32_t n;
} quire_pfn;

/* An address in the address space that the machine manages. */
typedef struct {
	uint64_t a;
} quire_vaddr;

/* Neighbouring pages of an address space: [start, start + nr pages). */
struct quire_run {
	quire_vaddr start;
	uint64_t nr;
};

/* Addresses, half open: [start, end). */
struct quire_range {
	quire_vaddr start;
	quire_vaddr end;
};

/* Expected outcomes.  A caller's bug asserts; corruption stops the machine. */
enum quire_status {
	QUIRE_OK = 0,
	QUIRE_NO_MEMORY, /* no frame, and none could be reclaimed (ENOMEM) */
	QUIRE_INVALID,	 /* an argument from outside is wrong (EINVAL) */
	QUIRE_FAULT,  /* no area there, or its protection forbids it (EFAULT, SIGSEGV) */
	QUIRE_EXISTS, /* the address is taken (EEXIST) */
	QUIRE_BUSY,   /* somebody works on the page; the caller will be woken */
	QUIRE_NO_SPACE,	   /* the swap areas are full (ENOSPC) */
	QUIRE_IO,	   /* the device failed (EIO) */
	QUIRE_CORRUPT,	   /* what came back is not what was stored */
	QUIRE_UNSUPPORTED, /* this port cannot do it (ENOSYS) */
	QUIRE_AGAIN,	   /* a limit on locked memory (EAGAIN) */
	QUIRE_DENIED,	   /* a right is lacking (EPERM) */
	QUIRE_REFUSED,	   /* what is mapped does not allow it (EACCES) */
	QUIRE_NO_FILE,	   /* there is no file behind it (EBADF) */
	QUIRE_OVERFLOW,	   /* an offset is out of range (EOVERFLOW) */
	QUIRE_PAST_END,	   /* past the end of what is mapped (SIGBUS) */
};

/* What an access wants, what an area allows. */
#define QUIRE_READ  1u
#define QUIRE_WRITE 2u
#define QUIRE_EXEC  4u

#endif
