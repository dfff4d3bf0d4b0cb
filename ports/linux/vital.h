/* SPDX-License-Identifier: MIT */
/* vital.h - the paged memory that a fork touches while nobody answers faults.
 *
 * From the moment that the machine stands still until the child's is at work, an absent
 * page would never come in the parent, and would read as zero in the child.  What libc
 * and this port touch in between is known: the stack, the thread's area, and libc's
 * streams, whose locks its fork resets. */
#ifndef QUIRE_PORTS_LINUX_VITAL_H
#define QUIRE_PORTS_LINUX_VITAL_H

#include <stdbool.h>
#include <stdint.h>

/* Lists the pages for the calling thread, and for a child on another stack when
 * child_stack is not 0.  The machine works and its lock is not held. */
void qr_vital_list(uint64_t child_stack);
/* Brings all of them in, writable. */
void qr_vital_touch(void);
/* Whether they are, now that the machine stands still. */
bool qr_vital_present(void);

#endif
