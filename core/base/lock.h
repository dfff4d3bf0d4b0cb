/* SPDX-License-Identifier: MIT */
/* lock.h - the machine's lock, and the event that those wait on who need somebody
 * else's work to end.
 *
 * Model.  The lock's word is 0 free, 1 held, 2 held and somebody sleeps.  (Drepper,
 * "Futexes are tricky", mutex 2.)  An event's word counts the times it was raised: a
 * waiter reads it under the lock, lets go of the lock, and sleeps until it differs.
 */
#ifndef QUIRE_CORE_BASE_LOCK_H
#define QUIRE_CORE_BASE_LOCK_H

#include "quire/port.h"

#include <stdatomic.h>

enum { QUIRE_LOCK_FREE, QUIRE_LOCK_HELD, QUIRE_LOCK_CONTENDED };

struct quire_lock {
	_Atomic uint32_t word;
	const struct quire_port *port;
};

struct quire_event {
	_Atomic uint32_t count;
	uint32_t nr_waiters; /* since it was last raised; guarded by the lock */
};

void qr_lock_init(struct quire_lock *lock, const struct quire_port *port);

/* Takes it where nobody holds it. */
static inline bool qr_lock_try(struct quire_lock *lock)
{
	uint32_t word = QUIRE_LOCK_FREE;

	return atomic_compare_exchange_strong_explicit(
		&lock->word, &word, QUIRE_LOCK_HELD, memory_order_acquire,
		memory_order_relaxed);
}

/* Waits for it. */
void qr_lock_slowly(struct quire_lock *lock);
static inline void qr_lock(struct quire_lock *lock)
{
	if (!qr_lock_try(lock))
		qr_lock_slowly(lock);
}

void qr_unlock(struct quire_lock *lock);
bool qr_lock_is_held(const struct quire_lock *lock);

/* Lets go of the lock, sleeps until the event is raised, takes the lock again. */
void qr_event_wait(struct quire_event *event, struct quire_lock *lock);
/* Wakes all waiters; the lock is held. */
void qr_event_raise(struct quire_event *event, struct quire_lock *lock);

#endif
