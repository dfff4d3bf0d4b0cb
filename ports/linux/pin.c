/* SPDX-License-Identifier: MIT */
/* pin.c - one thread's affinity, changed for a while and given back. */
#include "ports/linux/pin.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"

#include <linux/futex.h>
#include <time.h>

/* So many faults in a row by one thread, within so long, are worth a pin. */
#define STREAK	  256u
#define STREAK_NS 100000000u

/* How long no fault may come before the pin ends. */
#define WATCH_NS 20000000

#define MASK_WORDS 16u

static _Atomic uint32_t pinned;	     /* the thread, or 0 */
static uint64_t allowed[MASK_WORDS]; /* where it may run by its own right */
static _Atomic uint32_t last,
	streak; /* the thread of the last fault; how many in a row */
static _Atomic uint64_t streak_start;
static _Atomic uint64_t nr_faults;

static uint64_t now(void)
{
	return qr_ground.port.clock(qr_ground.port.ctx);
}

bool qr_pin_note(uint32_t tid)
{
	uint32_t held = atomic_load_explicit(&pinned, memory_order_relaxed);

	atomic_fetch_add_explicit(&nr_faults, 1, memory_order_relaxed);
	if (held != 0 && held != tid)
		qr_pin_end();
	if (atomic_load_explicit(&last, memory_order_relaxed) != tid ||
	    atomic_load_explicit(&streak, memory_order_relaxed) >= STREAK) {
		atomic_store_explicit(&last, tid, memory_order_relaxed);
		atomic_store_explicit(&streak, 0, memory_order_relaxed);
		atomic_store_explicit(&streak_start, now(), memory_order_relaxed);
		return false;
	}
	return atomic_fetch_add_explicit(&streak, 1, memory_order_relaxed) + 1 ==
		       STREAK &&
	       held == 0 && now() - atomic_load(&streak_start) < STREAK_NS;
}

static bool set_mask(uint32_t tid, const uint64_t *mask)
{
	return !qr_failed(qr_sys(SYS_sched_setaffinity, tid, MASK_WORDS * sizeof(*mask),
				 qr_address(mask), 0, 0, 0));
}

bool qr_pin_set(uint32_t tid, uint32_t cpu)
{
	uint64_t here[MASK_WORDS] = {0};
	uint32_t nobody = 0;

	if (cpu >= MASK_WORDS * 64)
		return false;
	for (uint32_t i = 0; i < MASK_WORDS; i++)
		allowed[i] = 0;
	if (qr_failed(qr_sys(SYS_sched_getaffinity, tid, sizeof(allowed),
			     qr_address(allowed), 0, 0, 0)) ||
	    (allowed[cpu / 64] >> cpu % 64 & 1) == 0)
		return false;
	here[cpu / 64] = UINT64_C(1) << cpu % 64;
	if (!atomic_compare_exchange_strong(&pinned, &nobody, tid))
		return false;
	if (set_mask(tid, here))
		return true;
	atomic_store(&pinned, 0);
	return false;
}

void qr_pin_end(void)
{
	uint32_t tid = atomic_exchange(&pinned, 0);

	if (tid != 0)
		(void)set_mask(tid, allowed);
}

void qr_pin_disown(void)
{
	if (atomic_load(&pinned) != 0)
		(void)set_mask(0, allowed);
}

bool qr_pin_is_set(void)
{
	return atomic_load_explicit(&pinned, memory_order_relaxed) != 0;
}

void qr_pin_watch(_Atomic uint32_t *word, uint32_t value)
{
	const struct timespec pause = {.tv_nsec = WATCH_NS};
	uint64_t before = atomic_load(&nr_faults);

	(void)qr_sys(SYS_futex, qr_address((const void *)word), FUTEX_WAIT_PRIVATE, value,
		     qr_address(&pause), 0, 0);
	if (atomic_load(word) == value && atomic_load(&nr_faults) == before)
		qr_pin_end();
}
