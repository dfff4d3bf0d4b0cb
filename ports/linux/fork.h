/* SPDX-License-Identifier: MIT */
/* fork.h - what is done around a copy of the process.
 *
 * prepare, then exactly one of parent and child, by the thread that forks.  Signals are
 * blocked in between. */
#ifndef QUIRE_PORTS_LINUX_FORK_H
#define QUIRE_PORTS_LINUX_FORK_H

#include <stdint.h>

void qr_fork_init(void);
/* child_stack: the top of the stack that the child will run on, or 0 for this one. */
void qr_fork_prepare(uint64_t child_stack);
void qr_fork_parent(void);
void qr_fork_child(void);

/* Has libc call the three around its fork(), before and after everybody else's.  Needed
 * where the process is managed, or once there is a second thread, which may hold a lock. */
void qr_fork_register(void);
/* The system calls that copy the process, whole; as the kernel's. */
long qr_fork_raw(long nr, const uint64_t *args);

#endif
