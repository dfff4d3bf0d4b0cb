/* SPDX-License-Identifier: MIT */
/* calls_lock.c - mlock and its kin.
 *
 * The core keeps the pages in; the host is told too, so that its limits hold and its
 * figures (VmLck) are right, and since locking is also what brings the pages in. */
#include "ports/linux/calls.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <sys/mman.h>

static size_t bytes_of(struct quire_range range)
{
	return range.end.a - range.start.a;
}

static long host_lock(struct quire_range range, int flags)
{
	return qr_sys(SYS_mlock2, (long)range.start.a, (long)bytes_of(range), flags, 0, 0,
		      0);
}

/* What does not fit under the limit is EAGAIN for mmap, where mlock says ENOMEM. */
long qr_lock_new(struct quire_range range)
{
	long error;

	atomic_store(&qr_ground.has_locks, true);
	error = host_lock(range, MLOCK_ONFAULT);
	if (error == 0)
		error = qr_status_error(
			quire_mlock(qr_ground.q, range.start, bytes_of(range), true));
	if (error == 0)
		(void)host_lock(range, 0);
	return error == -ENOMEM ? -EAGAIN : error;
}

static long lock_area(struct quire_range range, int flags)
{
	long error = qr_status_error(
		quire_mlock(qr_ground.q, range.start, bytes_of(range), true));

	if (error != 0)
		return error;
	error = host_lock(range, flags);
	if (error != 0)
		(void)quire_mlock(qr_ground.q, range.start, bytes_of(range), false);
	return error;
}

static long unlock_area(struct quire_range range)
{
	long error = qr_status_error(
		quire_mlock(qr_ground.q, range.start, bytes_of(range), false));

	return error != 0 ? error
			  : qr_host_munlock((const void *)range.start.a, bytes_of(range));
}

static long each_piece(uint64_t addr, uint64_t bytes, bool on, int flags)
{
	struct quire_range left;
	struct qr_piece piece;
	long error = 0;

	if (!qr_pages_of(addr, bytes, &left))
		return -EINVAL;
	while (error == 0 && qr_piece_next(&left, &piece)) {
		if (piece.side == QR_MACHINE)
			error = on ? lock_area(piece.range, flags)
				   : unlock_area(piece.range);
		else if (on)
			error = host_lock(piece.range, flags);
		else
			error = qr_host_munlock((const void *)piece.range.start.a,
						bytes_of(piece.range));
	}
	return error;
}

long qr_call_mlock2(const uint64_t *a)
{
	if ((a[2] & ~(uint64_t)MLOCK_ONFAULT) != 0)
		return -EINVAL;
	atomic_store(&qr_ground.has_locks, true);
	return each_piece(a[0], a[1], true, (int)a[2]);
}

long qr_call_mlock(const uint64_t *a)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {a[0], a[1], 0};

	return qr_call_mlock2(args);
}

long qr_call_munlock(const uint64_t *a)
{
	return each_piece(a[0], a[1], false, 0);
}

/* Tells the host of each area; 0 or -errno. */
static long lock_areas(int flags)
{
	struct quire_area_info info = {.range = qr_ground.port.window};
	long error = 0;

	while (error == 0 && quire_area_next(qr_ground.q, info.range.start, &info)) {
		if (!info.foreign)
			error = host_lock(info.range, flags);
		info.range.start = info.range.end;
	}
	return error;
}

/* The host may lock what it likes of the process, but not bring in pool and reserve: the
 * one would cost all of the RAM bound at once, the other is addresses.  So the host locks
 * on fault, and pool and reserve are taken out again. */
static long host_lock_all(uint64_t flags)
{
	const struct quire_port *port = &qr_ground.port;
	long error = qr_sys(SYS_mlockall, (long)(flags | MCL_ONFAULT), 0, 0, 0, 0, 0);

	if (error != 0)
		return error;
	(void)qr_host_munlock(port->direct, (size_t)port->nr_frames << QUIRE_PAGE_SHIFT);
	(void)qr_host_munlock((const void *)qr_ground.reserve.start.a,
			      bytes_of(qr_ground.reserve));
	return 0;
}

long qr_call_mlockall(const uint64_t *a)
{
	const uint64_t all = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
	bool current = (a[0] & MCL_CURRENT) != 0, future = (a[0] & MCL_FUTURE) != 0;
	long error;

	if ((a[0] & ~all) != 0 || !(current || future))
		return -EINVAL;
	atomic_store(&qr_ground.has_locks, true);
	error = host_lock_all(a[0]);
	if (error == 0)
		error = qr_status_error(quire_mlock_all(qr_ground.q, current, future));
	if (error == 0 && current)
		error = lock_areas((a[0] & MCL_ONFAULT) != 0 ? MLOCK_ONFAULT : 0);
	if (error == 0)
		atomic_store(&qr_ground.locks_future, future);
	return error;
}

long qr_call_munlockall(const uint64_t *a)
{
	(void)a;
	(void)quire_mlock_all(qr_ground.q, false, false);
	atomic_store(&qr_ground.locks_future, false);
	return qr_sys(SYS_munlockall, 0, 0, 0, 0, 0, 0);
}
