/* SPDX-License-Identifier: MIT */
/* oom.h - who is killed when no frame can be had.
 *
 * Model.  Every process has a score; the highest dies.  Today's formula (Linux since
 * 2.6.36): points = rss + swap + page tables, in pages, + oom_score_adj * total / 1000; at
 * -1000 never.  The older one: total size, plus half of each child's and one; divided by
 * the integer square root of the CPU time (in tens of seconds) and by the fourth root of
 * the run time (in thousands of seconds), each where it is not 0; doubled when niced;
 * quartered for the superuser, and again for who may do raw I/O.
 */
#ifndef QUIRE_CORE_RECLAIM_OOM_H
#define QUIRE_CORE_RECLAIM_OOM_H

#include "core/space/mm.h"

/* The score of one process; 0: it is not to be killed. */
uint64_t qr_oom_points(const struct quire_mm *mm);

#endif
