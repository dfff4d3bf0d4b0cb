/* SPDX-License-Identifier: MIT */
/* pin.c - who faults often, and their affinity, changed for a while and given back.
 *
 * A home's tid is what both sides agree on: who sets a pin stores it, changes the mask,
 * and looks again whether it is still there; who ends one takes it out and gives the mask
 * back.  So whoever comes last gives it back.
 */
#include "ports/linux/pin.h"

#include "ports/linux/ground.h"
#include "ports/linux/place.h"
#include "ports/linux/sys.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>

/* Who faults often is asked each time so many faults came; a thread does that took
 * one in OFTEN of them.  They must have come within so long to be worth a pin. */
#define PERIOD	  256u
#define PERIOD_NS 100000000u
#define OFTEN	  8u

/* How long no fault may come before the pins end. */
#define WATCH_NS 20000000

#define THREADS QUIRE_LANES_MAX

/* A thread that took faults in this period. */
struct counted {
	_Atomic uint32_t tid; /* 0: free */
	_Atomic uint32_t nr;
};

/* A lane's guest. */
struct home {
	_Atomic uint32_t tid; /* 0: nobody */
	uint32_t cpu;
	uint64_t allowed[QR_CPU_WORDS]; /* where it may run by its own right */
};

static struct counted threads[THREADS];
static struct home homes[QUIRE_LANES_MAX];
static _Atomic uint32_t nr_homes; /* the watcher sleeps while there are none */
static _Atomic uint32_t nr_holders;
static _Atomic uint64_t nr_faults;
static _Atomic uint32_t nr_others; /* faults of threads that found no room above */
static _Atomic bool is_deciding;
static uint64_t period_start;

static bool set_mask(uint32_t tid, const uint64_t *mask)
{
	return !qr_failed(qr_sys(SYS_sched_setaffinity, tid, QR_CPU_WORDS * sizeof(*mask),
				 qr_address(mask), 0, 0, 0));
}

static bool get_mask(uint32_t tid, uint64_t *mask)
{
	for (uint32_t i = 0; i < QR_CPU_WORDS; i++)
		mask[i] = 0;
	return !qr_failed(qr_sys(SYS_sched_getaffinity, tid, QR_CPU_WORDS * sizeof(*mask),
				 qr_address(mask), 0, 0, 0));
}

static bool has_cpu(const uint64_t *mask, uint32_t cpu)
{
	return (mask[cpu / 64] >> cpu % 64 & 1) != 0;
}

/* The only processor of mask is cpu. */
static bool is_only(const uint64_t *mask, uint32_t cpu)
{
	for (uint32_t i = 0; i < QR_CPU_WORDS; i++)
		if (mask[i] != (i == cpu / 64 ? UINT64_C(1) << cpu % 64 : 0))
			return false;
	return true;
}

static void leave_home(struct home *home)
{
	uint32_t tid = atomic_exchange(&home->tid, 0);

	if (tid == 0)
		return;
	(void)set_mask(tid, home->allowed);
	atomic_fetch_sub(&nr_homes, 1);
}

static void end_all(void)
{
	for (uint32_t lane = 0; lane < QUIRE_LANES_MAX; lane++)
		leave_home(&homes[lane]);
}

bool qr_pin_lane(uint32_t tid, uint32_t *lane)
{
	for (*lane = 0; *lane < QUIRE_LANES_MAX; ++*lane)
		if (atomic_load_explicit(&homes[*lane].tid, memory_order_relaxed) == tid)
			return true;
	return false;
}

/* A lane for tid: that of the processor it is on, or else one that is free. */
static bool choose_lane(uint32_t tid, uint32_t *lane, uint32_t *cpu)
{
	*cpu = qr_place_cpu_of(tid);
	if (*cpu < QR_CPUS_MAX) {
		*lane = qr_place_lane_of(*cpu);
		if (atomic_load(&homes[*lane].tid) == 0)
			return true;
	}
	for (*lane = 0; *lane < qr_place_lanes(); ++*lane)
		if (atomic_load(&homes[*lane].tid) == 0) {
			*cpu = qr_place_first_cpu(*lane);
			return true;
		}
	return false;
}

static void wake_watcher(void)
{
	const struct quire_port *port = &qr_ground.port;

	port->notify(port->ctx, &nr_homes, INT_MAX);
}

static void settle_in(uint32_t tid)
{
	uint64_t here[QR_CPU_WORDS] = {0};
	struct home *home;
	uint32_t lane, cpu, guest = tid;

	if (!choose_lane(tid, &lane, &cpu) || !qr_place_can_serve(lane))
		return;
	home = &homes[lane];
	if (!get_mask(tid, home->allowed) || !has_cpu(home->allowed, cpu) ||
	    is_only(home->allowed, cpu))
		return;
	here[cpu / 64] = UINT64_C(1) << cpu % 64;
	home->cpu = cpu;
	atomic_fetch_add(&nr_homes, 1);
	atomic_store(&home->tid, tid);
	if (!set_mask(tid, here) || atomic_load(&nr_holders) != 0) {
		leave_home(home);
		return;
	}
	if (!atomic_compare_exchange_strong(&home->tid, &guest, tid))
		(void)set_mask(tid, home->allowed);
	wake_watcher();
}

