/* SPDX-License-Identifier: MIT */
/* balance.c - the formulas. */
#include "core/reclaim/balance.h"

/* Pages looked at where the part comes to nothing.  (Linux, SWAP_CLUSTER_MAX.) */
#define CLUSTER	       32u
#define SWAPPINESS_MAX 200u

#define PAGES_A_GIB (1u << (30 - QUIRE_PAGE_SHIFT))

static uint64_t part_of(uint64_t pages, uint32_t priority)
{
	uint64_t part = pages >> priority;

	if (part == 0)
		part = pages < CLUSTER ? pages : CLUSTER;
	return part;
}

void qr_balance_shares(const struct qr_balance *b, uint32_t priority,
		       uint64_t scan[QR_KINDS])
{
	uint64_t total = b->cost[QR_ANON] + b->cost[QR_FILE];
	uint64_t a = total + b->cost[QR_ANON], f = total + b->cost[QR_FILE];
	uint64_t parts[QR_KINDS];

	for (uint32_t kind = 0; kind < QR_KINDS; kind++)
		scan[kind] = part_of(b->pages[kind], priority);
	if (!b->has_swap || (b->swappiness == 0 && priority > 0))
		scan[QR_ANON] = 0;
	if (!b->has_swap || b->swappiness == 0 || priority == 0)
		return;
	parts[QR_ANON] = b->swappiness * (a + f + 1) / (a + 1);
	parts[QR_FILE] = (SWAPPINESS_MAX - b->swappiness) * (a + f + 1) / (f + 1);
	for (uint32_t kind = 0; kind < QR_KINDS; kind++)
		scan[kind] = scan[kind] * parts[kind] / (parts[QR_ANON] + parts[QR_FILE]);
}

static uint64_t root(uint64_t n)
{
	uint64_t r = 0;

	while ((r + 1) * (r + 1) <= n)
		r++;
	return r;
}

bool qr_inactive_is_low(uint64_t inactive, uint64_t active)
{
	uint64_t gib = (inactive + active) / PAGES_A_GIB;

	return inactive * (gib > 0 ? root(10 * gib) : 1) < active;
}
