/* SPDX-License-Identifier: MIT */
/* area.c - areas as the host sees them: protections within one mapping.
 *
 * An area comes to be by mprotect() of a part of the reserve, and goes by giving its
 * pages back and mprotect() to nothing; the mapping itself stays, and stays registered
 * with the userfaultfd.  So no call here needs that descriptor. */
#include "ports/linux/area.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <sys/mman.h>

static const void *start_of(struct quire_range range)
{
	return (const void *)range.start.a;
}

static size_t bytes_of(struct quire_range range)
{
	return range.end.a - range.start.a;
}

/* The next area at these addresses must not inherit what the program said of this one. */
static void take_back_advice(struct qr_ranges *ranges, struct quire_range range,
			     int opposite)
{
	struct quire_range part;

	while (qr_ranges_first(ranges, range, &part)) {
		(void)qr_host_madvise(start_of(part), bytes_of(part), opposite);
		qr_ranges_remove(ranges, part);
	}
}

static enum quire_status set_gone(struct quire_range range)
{
	if (qr_failed(qr_host_mprotect(start_of(range), bytes_of(range), PROT_NONE)))
		return QUIRE_NO_MEMORY;
	(void)qr_host_madvise(start_of(range), bytes_of(range), MADV_DONTNEED_LOCKED);
	if (qr_ground.has_locks)
		(void)qr_host_munlock(start_of(range), bytes_of(range));
	take_back_advice(&qr_ground.no_fork, range, MADV_DOFORK);
	take_back_advice(&qr_ground.wipe_fork, range, MADV_KEEPONFORK);
	return QUIRE_OK;
}

/* ENOMEM stands for two things: no memory, and more mappings than vm.max_map_count; the
 * program is told the same either way. */
enum quire_status qr_area_set(void *ctx, struct quire_range range, uint32_t prot)
{
	long error;

	(void)ctx;
	if ((prot & QUIRE_PROT_GONE) != 0)
		return set_gone(range);
	error = qr_host_mprotect(start_of(range), bytes_of(range), (int)prot);
	if (error == 0)
		return QUIRE_OK;
	return error == -ENOMEM ? QUIRE_NO_MEMORY : QUIRE_INVALID;
}
