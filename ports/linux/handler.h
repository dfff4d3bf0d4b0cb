/* SPDX-License-Identifier: MIT */
/* handler.h - the threads that answer faults.
 *
 * Model.  Each lane of the machine has one handler, pinned to its processors.  The first
 * one is made by a thread of the program and takes a descriptor table of its own; the
 * others are made by handlers, when the program first faults on their processors, and
 * share that table.  So nothing that the program does to its descriptors reaches them.
 *
 * Handlers are no threads of libc's: they have a small thread area so that code with
 * stack protectors may run, but no errno, no locale, no allocation. */
#ifndef QUIRE_PORTS_LINUX_HANDLER_H
#define QUIRE_PORTS_LINUX_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the first handler and waits until it has its descriptors and the reserve is
 * registered; NULL, or why it could not be.  It keeps the descriptors of keep, which
 * move out of the program's table. */
const char *qr_handler_start(const int *keep, uint32_t nr_keep);
/* Faults are answered from here on. */
void qr_handler_go(void);
/* Makes lane's handler unless it exists; for handlers.  False: it cannot be. */
bool qr_handler_make(uint32_t lane);
/* A fork's child has none of its parent's handlers. */
void qr_handler_forget(void);
/* Whether the caller is one. */
bool qr_handler_is_here(void);

#endif
