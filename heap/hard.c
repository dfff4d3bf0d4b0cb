/* SPDX-License-Identifier: MIT */
/* hard.c - slots of the hardened heap. */
#include "heap/hard.h"

#include "heap/alloc.h"
#include "heap/profile.h"

#include <errno.h>
#include <string.h>

/* The canary of a block that fills its slot is the trailer itself. */
#define TRAILER ((size_t)8)
/* Where a trailer holds the size that the slot has beyond what was asked for. */
#define SLACK_SHIFT 48

/* Freed blocks of a thread that rest; fewer where they are large. */
#define REST_SMALL   128u
#define REST_MEDIUM  16u
#define MEDIUM_BYTES 1024u

/* Pages of the usual span, and how many of them a random one may lie further on. */
#define PLACE_PAGES ((size_t)8)
#define PLACES	    8u

struct resting {
	void *block;
	struct qr_span *span;
};

struct qr_rest {
	struct resting small[REST_SMALL], medium[REST_MEDIUM];
};

static uint64_t secret, multiplier;

void qr_hard_start(void)
{
	secret = qr_lane_random(&qr_lane);
	multiplier = qr_lane_random(&qr_lane) | 1;
	qr_cache_late.hard = true;
	qr_hard_watch();
}

uint64_t qr_hard_word(uintptr_t address)
{
	uint64_t x = (address ^ secret) * multiplier;

	return (x ^ x >> 29) * multiplier;
}

bool qr_hard_is_zero(const void *block, size_t bytes)
{
	const uint64_t *word = block;

	if (bytes > 128)
		return word[0] == 0 && memcmp(word, word + 1, bytes - 8) == 0;
	for (size_t i = 0; i < bytes / 8; i++) {
		if (word[i] != 0)
			return false;
	}
	return true;
}

static void seal(void *block, size_t slot_bytes, size_t bytes)
{
	uint64_t word = qr_hard_word((uintptr_t)block), canary = ~word;
	uint64_t trailer = word ^ (uint64_t)(slot_bytes - bytes) << SLACK_SHIFT;

	memcpy((char *)block + bytes, &canary, sizeof(canary));
	memcpy((char *)block + slot_bytes - TRAILER, &trailer, TRAILER);
}

size_t qr_hard_asked(const struct qr_span *span, const void *block)
{
	const char *start = block;
	size_t slot_bytes = span->slot_bytes, slack;
	uint64_t word = qr_hard_word((uintptr_t)block), trailer, canary;

	memcpy(&trailer, start + slot_bytes - TRAILER, TRAILER);
	trailer ^= word;
	slack = trailer >> SLACK_SHIFT;
	if (trailer << (64 - SLACK_SHIFT) != 0 || slack < TRAILER || slack > slot_bytes)
		qr_report_written(block, slot_bytes, "past its end");
	memcpy(&canary, start + slot_bytes - slack, sizeof(canary));
	canary ^= ~word;
	/* As much of it as the trailer did not take. */
	if (slack < 2 * TRAILER)
		canary &= ((uint64_t)1 << 8 * (slack - TRAILER)) - 1;
	if (canary != 0)
		qr_report_written(block, slot_bytes - slack, "past its end");
	return slot_bytes - slack;
}

/* Of medium slots the ends: the middle is looked at at exit. */
static bool looks_zero(const char *block, size_t slot_bytes)
{
	if (slot_bytes <= MEDIUM_BYTES)
		return qr_hard_is_zero(block, slot_bytes);
	return qr_hard_is_zero(block, MEDIUM_BYTES / 2) &&
	       qr_hard_is_zero(block + slot_bytes - MEDIUM_BYTES / 2, MEDIUM_BYTES / 2);
}

static void *take_slot(size_t cls_bytes, size_t bytes)
{
	struct qr_cache *cache = qr_lane.cache;
	unsigned cls = qr_class_of(cls_bytes);
	size_t slot_bytes = qr_class_bytes(cls);
	struct qr_bin *bin;
	void *block;

	if (QR_UNLIKELY(cache == NULL))
		cache = qr_cache_acquire();
	bin = cache != NULL ? &cache->bin[cls] : NULL;
	if (QR_LIKELY(bin != NULL && qr_bin_height(bin) != 0))
		block = qr_bin_pop(bin);
	else
		block = qr_cache_serve(cache, cls, bytes);
	if (block == NULL)
		return NULL;
	if (QR_UNLIKELY(!looks_zero(block, slot_bytes)))
		qr_report_written(block, slot_bytes, "after it was freed");
	seal(block, slot_bytes, bytes);
	return block;
}

