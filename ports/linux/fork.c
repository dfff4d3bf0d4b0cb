/* SPDX-License-Identifier: MIT */
/* fork.c - what is done around a copy of the process.
 *
 * Model.  The machine stands still while the kernel copies the address space, so that its
 * tables and the pages agree in both copies.  The kernel drops the userfaultfd in the
 * child: there, until the child's own machine is at work, an absent page reads as zero
 * (vital.c says why none is read).  The child gets handlers, a userfaultfd, a seat and
 * descriptors of the swap areas of its own, all before fork() returns.
 *
 * A child that may not have a userfaultfd any more gets all its pages back and goes on
 * without a machine, which the segment notes.
 *
 * Order of locks: this file's, the heap's, the machine's, the sets of ranges. */
#include "ports/linux/fork.h"

#include "heap/heap.h"
#include "ports/linux/careful.h"
#include "ports/linux/doorbell.h"
#include "ports/linux/enter.h"
#include "ports/linux/ground.h"
#include "ports/linux/handler.h"
#include "ports/linux/handover.h"
#include "ports/linux/hold.h"
#include "ports/linux/next.h"
#include "ports/linux/pin.h"
#include "ports/linux/seat.h"
#include "ports/linux/swapfile.h"
#include "ports/linux/sys.h"
#include "ports/linux/vital.h"
#include "ports/linux/window.h"

#include <string.h>
#include <sys/mman.h>

static struct {
	struct quire_lock lock; /* one fork at a time */
	uint64_t mask;
	int fds[QUIRE_SWAPFILES];
	int nr_fds;
	/* The account while the process is copied: a seat is shared memory. */
	struct quire_stats stats;
} fork_state;

/* Calls of the core that need no more than the machine. */
static long stand_still(const uint64_t *args)
{
	(void)args;
	quire_set_stats(qr_ground.q, &fork_state.stats);
	quire_fork_prepare(qr_ground.q);
	return 0;
}

static long go_on(const uint64_t *args)
{
	quire_fork_resume(qr_ground.q, args[0] != 0);
	return 0;
}

static long account_to_seat(const uint64_t *args)
{
	(void)args;
	quire_set_stats(qr_ground.q, &qr_ground.seat->stats);
	return 0;
}

static void in_core(long (*run)(const uint64_t *args), uint64_t arg)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {arg};

	(void)qr_enter_blocked(run, args);
}

static void lock_sets(void)
{
	qr_lock(&qr_ground.foreign.lock);
	qr_lock(&qr_ground.host_anon.lock);
	qr_lock(&qr_ground.no_fork.lock);
	qr_lock(&qr_ground.wipe_fork.lock);
}

static void unlock_sets(void)
{
	qr_unlock(&qr_ground.wipe_fork.lock);
	qr_unlock(&qr_ground.no_fork.lock);
	qr_unlock(&qr_ground.host_anon.lock);
	qr_unlock(&qr_ground.foreign.lock);
}

void qr_fork_init(void)
{
	qr_lock_init(&fork_state.lock, &qr_ground.port);
}

/* Everything that the child will need is there, and the machine stands still; otherwise
 * it works on. */
static bool try_prepare(uint64_t child_stack)
{
	fork_state.nr_fds = qr_handover_take(fork_state.fds);
	qr_vital_list(child_stack);
	qr_vital_touch();
	in_core(stand_still, 0);
	if (qr_vital_present() &&
	    (fork_state.nr_fds < 0 || (uint32_t)fork_state.nr_fds == qr_swapfile_count()))
		return true;
	in_core(go_on, false);
	in_core(account_to_seat, 0);
	if (fork_state.nr_fds > 0)
		qr_handover_close(fork_state.fds, (uint32_t)fork_state.nr_fds);
	return false;
}

static void prepare_machine(uint64_t child_stack)
{
	while (!try_prepare(child_stack))
		;
	lock_sets();
}

void qr_fork_prepare(uint64_t child_stack)
{
	uint64_t mask;

	if (!qr_is_managed()) {
		qr_heap_fork_prepare();
		return;
	}
	mask = qr_host_block_signals();
	qr_pin_hold();
	qr_lock(&fork_state.lock);
	fork_state.mask = mask;
	qr_heap_fork_prepare();
	prepare_machine(child_stack);
}

static void close_fds(void)
{
	if (fork_state.nr_fds > 0)
		qr_handover_close(fork_state.fds, (uint32_t)fork_state.nr_fds);
}

void qr_fork_parent(void)
{
	uint64_t mask = fork_state.mask;

	if (!qr_is_managed()) {
		qr_heap_fork_parent();
		return;
	}
	unlock_sets();
	in_core(go_on, false);
	in_core(account_to_seat, 0);
	close_fds();
	qr_heap_fork_parent();
	qr_unlock(&fork_state.lock);
	qr_pin_release();
	qr_host_restore_signals(mask);
}

/* The child's counts start at nothing; what is stands as it stands. */
static void forget_flows(struct quire_stats *s)
{
	s->faults = s->faults_zero = s->faults_minor = s->faults_major = 0;
	s->faults_protect = s->fault_ns = s->reclaim_ns = 0;
	s->pages_zeroed = s->pages_in = s->pages_ahead = s->pages_out = 0;
	s->clean_drops = s->zero_drops = s->refaults_soon = s->pages_kept = 0;
	s->packed_in = s->packed_out = s->extents_in = s->swap_ns = 0;
}

