/* SPDX-License-Identifier: MIT */
/* foreign.c - host mappings that a program fixed inside the window, and their end. */
#include "ports/linux/calls.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"
#include "ports/linux/window.h"

#include <errno.h>

static long register_range(uint32_t lane, const uint64_t *args)
{
	(void)lane;
	return qr_uffd_register((struct quire_range){{args[0]}, {args[1]}});
}

/* Where registering fails the addresses are of no use any more; they stay foreign. */
static long restore_part(struct quire_range part)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {part.start.a, part.end.a};
	long error;

	if (!qr_ranges_reserve(&qr_ground.foreign))
		return -ENOMEM;
	error = qr_window_restore(part);
	if (error == 0)
		error = qr_doorbell_ring(register_range, args);
	if (error == 0)
		qr_ranges_remove(&qr_ground.foreign, part);
	return error;
}

long qr_foreign_restore(struct quire_range range)
{
	struct quire_range part;
	long error = 0;

	while (error == 0 && qr_ranges_first(&qr_ground.foreign, range, &part))
		error = restore_part(part);
	return error;
}
