/* SPDX-License-Identifier: MIT */
/* next.h - libc's own functions behind the names that this library takes.
 *
 * Only for those that are more than a system call: cancellation points, searches of PATH,
 * lists that libc keeps. */
#ifndef QUIRE_PORTS_LINUX_NEXT_H
#define QUIRE_PORTS_LINUX_NEXT_H

#include <stdatomic.h>

/* The next definition of name after this library's; cached in *slot. */
void *qr_next_find(_Atomic(void *) *slot, const char *name);

/* In a function named like libc's: its next definition, of the same type. */
#define QR_NEXT(function)                                                                \
	(__extension__({                                                                 \
		static _Atomic(void *) slot_;                                            \
		(__typeof__(&function))qr_next_find(&slot_, #function);                  \
	}))

#endif
