/* SPDX-License-Identifier: MIT */
/* detour.c - requests and frees in a program that is not served fast. */
#include "heap/detour.h"

#include "heap/alloc.h"
#include "heap/hard.h"
#include "heap/profile.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

unsigned qr_detour;
static unsigned char perturb;
__thread struct qr_lane qr_lane;

/* From the kernel, or, where it has none yet, from the clock and the stack's place. */
static uint64_t seed_of(const struct qr_lane *lane)
{
	struct timespec t;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return seed | 1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_nsec << 32 ^ (uint64_t)(uintptr_t)lane) | 1;
}

/* Xorshift64*; Vigna 2016. */
uint64_t qr_lane_random(struct qr_lane *lane)
{
	uint64_t x = lane->random;

	if (QR_UNLIKELY(x == 0))
		x = seed_of(lane);
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	lane->random = x;
	return x * 0x2545f4914f6cdd1du;
}

/* This thread leaves the fast path.  Spans that the plain heap made are never hardened:
 * their cache serves nobody any more then. */
static void leave(unsigned detour)
{
	qr_detour |= detour;
	if ((qr_detour & QR_DETOUR_HARDENED) == 0 && qr_cache_self != &qr_cache_none)
		qr_lane.cache = qr_cache_self;
	qr_cache_self = &qr_cache_none;
}

QR_EARLY void qr_detour_start(void)
{
	unsigned detour = 0;

	if (qr_heap_conf.profile || qr_heap_conf.leaks)
		detour |= QR_DETOUR_PROFILE;
	if (qr_heap_conf.hardened || qr_heap_conf.guard_sample != 0)
		detour |= QR_DETOUR_HARDENED;
	/* First: it allocates. */
	if ((detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_start();
	if ((detour & QR_DETOUR_HARDENED) != 0)
		qr_hard_start();
	if (detour != 0)
		leave(detour);
}

void qr_perturb_set(unsigned char byte)
{
	perturb = byte;
	if (byte != 0)
		leave(QR_DETOUR_PERTURB);
}

void *qr_perturb_new(void *block, size_t bytes)
{
	if (QR_UNLIKELY(perturb != 0) && block != NULL)
		memset(block, perturb ^ 0xff, bytes);
	return block;
}

/* A block about to be freed, if it is one; what is not ends the process later. */
static void perturb_freed(void *block, const struct qr_span *span)
{
	bool live = false;

	if (span->kind == QR_SPAN_SLOTS)
		live = (span->slot[qr_slot_of(span, block)] & QR_SLOT_LIVE) != 0;
	else if (span->kind == QR_SPAN_LARGE)
		live = !span->kept && (uintptr_t)block == span->start;
	if (live)
		memset(block, perturb,
		       span->kind == QR_SPAN_SLOTS ? span->slot_bytes : span->limit);
}

void *qr_detour_alloc(unsigned cls, size_t bytes)
{
	struct qr_lane *lane = &qr_lane;
	struct qr_cache *cache = lane->cache;
	struct qr_bin *bin;
	void *block;

	if ((qr_detour & QR_DETOUR_HARDENED) != 0)
		return qr_hard_alloc(1, bytes);
	if (QR_UNLIKELY(cache == NULL)) {
		cache = qr_cache_acquire();
		if (cache == NULL)
			return qr_perturb_new(qr_cache_serve(NULL, cls, bytes), bytes);
	}
	bin = &cache->bin[cls];
	block = QR_LIKELY(qr_bin_height(bin) != 0) ? qr_bin_pop(bin)
						   : qr_cache_serve(cache, cls, bytes);
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_count(lane, block, bytes);
	return qr_perturb_new(block, bytes);
}

void qr_detour_free(void *block, struct qr_span *span)
{
	struct qr_cache *cache = qr_lane.cache;

	if (QR_UNLIKELY(perturb != 0) && span != NULL && !span->hard)
		perturb_freed(block, span);
	if (span != NULL && span->hard && span->kind == QR_SPAN_SLOTS)
		qr_hard_free(block, span);
	else if (QR_LIKELY(span != NULL && cache != NULL &&
			   atomic_load_explicit(&span->owner, memory_order_relaxed) ==
				   cache))
		qr_free_own(cache, span, block);
	else
		qr_free_other(block, span);
}
