/* SPDX-License-Identifier: MIT */
/* place.h - which handlers listen.
 *
 * Model.  A fault costs least when it is answered on the processor where it happened: a
 * handler elsewhere has to be woken from another processor's sleep first.  A read of the
 * userfaultfd wakes all that listen, and the one on the spot is first.  So those listen
 * whose processors the program faults on, and the others are parked.  Where that is, is
 * asked of the host now and then, for the thread of one message. */
#ifndef QUIRE_PORTS_LINUX_PLACE_H
#define QUIRE_PORTS_LINUX_PLACE_H

#include <stdint.h>

/* Reads which processors the process may use. */
void qr_place_init(void);
/* Handlers that there may be, one a lane. */
uint32_t qr_place_lanes(void);
/* Forgets who listens; the lane of this processor is the one that does. */
uint32_t qr_place_restart(void);
/* Where faults do not name their thread all listen; called by the first handler. */
void qr_place_spread(void);
/* Binds the calling thread to lane's processors. */
void qr_place_bind(uint32_t lane);
/* Returns when lane may listen. */
void qr_place_wait(uint32_t lane);
/* Lane answered a fault of thread tid (0: unknown). */
void qr_place_note(uint32_t lane, uint32_t tid);

#endif
