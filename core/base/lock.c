/* SPDX-License-Identifier: MIT */
/* lock.c - the three-state futex lock over the port's wait and notify. */
#include "core/base/lock.h"

#include "core/base/assert.h"

#include <limits.h>

/* Some 40 microseconds: more than most critical sections, less than to put a virtual CPU
 * to sleep and wake it again. */
#define SPIN_TURNS 2000

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause");
#endif
}

void qr_lock_init(struct quire_lock *lock, const struct quire_port *port)
{
	atomic_init(&lock->word, QUIRE_LOCK_FREE);
	lock->port = port;
}

void qr_lock_slowly(struct quire_lock *lock)
{
	for (int i = 0; i < SPIN_TURNS; i++) {
		if (!qr_lock_is_held(lock) && qr_lock_try(lock))
			return;
		relax();
	}
	while (atomic_exchange_explicit(&lock->word, QUIRE_LOCK_CONTENDED,
					memory_order_acquire) != QUIRE_LOCK_FREE)
		lock->port->wait(lock->port->ctx, &lock->word, QUIRE_LOCK_CONTENDED);
}

void qr_unlock(struct quire_lock *lock)
{
	uint32_t was = atomic_exchange_explicit(&lock->word, QUIRE_LOCK_FREE,
						memory_order_release);

	QUIRE_ASSERT(was != QUIRE_LOCK_FREE);
	if (was == QUIRE_LOCK_CONTENDED)
		lock->port->notify(lock->port->ctx, &lock->word, 1);
}

bool qr_lock_is_held(const struct quire_lock *lock)
{
	return atomic_load_explicit(&lock->word, memory_order_relaxed) != QUIRE_LOCK_FREE;
}

void qr_event_wait(struct quire_event *event, struct quire_lock *lock)
{
	uint32_t seen = atomic_load_explicit(&event->count, memory_order_relaxed);

	event->nr_waiters++;
	qr_unlock(lock);
	lock->port->wait(lock->port->ctx, &event->count, seen);
	qr_lock(lock);
}

void qr_event_raise(struct quire_event *event, struct quire_lock *lock)
{
	atomic_fetch_add_explicit(&event->count, 1, memory_order_release);
	if (event->nr_waiters == 0)
		return;
	event->nr_waiters = 0;
	lock->port->notify(lock->port->ctx, &event->count, INT_MAX);
}
