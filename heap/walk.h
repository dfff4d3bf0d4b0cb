/* SPDX-License-Identifier: MIT */
/* walk.h - all runs of pages, by address, found through the map. */
#ifndef QUIRE_HEAP_WALK_H
#define QUIRE_HEAP_WALK_H

#include "heap/heap.h"

/* The first run that begins at or above *at, which moves to the run's end; NULL behind
 * the last one.  Locked. */
struct qr_span *qr_walk_run(uintptr_t *at);

#endif
