/* SPDX-License-Identifier: MIT */
/* balance.h - how many pages of files, and how many anonymous ones, reclaim looks at.
 *
 * Model.  Either kind has a *cost*: what taking its pages has cost lately, in pages that
 * were looked at in vain and, weighing more, pages that were transferred or came back
 * soon.  Pressure goes to where the cost is lower, weighted by swappiness: with
 * total = anon + file, a = total + anon, f = total + file and T = a + f, anonymous pages get
 * swappiness * (T + 1) / (a + 1) parts and files (200 - swappiness) * (T + 1) / (f + 1).
 * (Linux, mm/vmscan.c, get_scan_count().)
 */
#ifndef QUIRE_CORE_RECLAIM_BALANCE_H
#define QUIRE_CORE_RECLAIM_BALANCE_H

#include "core/files/workingset.h"

/* Reclaim looks at a part of all pages, at more the less it finds: 1 / 2^priority, from
 * this priority down to 0. */
#define QR_PRIORITY_DEFAULT 12u

struct qr_balance {
	uint64_t pages[QR_KINDS];
	uint64_t cost[QR_KINDS];
	uint32_t swappiness; /* 0..200 */
	bool has_swap;
};

/* How many pages of each kind to look at. */
void qr_balance_shares(const struct qr_balance *b, uint32_t priority,
		       uint64_t scan[QR_KINDS]);
/* Whether so few pages are inactive that active ones have to follow. */
bool qr_inactive_is_low(uint64_t inactive, uint64_t active);

#endif