static bool is_often(const struct counted *thread)
{
	return atomic_load(&thread->tid) != 0 &&
	       atomic_load(&thread->nr) >= PERIOD / OFTEN;
}

static bool is_worth_it(void)
{
	uint64_t now = qr_ground.port.clock(qr_ground.port.ctx);
	bool is_quick = now - period_start < PERIOD_NS;
	uint32_t nr = 0;

	period_start = now;
	for (uint32_t i = 0; i < THREADS; i++)
		nr += is_often(&threads[i]);
	return is_quick && nr > 0 && nr <= qr_place_lanes() &&
	       atomic_load(&nr_others) < PERIOD / OFTEN && atomic_load(&nr_holders) == 0;
}

/* A new period; who took no fault is forgotten. */
static void forget_counts(void)
{
	for (uint32_t i = 0; i < THREADS; i++)
		if (atomic_exchange(&threads[i].nr, 0) == 0)
			atomic_store(&threads[i].tid, 0);
	atomic_store(&nr_others, 0);
}

static void leave_if_rare(struct home *home)
{
	uint32_t tid = atomic_load(&home->tid);

	for (uint32_t i = 0; i < THREADS; i++)
		if (tid != 0 && atomic_load(&threads[i].tid) == tid &&
		    atomic_load(&threads[i].nr) != 0)
			return;
	leave_home(home);
}

static void decide(void)
{
	uint32_t mask = 0, lane;

	if (!is_worth_it()) {
		end_all();
		forget_counts();
		return;
	}
	for (lane = 0; lane < QUIRE_LANES_MAX; lane++)
		leave_if_rare(&homes[lane]);
	for (uint32_t i = 0; i < THREADS; i++)
		if (is_often(&threads[i]) && !qr_pin_lane(threads[i].tid, &lane))
			settle_in(threads[i].tid);
	for (lane = 0; lane < QUIRE_LANES_MAX; lane++)
		mask |= (uint32_t)(atomic_load(&homes[lane].tid) != 0) << lane;
	if (mask != 0)
		qr_place_listen(mask);
	forget_counts();
}

static void count(uint32_t tid)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		struct counted *thread = &threads[i];
		uint32_t is = atomic_load_explicit(&thread->tid, memory_order_relaxed);

		if (is == 0 && atomic_compare_exchange_strong(&thread->tid, &is, tid))
			is = tid;
		if (is != tid)
			continue;
		atomic_fetch_add_explicit(&thread->nr, 1, memory_order_relaxed);
		return;
	}
	atomic_fetch_add_explicit(&nr_others, 1, memory_order_relaxed);
}

void qr_pin_note(uint32_t tid)
{
	uint64_t nr = atomic_fetch_add_explicit(&nr_faults, 1, memory_order_relaxed);

	if (qr_place_lanes() < 2)
		return;
	count(tid);
	if (nr % PERIOD != PERIOD - 1 || atomic_exchange(&is_deciding, true))
		return;
	decide();
	atomic_store(&is_deciding, false);
}

void qr_pin_hold(void)
{
	atomic_fetch_add(&nr_holders, 1);
	end_all();
}

void qr_pin_release(void)
{
	atomic_fetch_sub(&nr_holders, 1);
}

void qr_pin_reset(void)
{
	for (uint32_t i = 0; i < QUIRE_LANES_MAX; i++)
		atomic_store(&homes[i].tid, 0);
	for (uint32_t i = 0; i < THREADS; i++)
		atomic_store(&threads[i].tid, 0);
	atomic_store(&nr_homes, 0);
	atomic_store(&nr_holders, 0);
	atomic_store(&is_deciding, false);
}

void qr_pin_disown(void)
{
	uint64_t mask[QR_CPU_WORDS];

	if (atomic_load(&nr_homes) == 0 || !get_mask(0, mask))
		return;
	for (uint32_t lane = 0; lane < QUIRE_LANES_MAX; lane++) {
		const struct home *home = &homes[lane];

		if (atomic_load(&home->tid) != 0 && is_only(mask, home->cpu)) {
			(void)set_mask(0, home->allowed);
			return;
		}
	}
}

void qr_pin_watch(void)
{
	const struct quire_port *port = &qr_ground.port;
	const struct timespec pause = {.tv_nsec = WATCH_NS};

	for (;;) {
		uint64_t before = atomic_load(&nr_faults);

		if (atomic_load(&nr_homes) == 0) {
			port->wait(port->ctx, &nr_homes, 0);
			continue;
		}
		(void)qr_sys(SYS_nanosleep, qr_address(&pause), 0, 0, 0, 0, 0);
		if (atomic_load(&nr_faults) == before)
			end_all();
	}
}
