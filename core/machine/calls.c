/* SPDX-License-Identifier: MIT */
/* calls.c - the machine's calls: each takes the lock, waits its turn, and asks the
 * storey whose business it is. */
#include "core/base/assert.h"
#include "core/machine/machine.h"

#define PROT_ALL (QUIRE_READ | QUIRE_WRITE | QUIRE_EXEC)

static void enter(struct quire *q)
{
	qr_lock(&q->lock);
	qr_space_wait_turn(&q->space);
	q->zone.was_short = false;
}

/* Whether a call is worth trying again: it lacked a frame, and pages were on their way
 * out, of which some are gone now.  Without a lane it cannot make room itself. */
static bool more_frames(struct quire *q, enum quire_status status)
{
	if (status != QUIRE_NO_MEMORY || !q->zone.was_short || q->reclaim.nr_at_work == 0)
		return false;
	qr_event_wait(&q->space.settled, &q->lock);
	qr_space_wait_turn(&q->space);
	q->zone.was_short = false;
	return true;
}

/* Takes the lock; the range in whole pages, or false with the lock not held. */
static bool enter_range(struct quire *q, quire_vaddr start, uint64_t bytes,
			struct quire_range *range)
{
	enter(q);
	if (qr_space_range(&q->space, start, bytes, range))
		return true;
	qr_unlock(&q->lock);
	return false;
}

static enum quire_status leave(struct quire *q, enum quire_status status)
{
	qr_areas_unreserve(&q->space.areas);
	qr_unlock(&q->lock);
	return status;
}

