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

#include <stdbool.h>
#include <stdint.h>

/* Processors have numbers below this; affinities are masks of so many words. */
#define QR_CPUS_MAX  1024u
#define QR_CPU_WORDS (QR_CPUS_MAX / 64)

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
/* A fault of thread tid was answered. */
void qr_place_note(uint32_t tid);
/* Those lanes listen, bit i lane i; more join as faults are seen elsewhere. */
void qr_place_listen(uint32_t mask);
/* The page-out daemon is thread tid: it is kept off the processors of lanes that listen,
 * where there are others.  By handlers. */
void qr_place_keep_apart(uint32_t tid);

/* The processor that a thread of the process was last on, or QR_CPUS_MAX. */
uint32_t qr_place_cpu_of(uint32_t tid);
uint32_t qr_place_lane_of(uint32_t cpu);
uint32_t qr_place_first_cpu(uint32_t lane);
/* Whether lane has a handler, or can be given one. */
bool qr_place_can_serve(uint32_t lane);

#endif