/* Whether this one is to have pages of its own. */
static bool sampled(struct qr_lane *lane)
{
	size_t rate = qr_heap_conf.guard_sample;

	if (rate == 0)
		return false;
	if (lane->guard_countdown == 0)
		lane->guard_countdown = 1 + qr_lane_random(lane) % (2 * rate - 1);
	return --lane->guard_countdown == 0;
}

void *qr_hard_alloc(size_t align, size_t bytes)
{
	struct qr_lane *lane = &qr_lane;
	size_t need;
	void *block;

	if (bytes > QR_SMALL_MAX - TRAILER || align > QR_PAGE_BYTES)
		return qr_perturb_new(qr_hard_large(align, bytes, bytes), bytes);
	need = bytes + TRAILER;
	if (align > QR_QUANTUM)
		need = qr_class_aligned(align, need);
	if (QR_UNLIKELY(need > QR_SMALL_MAX || sampled(lane)))
		return qr_perturb_new(qr_hard_large(align, bytes, bytes), bytes);
	block = take_slot(need, bytes);
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_count(lane, block, bytes);
	return qr_perturb_new(block, bytes);
}

/* The slot leaves its rest. */
static void give_back(struct qr_cache *cache, struct resting out)
{
	uint32_t slot = qr_slot_of(out.span, out.block);
	qr_slot_state *state = &out.span->slot[slot];
	struct qr_bin *bin = &cache->bin[out.span->cls];

	if (atomic_load_explicit(&out.span->owner, memory_order_relaxed) != cache)
		qr_free_announce(out.span, state);
	else if (qr_bin_height(bin) >= out.span->room)
		qr_span_put(cache, out.span, slot);
	else
		qr_bin_push(bin, out.block, state);
}

static bool make_rest(struct qr_cache *cache)
{
	qr_heap_lock();
	cache->rest = qr_record_raw(sizeof(*cache->rest), QR_CACHE_LINE);
	qr_heap_unlock();
	return cache->rest != NULL;
}

static void lay_to_rest(struct qr_cache *cache, struct resting in)
{
	uint32_t random = (uint32_t)(qr_lane_random(&qr_lane) >> 32);
	struct resting *at, out = in;

	if (QR_LIKELY(cache->rest != NULL || make_rest(cache))) {
		at = in.span->slot_bytes <= MEDIUM_BYTES
			     ? &cache->rest->small[random % REST_SMALL]
			     : &cache->rest->medium[random % REST_MEDIUM];
		out = *at;
		*at = in;
	}
	if (out.block != NULL)
		give_back(cache, out);
}

void qr_hard_free(void *block, struct qr_span *span)
{
	struct qr_cache *cache = qr_lane.cache;
	qr_slot_state *state = &span->slot[qr_slot_of(span, block)];
	uint8_t was = atomic_load_explicit(state, memory_order_relaxed);

	if (QR_UNLIKELY((was & QR_SLOT_LIVE) == 0))
		qr_report_double_free(block, span);
	(void)qr_hard_asked(span, block);
	if (QR_UNLIKELY(was == QR_SLOT_MARKED))
		qr_profile_forget(block);
	atomic_store_explicit(state, QR_SLOT_FREE, memory_order_relaxed);
	memset(block, 0, span->slot_bytes);
	if (QR_LIKELY(cache != NULL))
		lay_to_rest(cache, (struct resting){block, span});
	else
		qr_free_announce(span, state);
}

static struct resting *rest_at(struct qr_rest *rest, unsigned i)
{
	return i < REST_SMALL ? &rest->small[i] : &rest->medium[i - REST_SMALL];
}

size_t qr_hard_resting(const struct qr_cache *cache, unsigned cls)
{
	size_t nr = 0;

	for (unsigned i = 0; cache->rest != NULL && i < REST_SMALL + REST_MEDIUM; i++) {
		const struct resting *at = rest_at(cache->rest, i);

		nr += at->block != NULL && at->span->cls == cls;
	}
	return nr;
}