enum quire_status quire_mmap(struct quire *q, quire_vaddr hint, uint64_t bytes,
			     uint32_t prot, uint32_t flags, uint64_t align,
			     quire_vaddr *out)
{
	enum quire_status status;

	if (prot > PROT_ALL)
		return QUIRE_INVALID;
	enter(q);
	do
		status = qr_space_map(&q->space, hint, bytes, prot, flags, align, out);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_munmap(struct quire *q, quire_vaddr start, uint64_t bytes)
{
	enum quire_status status;
	struct quire_range range;

	if (bytes == 0 || !enter_range(q, start, bytes, &range))
		return QUIRE_INVALID;
	do
		status = qr_space_unmap(&q->space, range);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_mprotect(struct quire *q, quire_vaddr start, uint64_t bytes,
				 uint32_t prot)
{
	enum quire_status status;
	struct quire_range range;

	if (prot > PROT_ALL || !enter_range(q, start, bytes, &range))
		return QUIRE_INVALID;
	if (bytes == 0)
		return leave(q, QUIRE_OK);
	do
		status = qr_space_protect(&q->space, range, prot);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_brk(struct quire *q, quire_vaddr want, quire_vaddr *out)
{
	enum quire_status status;

	enter(q);
	do
		status = qr_space_brk(&q->space, want, out);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_madvise(struct quire *q, quire_vaddr start, uint64_t bytes,
				enum quire_advice advice)
{
	enum quire_status status;
	struct quire_range range;

	if (!enter_range(q, start, bytes, &range))
		return QUIRE_INVALID;
	if (bytes == 0)
		return leave(q, QUIRE_OK);
	do
		status = qr_space_advise(&q->space, range, advice);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_mlock(struct quire *q, quire_vaddr start, uint64_t bytes, bool on)
{
	enum quire_status status;
	struct quire_range range;

	if (!enter_range(q, start, bytes, &range))
		return QUIRE_INVALID;
	do
		status = qr_space_mlock(&q->space, range, on);
	while (more_frames(q, status));
	return leave(q, status);
}

enum quire_status quire_mlock_all(struct quire *q, bool current, bool future)
{
	enter(q);
	return leave(q, qr_space_mlock_all(&q->space, current, future));
}

enum quire_status quire_mincore(struct quire *q, quire_vaddr start, uint64_t bytes,
				unsigned char *vec)
{
	struct quire_range range;

	if (!enter_range(q, start, bytes, &range))
		return QUIRE_INVALID;
	while (range.start.a < range.end.a) {
		uint64_t left = (range.end.a - range.start.a) >> QUIRE_PAGE_SHIFT;
		uint64_t nr = left < 64 ? left : 64, bits;
		struct quire_range part = {range.start,
					   {range.start.a + (nr << QUIRE_PAGE_SHIFT)}};
		enum quire_status status = qr_space_resident(&q->space, part, &bits);

		if (status != QUIRE_OK)
			return leave(q, status);
		qr_unlock(&q->lock);
		for (uint64_t i = 0; i < nr; i++)
			*vec++ = bits >> i & 1;
		enter(q);
		range.start = part.end;
	}
	return leave(q, QUIRE_OK);
}

bool quire_area_next(struct quire *q, quire_vaddr at, struct quire_area_info *out)
{
	const struct quire_area *a;

	qr_lock(&q->lock);
	a = qr_areas_first(&q->space.areas, at.a);
	if (a != NULL)
		*out = (struct quire_area_info){
			.range = {{a->start}, {a->end}},
			.prot = a->prot,
			.locked = (a->marks & QUIRE_AREA_LOCKED) != 0,
			.foreign = (a->marks & QUIRE_AREA_FOREIGN) != 0,
		};
	qr_unlock(&q->lock);
	return a != NULL;
}

/* A lane starts work, unless a fork is being prepared. */
static void start_work(struct quire *q)
{
	qr_lock(&q->lock);
	while (q->is_stopping)
		qr_event_wait(&q->space.settled, &q->lock);
	q->nr_at_work++;
}

static void end_work(struct quire *q)
{
	q->nr_at_work--;
	if (q->is_stopping)
		qr_event_raise(&q->space.settled, &q->lock);
	qr_unlock(&q->lock);
}

enum quire_status quire_fault(struct quire *q, uint32_t lane, quire_vaddr va,
			      uint32_t access)
{
	enum quire_status status;

	QUIRE_ASSERT(lane < q->space.nr_lanes);
	start_work(q);
	status = qr_space_fault(&q->space, lane, va, access);
	end_work(q);
	return status;
}

bool quire_balance(struct quire *q, uint32_t lane)
{
	bool worked;

	QUIRE_ASSERT(lane < q->space.nr_lanes);
	start_work(q);
	worked = qr_reclaim_balance(&q->reclaim, lane);
	end_work(q);
	return worked;
}

void quire_after_fault(struct quire *q, uint32_t lane)
{
	QUIRE_ASSERT(lane < q->space.nr_lanes);
	start_work(q);
	qr_reclaim_after_fault(&q->reclaim, lane);
	end_work(q);
}

bool quire_write_back(struct quire *q)
{
	struct quire_reclaim *reclaim = &q->reclaim;
	bool more;

	qr_lock(&q->lock);
	while (!reclaim->stops_writing &&
	       (q->is_stopping || qr_reclaim_surplus(reclaim) == 0))
		qr_event_wait(&reclaim->surplus, &q->lock);
	more = !reclaim->stops_writing;
	if (more) {
		q->nr_at_work++;
		/* A device that is full or broken is not asked again before there is more. */
		more = qr_reclaim_write(reclaim);
		q->nr_at_work--;
		if (q->is_stopping)
			qr_event_raise(&q->space.settled, &q->lock);
		if (!more && !reclaim->stops_writing)
			qr_event_wait(&reclaim->surplus, &q->lock);
		more = !reclaim->stops_writing;
	}
	qr_unlock(&q->lock);
	return more;
}

bool quire_page_out(struct quire *q)
{
	struct quire_reclaim *reclaim = &q->reclaim;
	bool worked = false, more;

	qr_lock(&q->lock);
	more = !reclaim->stops_paging_out;
	if (more && !q->is_stopping) {
		q->nr_at_work++;
		worked = qr_reclaim_balance(reclaim, q->space.nr_lanes);
		q->nr_at_work--;
		if (q->is_stopping)
			qr_event_raise(&q->space.settled, &q->lock);
	}
	if (more && !worked)
		qr_event_wait(&reclaim->shortage, &q->lock);
	qr_unlock(&q->lock);
	return more;
}

void quire_stop_paging_out(struct quire *q)
{
	qr_lock(&q->lock);
	q->reclaim.stops_paging_out = true;
	qr_event_raise(&q->reclaim.shortage, &q->lock);
	qr_unlock(&q->lock);
}

void quire_stop_writing(struct quire *q)
{
	qr_lock(&q->lock);
	q->reclaim.stops_writing = true;
	qr_event_raise(&q->reclaim.surplus, &q->lock);
	qr_unlock(&q->lock);
}

enum quire_status quire_mremap(struct quire *q, uint32_t lane, quire_vaddr start,
			       uint64_t old_bytes, uint64_t new_bytes, uint32_t flags,
			       quire_vaddr target, quire_vaddr *out)
{
	enum quire_status status;

	QUIRE_ASSERT(lane < q->space.nr_lanes);
	start_work(q);
	do {
		qr_space_wait_turn(&q->space);
		q->zone.was_short = false;
		status = qr_space_remap(&q->space, &q->space.lanes[lane], start,
					old_bytes, new_bytes, flags, target, out);
	} while (status == QUIRE_NO_MEMORY && q->zone.was_short &&
		 qr_reclaim_pressure(&q->reclaim, lane));
	qr_areas_unreserve(&q->space.areas);
	end_work(q);
	return status;
}
