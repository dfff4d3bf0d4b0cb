/* SPDX-License-Identifier: MIT */
/* calls.c - what all calls share: the way in, ranges, errors. */
#include "ports/linux/calls.h"

#include "ports/linux/enter.h"
#include "ports/linux/sys.h"

#include <errno.h>

static long balance_by_lane(uint32_t lane, const uint64_t *args)
{
	(void)args;
	return quire_balance(qr_ground.q, lane);
}

static long make_room(const uint64_t *args)
{
	return qr_doorbell_ring(balance_by_lane, args);
}

/* How often a call asks for frames: others may take what its turn made free. */
#define TURNS_MAX 16u

/* Pages go out behind faults.  A program that makes areas and touches none takes the
 * frames for their records from the reserve until that is used up, and then has to ask.
 * Where nothing was to be done somebody else may just have done it: so once more. */
long qr_call_managed(long (*run)(const uint64_t *args),
		     const uint64_t args[QUIRE_CALL_ARGS])
{
	long result = qr_enter(run, args);

	for (uint32_t turn = 0; result == -ENOMEM && turn < TURNS_MAX; turn++) {
		bool worked = qr_enter(make_room, args) > 0;

		result = qr_enter(run, args);
		if (!worked)
			break;
	}
	return result;
}

long qr_call(long nr, long (*run)(const uint64_t *args),
	     const uint64_t args[QUIRE_CALL_ARGS])
{
	if (qr_is_managed())
		return qr_call_managed(run, args);
	return qr_sys(nr, (long)args[0], (long)args[1], (long)args[2], (long)args[3],
		      (long)args[4], (long)args[5]);
}

long qr_call_result(long result)
{
	if (!qr_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

long qr_status_error(enum quire_status status)
{
	static const int errors[] = {
		[QUIRE_OK] = 0,
		[QUIRE_NO_MEMORY] = ENOMEM,
		[QUIRE_INVALID] = EINVAL,
		[QUIRE_FAULT] = EFAULT,
		[QUIRE_EXISTS] = EEXIST,
		[QUIRE_BUSY] = EAGAIN,
		[QUIRE_NO_SPACE] = ENOMEM,
		[QUIRE_IO] = EIO,
		[QUIRE_CORRUPT] = EIO,
		[QUIRE_UNSUPPORTED] = ENOSYS,
		[QUIRE_AGAIN] = EAGAIN,
		[QUIRE_DENIED] = EPERM,
		[QUIRE_REFUSED] = EACCES,
		[QUIRE_NO_FILE] = EBADF,
		[QUIRE_OVERFLOW] = EOVERFLOW,
		[QUIRE_PAST_END] = EFAULT,
	};

	return -errors[status];
}

bool qr_pages_of(uint64_t addr, uint64_t bytes, struct quire_range *out)
{
	const uint64_t in_page = QUIRE_PAGE_BYTES - 1;
	uint64_t end = addr + bytes;

	if (end < addr || end + in_page < end)
		return false;
	*out = (struct quire_range){{addr & ~in_page}, {(end + in_page) & ~in_page}};
	return true;
}

/* Cuts the range off before a. */
static void cut(struct quire_range *range, uint64_t a)
{
	if (a > range->start.a && a < range->end.a)
		range->end.a = a;
}

bool qr_piece_next(struct quire_range *left, struct qr_piece *out)
{
	const struct quire_range window = qr_ground.port.window;
	struct quire_range foreign;

	if (left->start.a >= left->end.a)
		return false;
	out->range = *left;
	cut(&out->range, window.start.a);
	cut(&out->range, window.end.a);
	out->side = QR_HOST;
	if (qr_range_has(window, out->range.start.a))
		out->side = QR_MACHINE;
	if (out->side == QR_MACHINE &&
	    qr_ranges_first(&qr_ground.foreign, out->range, &foreign)) {
		if (foreign.start.a == out->range.start.a)
			out->side = QR_FOREIGN;
		cut(&out->range, foreign.start.a);
		cut(&out->range, foreign.end.a);
	}
	left->start = out->range.end;
	return true;
}

bool qr_touches_reserve(struct quire_range range)
{
	return range.start.a < qr_ground.reserve.end.a &&
	       qr_ground.reserve.start.a < range.end.a;
}

bool qr_is_in_window(struct quire_range range)
{
	const struct quire_range window = qr_ground.port.window;

	return range.start.a >= window.start.a && range.end.a <= window.end.a;
}

bool qr_areas_cover(struct quire_range range)
{
	struct quire_area_info info;

	while (range.start.a < range.end.a) {
		if (!quire_area_next(qr_ground.q, range.start, &info) ||
		    info.range.start.a > range.start.a || info.foreign)
			return false;
		range.start = info.range.end;
	}
	return true;
}
