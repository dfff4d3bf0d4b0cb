/* SPDX-License-Identifier: MIT */
/* machine.h - one machine of all storeys, and what tests look at in it. */
#ifndef QUIRE_CORE_MACHINE_MACHINE_H
#define QUIRE_CORE_MACHINE_MACHINE_H

#include "core/reclaim/reclaim.h"

struct quire {
	struct quire_lock lock;
	struct quire_zone zone;
	struct quire_swap swap;
	struct quire_space space;
	struct quire_reclaim reclaim;
	const struct quire_port *port;
	uint32_t
		nr_at_work; /* lanes between the start and the end of a fault or a turn */
	bool is_stopping;   /* a fork is being prepared: nobody starts */
};

/* The top table, for a ground that walks tables itself. */
quire_pfn qr_machine_root(struct quire *q);
struct quire_zone *qr_machine_zone(struct quire *q);

#endif
