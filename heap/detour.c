/* SPDX-License-Identifier: MIT */
/* detour.c - requests and frees in a program that is profiled or hardened. */
#include "heap/detour.h"

#include "heap/alloc.h"
#include "heap/hard.h"
#include "heap/profile.h"

#include <sys/random.h>
#include <time.h>

unsigned qr_detour;
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
	if (detour == 0)
		return;
	qr_detour = detour;
	/* Spans that the plain heap made are never hardened: their cache serves nobody any
	 * more. */
	if ((detour & QR_DETOUR_HARDENED) == 0 && qr_cache_self != &qr_cache_none)
		qr_lane.cache = qr_cache_self;
	qr_cache_self = &qr_cache_none;
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
			return qr_cache_serve(NULL, cls, bytes);
	}
	bin = &cache->bin[cls];
	block = QR_LIKELY(qr_bin_height(bin) != 0) ? qr_bin_pop(bin)
						   : qr_cache_serve(cache, cls, bytes);
	qr_profile_count(lane, block, bytes);
	return block;
}

void qr_detour_free(void *block, struct qr_span *span)
{
	struct qr_cache *cache = qr_lane.cache;

	if (span != NULL && span->hard && span->kind == QR_SPAN_SLOTS)
		qr_hard_free(block, span);
	else if (QR_LIKELY(span != NULL && cache != NULL &&
			   atomic_load_explicit(&span->owner, memory_order_relaxed) ==
				   cache))
		qr_free_own(cache, span, block);
	else
		qr_free_other(block, span);
}