/* MADV_DONTFORK: nothing was copied, and nothing may be there. */
static void fill_holes(void)
{
	const struct quire_range window = qr_ground.port.window;
	struct quire_range left = window, part;

	while (qr_ranges_first(&qr_ground.no_fork, left, &part)) {
		(void)qr_window_restore(part);
		left.start = part.end;
	}
}

/* What the child does not inherit: areas, contents, locks. */
static long drop_uninherited(const uint64_t *args)
{
	struct quire_range part;

	(void)args;
	while (qr_ranges_first(&qr_ground.no_fork, qr_ground.port.window, &part))
		(void)quire_munmap(qr_ground.q, part.start, part.end.a - part.start.a);
	part = (struct quire_range){qr_ground.port.window.start, {0}};
	for (struct quire_range left = qr_ground.port.window;
	     qr_ranges_first(&qr_ground.wipe_fork, left, &part); left.start = part.end)
		(void)quire_madvise(qr_ground.q, part.start, part.end.a - part.start.a,
				    QUIRE_ADVICE_DONTNEED);
	(void)quire_mlock_all(qr_ground.q, false, false);
	return 0;
}

static void reset_for_child(void)
{
	unlock_sets();
	qr_enter_reset();
	qr_doorbell_init();
	qr_careful_init();
	qr_hold_reset();
	qr_fork_init();
	qr_handler_forget();
	qr_pin_reset();
	atomic_store(&qr_ground.has_locks, false);
	atomic_store(&qr_ground.locks_future, false);
}

/* Pages come back one by one, in order, to where the program may not be allowed to
 * write. */
static void put_back(void *ctx, quire_vaddr va, const void *bytes)
{
	(void)ctx;
	(void)qr_host_mprotect((const void *)va.a, QUIRE_PAGE_BYTES,
			       PROT_READ | PROT_WRITE);
	memcpy((void *)va.a, bytes, QUIRE_PAGE_BYTES);
}

static void protect_areas(void)
{
	struct quire_area_info info = {.range = qr_ground.port.window};

	while (quire_area_next(qr_ground.q, info.range.start, &info)) {
		if (!info.foreign)
			(void)qr_host_mprotect((const void *)info.range.start.a,
					       info.range.end.a - info.range.start.a,
					       (int)info.prot);
		info.range.start = info.range.end;
	}
}

static long restore_all(const uint64_t *args)
{
	enum quire_status status = quire_fork_restore(qr_ground.q, 0, put_back, NULL);

	(void)args;
	if (status != QUIRE_OK) {
		struct qr_text text = qr_seat_text();

		qr_text_add(&text, "a page of a forked process was lost in swap");
		qr_seat_die(&text, QUIRE_END_CORRUPT);
	}
	quire_fork_resume(qr_ground.q, false);
	protect_areas();
	return 0;
}

/* The reserve becomes ordinary memory of the host's. */
static void go_on_without(const char *why)
{
	in_core(restore_all, 0);
	atomic_store(&qr_ground.is_managed, false);
	qr_seat_leave(why);
}

static const char *start_machine(void)
{
	if (fork_state.nr_fds < 0)
		return "its swap files could not be handed to it";
	return qr_handler_start(fork_state.fds, (uint32_t)fork_state.nr_fds);
}

void qr_fork_child(void)
{
	uint64_t mask = fork_state.mask;
	const char *fault;

	if (!qr_is_managed()) {
		qr_heap_fork_child();
		return;
	}
	reset_for_child();
	qr_seat_succeed();
	fill_holes();
	if (fork_state.nr_fds > 0)
		qr_swapfile_adopt(fork_state.fds, (uint32_t)fork_state.nr_fds);
	fault = start_machine();
	if (fault == NULL) {
		in_core(go_on, true);
		forget_flows(&fork_state.stats);
		in_core(account_to_seat, 0);
		in_core(drop_uninherited, 0);
		qr_handler_go();
	} else {
		go_on_without(fault);
	}
	close_fds();
	qr_heap_fork_child();
	qr_host_restore_signals(mask);
}

static void prepare_here(void)
{
	qr_fork_prepare(0);
}

/* Libraries register handlers of their own, perhaps before this one is initialised.  Ours
 * come first in libc's list: then they are the last to prepare and the first in the
 * child, and nobody else's runs while the machine stands still. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *library);

static int register_next(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			 void *library)
{
	return QR_NEXT(__register_atfork)(prepare, parent, child, library);
}

void qr_fork_register(void)
{
	static _Atomic bool is_registered;

	if (!atomic_exchange(&is_registered, true))
		(void)register_next(prepare_here, qr_fork_parent, qr_fork_child, NULL);
}

QR_EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void),
				void (*child)(void), void *library)
{
	qr_fork_register();
	return register_next(prepare, parent, child, library);
}

static long raw(long nr, const uint64_t *a)
{
	return qr_sys(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], 0);
}

long qr_fork_raw(long nr, const uint64_t *args)
{
	long pid;

	qr_fork_prepare(0);
	pid = raw(nr, args);
	if (pid == 0)
		qr_fork_child();
	else
		qr_fork_parent();
	return pid;
}
