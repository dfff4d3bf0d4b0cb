/* SPDX-License-Identifier: MIT */
/* calls_remap.c - mremap: within the machine, of host mappings, of foreign ones.
 *
 * Nothing crosses the window's border: a mapping of the host's is never moved in, an area
 * never out. */
#include "ports/linux/calls.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct request {
	uint64_t old, old_bytes, new_bytes, flags, target;
	struct quire_range from, to; /* to: MREMAP_FIXED only */
};

static bool is_fixed(const struct request *r)
{
	return (r->flags & MREMAP_FIXED) != 0;
}

static long remap_by_lane(uint32_t lane, const uint64_t *args)
{
	uint32_t flags = 0;
	enum quire_status status;
	quire_vaddr at;

	if ((args[3] & MREMAP_MAYMOVE) != 0)
		flags |= QUIRE_REMAP_MAYMOVE;
	if ((args[3] & MREMAP_FIXED) != 0)
		flags |= QUIRE_REMAP_FIXED;
	if ((args[3] & MREMAP_DONTUNMAP) != 0)
		flags |= QUIRE_REMAP_DONTUNMAP;
	status = quire_mremap(qr_ground.q, lane, (quire_vaddr){args[0]}, args[1], args[2],
			      flags, (quire_vaddr){args[4]}, &at);
	return status == QUIRE_OK ? (long)at.a : qr_status_error(status);
}

/* The host's mark that a mapping is locked did not move with the pages. */
static void lock_moved(uint64_t at, uint64_t bytes)
{
	struct quire_area_info info;

	if (qr_ground.has_locks &&
	    quire_area_next(qr_ground.q, (quire_vaddr){at}, &info) &&
	    info.range.start.a <= at && info.locked)
		(void)qr_sys(SYS_mlock2, (long)at, (long)bytes, MLOCK_ONFAULT, 0, 0, 0);
}

static long remap_area(const struct request *r)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {r->old, r->old_bytes, r->new_bytes,
						r->flags, r->target};
	long at = 0;

	if (is_fixed(r)) {
		if (!qr_is_in_window(r->to))
			return -EINVAL;
		at = qr_foreign_restore(r->to);
	}
	if (at == 0)
		at = qr_doorbell_ring(remap_by_lane, args);
	if (!qr_failed(at))
		lock_moved((uint64_t)at, r->new_bytes);
	return at;
}

static long remap_raw(const struct request *r)
{
	return qr_sys(SYS_mremap, (long)r->old, (long)r->old_bytes, (long)r->new_bytes,
		      (long)r->flags, (long)r->target, 0);
}

/* What the sums say of private anonymous memory moves along. */
static long remap_host(const struct request *r)
{
	struct quire_range part, now;
	bool is_anon = qr_ranges_first(&qr_ground.host_anon, r->from, &part);
	long at;

	if (is_fixed(r) && qr_touches_reserve(r->to))
		return -EINVAL;
	if (is_anon && !qr_ranges_reserve(&qr_ground.host_anon))
		return -ENOMEM;
	at = remap_raw(r);
	if (qr_failed(at) || !is_anon || !qr_pages_of((uint64_t)at, r->new_bytes, &now))
		return at;
	qr_ranges_remove(&qr_ground.host_anon, r->from);
	qr_ranges_remove(&qr_ground.host_anon, now);
	qr_ranges_add(&qr_ground.host_anon, now);
	qr_ground.seat->foreign_bytes = qr_ranges_bytes(&qr_ground.host_anon);
	return at;
}

/* A foreign mapping shrinks in place or leaves the window: there the reserve is all
 * around it. */
static long remap_foreign(const struct request *r)
{
	struct quire_range rest = r->from;
	long at, error;

	if (is_fixed(r) && qr_touches_reserve(r->to))
		return -EINVAL;
	at = remap_raw(r);
	if (qr_failed(at))
		return at;
	if ((uint64_t)at == r->old)
		rest.start.a += (r->new_bytes + QUIRE_PAGE_BYTES - 1) &
				~(uint64_t)(QUIRE_PAGE_BYTES - 1);
	if ((r->flags & MREMAP_DONTUNMAP) != 0 || rest.start.a >= rest.end.a)
		return at;
	error = qr_foreign_restore(rest);
	if (error == 0)
		(void)quire_munmap(qr_ground.q, rest.start, rest.end.a - rest.start.a);
	return at;
}

long qr_call_mremap(const uint64_t *a)
{
	struct request r = {a[0], a[1], a[2], a[3], a[4], {{0}, {0}}, {{0}, {0}}};
	struct quire_range left;
	struct qr_piece piece;

	if ((r.old & (QUIRE_PAGE_BYTES - 1)) != 0 ||
	    !qr_pages_of(r.old, r.old_bytes, &r.from) ||
	    (is_fixed(&r) && !qr_pages_of(r.target, r.new_bytes, &r.to)))
		return -EINVAL;
	left = (struct quire_range){r.from.start, {r.from.start.a + QUIRE_PAGE_BYTES}};
	(void)qr_piece_next(&left, &piece);
	switch (piece.side) {
	case QR_MACHINE:
		return remap_area(&r);
	case QR_FOREIGN:
		return remap_foreign(&r);
	default:
		return qr_touches_reserve(r.from) ? -EFAULT : remap_host(&r);
	}
}
