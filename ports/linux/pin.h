/* SPDX-License-Identifier: MIT */
/* pin.h - keeps threads that fault on the CPUs of the handlers that serve them.
 *
 * Model.  A handler that fills a page wakes the faulting thread, and the scheduler decides
 * anew where that runs.  Where an idle CPU is found, the thread's next fault is served
 * from afar, or wakes two handlers, which costs more than all the rest of a fault; where
 * none is looked for, all threads gather on the CPU of one handler and others idle.  So
 * while threads take faults one after another, and they are no more than CPUs, each is
 * *pinned* to one of its own: its *home*.  Pins end when more threads fault, when the
 * program starts a thread or a process or asks where it may run, and when a fiftieth of
 * a second passes with no fault.
 */
#ifndef QUIRE_PORTS_LINUX_PIN_H
#define QUIRE_PORTS_LINUX_PIN_H

#include <stdbool.h>
#include <stdint.h>

/* A fault of thread tid was answered; by handlers. */
void qr_pin_note(uint32_t tid);
/* The lane that is tid's home; false where it has none. */
bool qr_pin_lane(uint32_t tid, uint32_t *lane);

/* Ends all pins; none is set before the matching release.  Callable anywhere. */
void qr_pin_hold(void);
void qr_pin_release(void);
/* After fork, in the child: no pin, nobody holds. */
void qr_pin_reset(void);
/* In a thread or process that may have inherited a pin: gives it the CPUs that the
 * pinned thread had. */
void qr_pin_disown(void);

/* For a thread of its own: ends pins when faults cease.  Does not return. */
void qr_pin_watch(void);

#endif
