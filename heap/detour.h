/* SPDX-License-Identifier: MIT */
/* detour.h - how a program is profiled, hardened or perturbed without a word in malloc's fast path.
 *
 * Model.  The fast path serves a thread from the bins of qr_cache_self.  On the detour
 * that stays qr_cache_none, whose bins are always empty, in every thread: each request
 * falls through to the refill, and each free to the slow path, which both see that the
 * detour is on.  The thread's true cache is in its lane.
 * The detour is turned on before there is a second thread, and never off; for mallopt's
 * M_PERTURB at any time, and then for the thread that asks and for those that start later.
 */
#ifndef QUIRE_HEAP_DETOUR_H
#define QUIRE_HEAP_DETOUR_H

#include "heap/heap.h"

enum { QR_DETOUR_PROFILE = 1, QR_DETOUR_HARDENED = 2, QR_DETOUR_PERTURB = 4 };

/* What is on, by bits; 0: no detour. */
extern unsigned qr_detour;

struct qr_lane {
	struct qr_cache *cache; /* NULL: none yet, or none any more */
	int64_t countdown;	/* bytes until the next sample */
	uint64_t random;
	size_t guard_countdown; /* blocks until the next with pages of its own */
	bool busy;		/* with a sample: what is allocated for it is not one */
};

extern __thread struct qr_lane qr_lane __attribute__((tls_model("initial-exec")));

/* The cache that this thread allocates from; NULL where it has none. */
static inline struct qr_cache *qr_cache_mine(void)
{
	struct qr_cache *cache = qr_cache_self;

	return QR_LIKELY(cache != &qr_cache_none) ? cache : qr_lane.cache;
}

/* Turns it on as the settings say; once, after they are read. */
void qr_detour_start(void);
/* As M_PERTURB of mallopt(3): the byte that freed blocks are filled with, new ones with
 * its complement; 0: nothing is.  Hardened, freed blocks are zero. */
void qr_perturb_set(unsigned char byte);
/* Returns the block, which may be NULL, filled with what a new one is to hold. */
void *qr_perturb_new(void *block, size_t bytes);
void *qr_detour_alloc(unsigned cls, size_t bytes);
/* block is not NULL. */
void qr_detour_free(void *block, struct qr_span *span);

/* A number below 2^64 that nobody can foretell who does not know the lane's. */
uint64_t qr_lane_random(struct qr_lane *lane);

#endif
