/* SPDX-License-Identifier: MIT */
/* pool.h - records of one size, in frames of the zone, named by number.
 *
 * Model.  Number n lives in leaf n / per_leaf, one frame; a directory of frames holds
 * the leaves' frame numbers, and a small root in the pool itself the directory's.
 * Freed numbers are handed out again, lowest first within a leaf.  A leaf that is empty
 * goes back to the zone, and with the last leaf the directory: an empty pool holds no
 * frame.  Number 0 is never handed out: it says "none".
 * The address of a record does not change while it lives.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_OBJECTS_POOL_H
#define QUIRE_CORE_OBJECTS_POOL_H

#include "core/frames/zone.h"

#define QUIRE_POOL_ROOTS 64u

struct quire_pool {
	struct quire_zone *zone;
	uint32_t bytes; /* of a record, 4..1024, a multiple of 4 */
	uint32_t per_leaf;
	uint32_t nr_leaves; /* directory entries in use or once used */
	uint32_t nr_used;
	uint32_t partial; /* first leaf of the list of leaves with free records */
	uint32_t absent;  /* first directory entry of the list of those without a leaf */
	uint32_t
		roots[QUIRE_POOL_ROOTS]; /* directory frames, QUIRE_NO_FRAME where none */
};

void qr_pool_init(struct quire_pool *pool, struct quire_zone *zone, uint32_t bytes);
/* A zeroed record's number, or 0.  flags as qr_zone_alloc. */
uint32_t qr_pool_alloc(struct quire_pool *pool, uint32_t flags);
/* Returns the frames that went back to the zone. */
uint32_t qr_pool_free(struct quire_pool *pool, uint32_t number);
/* The record; number is one that is handed out. */
void *qr_pool_at(const struct quire_pool *pool, uint32_t number);
/* The next number in use after number, or 0: a walk over all. */
uint32_t qr_pool_next(const struct quire_pool *pool, uint32_t number);
/* Gives all frames back; the records are gone. */
void qr_pool_destroy(struct quire_pool *pool);
const char *qr_pool_validate(const struct quire_pool *pool);

#endif
