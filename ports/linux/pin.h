/* SPDX-License-Identifier: MIT */
/* pin.h - keeps the one thread that faults on the CPU of the handler that serves it.
 *
 * Model.  A handler that fills a page wakes the faulting thread, and the scheduler, since
 * the waker's own CPU is busy, moves the thread to an idle one: its next fault is then
 * served from afar, or wakes two handlers, which costs more than all the rest of a fault.
 * So while a single thread takes faults one after another it is *pinned* to the CPU that
 * it is on.  The pin ends when another thread faults, when the program starts a thread
 * or a process or asks where it may run, and when a fiftieth of a second passes with no
 * fault.  With as many threads as CPUs there is no idle CPU and nothing to prevent.
 */
#ifndef QUIRE_PORTS_LINUX_PIN_H
#define QUIRE_PORTS_LINUX_PIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A fault of thread tid; by handlers.  True when tid should be pinned now. */
bool qr_pin_note(uint32_t tid);
/* Pins tid to cpu; by handlers.  False when it may not run there only. */
bool qr_pin_set(uint32_t tid, uint32_t cpu);
/* Ends the pin, if there is one.  Callable anywhere. */
void qr_pin_end(void);
/* In a thread or process that may have inherited the pin: gives it the CPUs that the
 * pinned thread had. */
void qr_pin_disown(void);
/* Whether a thread is pinned; a handler that has nothing to do then watches. */
bool qr_pin_is_set(void);
/* Sleeps till word changes from value, or till it is time to look again; ends the pin
 * when no fault came meanwhile. */
void qr_pin_watch(_Atomic uint32_t *word, uint32_t value);

#endif
