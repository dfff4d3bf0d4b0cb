/* SPDX-License-Identifier: MIT */
/* doorbell.h - work that a thread of the program has done by a handler. */
#ifndef QUIRE_PORTS_LINUX_DOORBELL_H
#define QUIRE_PORTS_LINUX_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#define QUIRE_CALL_ARGS 6u

void qr_doorbell_init(void);
/* run(lane, args) by a handler; its result.  The caller has blocked signals, does not
 * hold the machine's lock, and is not a handler. */
long qr_doorbell_ring(long (*run)(uint32_t lane, const uint64_t *args),
		      const uint64_t args[QUIRE_CALL_ARGS]);
/* A handler found that the doorbell was touched. */
void qr_doorbell_answer(uint32_t lane);

#endif
