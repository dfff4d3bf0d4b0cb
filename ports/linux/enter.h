/* SPDX-License-Identifier: MIT */
/* enter.h - how a thread of the program comes into the machine.
 *
 * Whoever holds the machine's lock must not fault on memory that the machine pages, or a
 * handler would wait for the lock and the thread for the handler.  So no signal handler
 * may run meanwhile, and neither stack nor arguments may lie in the window: calls made
 * from a stack in there run on a stack of the port's. */
#ifndef QUIRE_PORTS_LINUX_ENTER_H
#define QUIRE_PORTS_LINUX_ENTER_H

#include "ports/linux/doorbell.h"

#include <stdbool.h>

bool qr_enter_init(void);
/* A fork's child: whoever was inside is not in this process. */
void qr_enter_reset(void);
/* run(args) with signals blocked, on a stack that is not paged. */
long qr_enter(long (*run)(const uint64_t *args), const uint64_t args[QUIRE_CALL_ARGS]);
/* The same where signals are blocked already. */
long qr_enter_blocked(long (*run)(const uint64_t *args),
		      const uint64_t args[QUIRE_CALL_ARGS]);
/* Whether the calling thread's stack is paged. */
bool qr_enter_is_paged(void);

#endif
