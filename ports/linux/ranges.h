/* SPDX-License-Identifier: MIT */
/* ranges.h - a set of address ranges, kept in memory of the host's.
 *
 * Ranges neither overlap nor have an order; sets are small.  All calls take the set's
 * lock, with signals blocked by the caller. */
#ifndef QUIRE_PORTS_LINUX_RANGES_H
#define QUIRE_PORTS_LINUX_RANGES_H

#include "core/base/lock.h"

struct qr_ranges {
	struct quire_lock lock;
	struct quire_range *at;
	_Atomic uint32_t nr;
	uint32_t room;
};

void qr_ranges_init(struct qr_ranges *ranges, const struct quire_port *port);
/* Makes sure that one range can be added, or cut in two; false: no memory. */
bool qr_ranges_reserve(struct qr_ranges *ranges);
/* Adds a range that does not overlap any; a place is reserved. */
void qr_ranges_add(struct qr_ranges *ranges, struct quire_range range);
/* Takes the addresses of range out; a place is reserved where it may cut one in two. */
void qr_ranges_remove(struct qr_ranges *ranges, struct quire_range range);
/* The lowest part of within that is in the set; false when there is none. */
bool qr_ranges_first(struct qr_ranges *ranges, struct quire_range within,
		     struct quire_range *out);
uint64_t qr_ranges_bytes(struct qr_ranges *ranges);

#endif