void qr_hard_flush(struct qr_cache *cache)
{
	struct qr_rest *rest = cache->rest;

	for (unsigned i = 0; rest != NULL && i < REST_SMALL + REST_MEDIUM; i++) {
		struct resting *at = rest_at(rest, i);
		struct resting out = *at;

		at->block = NULL;
		if (out.block != NULL)
			give_back(cache, out);
	}
}

bool qr_hard_resize(struct qr_span *span, void *block, size_t bytes)
{
	size_t old = qr_hard_asked(span, block), slot_bytes = span->slot_bytes;

	if (bytes > QR_SMALL_MAX || bytes + TRAILER > slot_bytes ||
	    bytes < slot_bytes / 2)
		return false;
	if (bytes < old)
		memset((char *)block + bytes, 0, old - bytes);
	else
		memset((char *)block + old, 0, bytes - old);
	memset((char *)block + bytes, 0, slot_bytes - bytes);
	seal(block, slot_bytes, bytes);
	return true;
}

unsigned qr_hard_group(uint64_t groups)
{
	unsigned turn = (unsigned)(qr_lane_random(&qr_lane) >> 58);
	uint64_t turned = groups >> turn;

	if (turned != 0)
		return turn + (unsigned)__builtin_ctzl(turned);
	return (unsigned)__builtin_ctzl(groups);
}

/* Fisher and Yates. */
void qr_hard_shuffle(struct qr_bin *bin)
{
	struct qr_entry *entries = qr_bin_entries(bin);

	for (uint32_t i = qr_bin_count(bin); i > 1; i--) {
		uint32_t k = (uint32_t)((qr_lane_random(&qr_lane) >> 32) * i >> 32);
		struct qr_entry entry = entries[k];

		entries[k] = entries[i - 1];
		entries[i - 1] = entry;
	}
}

/* The head of a run goes back as a free one. */
static bool cut_head(struct qr_run *run, size_t nr_pages)
{
	struct qr_span *head = qr_record_new(1);

	if (head == NULL)
		return false;
	head->start = run->start;
	head->nr_pages = (uint32_t)nr_pages;
	head->source = (uint8_t)run->source;
	run->start += nr_pages * QR_PAGE_BYTES;
	qr_runs_give(head, run->zero);
	return true;
}

static bool take_somewhere(size_t nr_pages, struct qr_run *run)
{
	size_t skip = (size_t)(qr_lane_random(&qr_lane) % PLACES) * PLACE_PAGES;

	if (skip == 0 || !qr_runs_take(skip + nr_pages, QR_PAGE_BYTES, run))
		return qr_runs_take(nr_pages, QR_PAGE_BYTES, run);
	return cut_head(run, skip);
}

bool qr_hard_take(size_t nr_pages, struct qr_run *run)
{
	const struct qr_heap_pages *pages;
	size_t bytes = nr_pages * QR_PAGE_BYTES;

	if (!take_somewhere(nr_pages + 1, run))
		return false;
	pages = qr_source_at(run->source);
	(void)pages->guard(pages->ctx, (void *)run->start, QR_PAGE_BYTES, true);
	run->start += QR_PAGE_BYTES;
	if (!run->zero && !pages->purge(pages->ctx, (void *)run->start, bytes))
		memset((void *)run->start, 0, bytes);
	(void)pages->guard(pages->ctx, (void *)(run->start + bytes - QR_PAGE_BYTES),
			   QR_PAGE_BYTES, true);
	return true;
}

/* A slot is read before it is written to: a page that is new would fault twice. */
void qr_hard_touch(const struct qr_span *span)
{
	for (size_t at = 0; at < span->limit; at += QR_PAGE_BYTES)
		*(volatile char *)(span->start + at) = 0;
}

void qr_hard_give(struct qr_span *span)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);
	uintptr_t last = span->start + (span->nr_pages - 1) * QR_PAGE_BYTES;

	span->start -= QR_PAGE_BYTES;
	span->nr_pages++;
	(void)pages->guard(pages->ctx, (void *)span->start, QR_PAGE_BYTES, false);
	(void)pages->guard(pages->ctx, (void *)last, QR_PAGE_BYTES, false);
	span->hard = false;
}
