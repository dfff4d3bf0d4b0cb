/* SPDX-License-Identifier: MIT */
/* sweep.c - pages of spans that are in use, but in which nothing is.
 *
 * Model.  Blocks freed at random leave spans with a few in use each, which can serve
 * only their own class.  Since nothing lies in an available slot, a page that holds
 * available slots alone can be given back while its span lives on; the next use of it
 * is a page fault.
 * A cache is swept when less than a quarter of what was in use, or of what its spans hold,
 * still is, and again with each third by which that comes down.  Where blocks are freed in the order in
 * which they were allocated it does not come to that: spans are empty before, and are
 * released as a whole.
 * Sweeps live on credit, which grows with time to a limit.  A page that was given back
 * and is used again soon after was given back in vain, and costs credit too: a program
 * whose use swings fast is left alone.
 *
 * Locking.  None: spans are their owner's, and nobody has a block in the pages.
 */
#include "heap/heap.h"

#include <time.h>

/* Caches with less in use have nothing to give that is worth a system call. */
#define SWEEP_LEAST ((size_t)4 << 20)
/* What is in use of what spans hold when a sweep begins to pay, and by how much that
 * comes down until the next one does: a quarter, a third. */
#define SPARSE 4
#define PART   3
/* The peak is noted by steps of this part. */
#define PEAK_PART 16
/* One nanosecond of sweeping for so many that pass. */
#define CREDIT_RATE 8
#define CREDIT_MAX  ((int64_t)200000000)
/* For a page used again within SOON: fifty times what a page fault takes. */
#define PENALTY ((int64_t)50000)
#define SOON	((uint64_t)1000000000)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Whether slots [first, last] are all available. */
static bool all_available(const struct qr_span *span, uint32_t first, uint32_t last)
{
	for (uint32_t group = first / QR_GROUP_SLOTS; group <= last / QR_GROUP_SLOTS;
	     group++) {
		uint64_t mask = ~(uint64_t)0;

		if (group == first / QR_GROUP_SLOTS)
			mask &= ~(uint64_t)0 << (first % QR_GROUP_SLOTS);
		if (group == last / QR_GROUP_SLOTS)
			mask &= ~(uint64_t)0 >>
				(QR_GROUP_SLOTS - 1 - last % QR_GROUP_SLOTS);
		if ((~span->avail[group] & mask) != 0)
			return false;
	}
	return true;
}

bool qr_sweep_page_is_free(const struct qr_span *span, uint32_t page)
{
	uint32_t start = page * (uint32_t)QR_PAGE_BYTES;
	uint32_t end = start + (uint32_t)QR_PAGE_BYTES;
	uint32_t last;

	/* Behind the last slot nothing was ever written. */
	if (start >= span->limit)
		return false;
	last = (end - 1) / span->slot_bytes;
	if (last >= span->nr_slots)
		last = span->nr_slots - 1;
	return all_available(span, start / span->slot_bytes, last);
}

static void purge_pages(struct qr_span *span, uint32_t first, uint32_t end)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);

	if (first == end)
		return;
	(void)pages->purge(pages->ctx, (void *)(span->start + first * QR_PAGE_BYTES),
			   (end - first) * QR_PAGE_BYTES);
	for (uint32_t page = first; page < end; page++)
		span->purged |= (uint64_t)1 << page;
}

static void sweep_span(struct qr_span *span)
{
	uint32_t first = 0;

	for (uint32_t page = 0; page < span->nr_pages; page++) {
		bool purged = (span->purged >> page & 1) != 0;

		if (!purged && qr_sweep_page_is_free(span, page))
			continue;
		purge_pages(span, first, page);
		first = page + 1;
	}
	purge_pages(span, first, span->nr_pages);
}

void qr_cache_sweep(struct qr_cache *cache)
{
	for (struct qr_span *span = cache->all; span != NULL; span = span->all_next) {
		if (span->groups != 0)
			sweep_span(span);
	}
}

static size_t sparse(const struct qr_cache *cache)
{
	size_t most = cache->span_bytes < cache->peak_bytes ? cache->span_bytes
							    : cache->peak_bytes;

	return most >= SWEEP_LEAST ? most / SPARSE : 0;
}

void qr_sweep_arm(struct qr_cache *cache)
{
	/* Not with each slot of a growing cache. */
	cache->peak_bytes = cache->used_bytes + cache->used_bytes / PEAK_PART;
	cache->sweep_at = sparse(cache);
}

void qr_sweep_disarm(struct qr_cache *cache)
{
	if (cache->sweep_at > sparse(cache))
		cache->sweep_at = sparse(cache);
}

static void earn_credit(struct qr_cache *cache, uint64_t now)
{
	uint64_t passed = now - cache->sweep_ns;

	if (passed > SOON * 100)
		passed = SOON * 100;
	cache->sweep_ns = now;
	cache->sweep_credit += (int64_t)(passed / CREDIT_RATE);
	if (cache->sweep_credit > CREDIT_MAX)
		cache->sweep_credit = CREDIT_MAX;
}

void qr_sweep_check(struct qr_cache *cache)
{
	uint64_t start;

	earn_credit(cache, now_ns());
	if (cache->sweep_credit <= 0) {
		/* Looked at again a little later. */
		cache->sweep_at -= cache->sweep_at / PART;
		qr_sweep_disarm(cache);
		return;
	}
	/* What the thread works, not what others take of the processor meanwhile. */
	start = read_clock(CLOCK_THREAD_CPUTIME_ID);
	qr_cache_sweep(cache);
	cache->sweep_credit -= (int64_t)(read_clock(CLOCK_THREAD_CPUTIME_ID) - start);
	cache->swept_ns = now_ns();
	cache->peak_bytes = cache->used_bytes;
	cache->sweep_at = cache->used_bytes - cache->used_bytes / PART;
	qr_sweep_disarm(cache);
}

void qr_sweep_unpurge(struct qr_cache *cache, struct qr_span *span, uint32_t slot)
{
	uint32_t start = slot * span->slot_bytes;
	uint32_t first = start >> QR_PAGE_SHIFT;
	uint32_t last = (start + span->slot_bytes - 1) >> QR_PAGE_SHIFT;
	uint64_t mask = (~(uint64_t)0 << first) & (~(uint64_t)0 >> (63 - last));

	if ((span->purged & mask) == 0)
		return;
	if (now_ns() - cache->swept_ns < SOON)
		cache->sweep_credit -= PENALTY * qr_count_bits(span->purged & mask);
	span->purged &= ~mask;
}
