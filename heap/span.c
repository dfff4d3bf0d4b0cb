/* SPDX-License-Identifier: MIT */
/* span.c - spans of slots: made, filled, emptied, released.
 *
 * Model.  Current: its cache's bin takes groups from it.  Partial: on the list of its
 * class, latest first, so that nearly full spans fill up before nearly empty ones,
 * which thus get the chance to empty.  Full: on no list.
 * watch turns the frees that matter into events: any free of a full span; of a partial
 * span a few on the way, at which the cache's account of what is in use is brought up to
 * date, and the last; none of a current one.
 */
#include "heap/hard.h"
#include "heap/map.h"
#include "heap/profile.h"

/* Room for a group of the larger classes, and a whole number of pages with little waste
 * for the smaller ones.  Slots that are never used cost only addresses. */
#define SPAN_BYTES     ((size_t)64 << 10)
#define SPAN_BYTES_MAX ((size_t)256 << 10)
#define SMALL_SLOT_MAX 1024u
/* Bytes that a hard cache has in spans without using them before it gives some back. */
#define HARD_SPARE    ((size_t)4 << 20)
#define WATCH_NOTHING (-1)
#define WATCH_ANY     INT32_MAX
/* A partial span is counted anew with so much of what it has in use freed. */
#define COUNT_PART 8

/* Eight states, read at once; and the mark of a remote one in each. */
typedef _Atomic uint64_t eight_states;
#define REMOTE_IN_EIGHT ((uint64_t)QR_SLOT_REMOTE * 0x0101010101010101u)

static size_t span_bytes(uint32_t slot_bytes)
{
	size_t bytes = (size_t)slot_bytes * QR_GROUP_SLOTS;

	if (slot_bytes <= SMALL_SLOT_MAX)
		return SPAN_BYTES;
	return bytes < SPAN_BYTES_MAX ? bytes : SPAN_BYTES_MAX;
}

/* From here on all that is in use may be in the bin. */
static int32_t few_of(const struct qr_span *span)
{
	uint32_t few = span->nr_slots / 4;

	return (int32_t)(few < QR_BIN_ENTRIES ? few : QR_BIN_ENTRIES);
}

/* The next of some marks on the way to none; few is always one. */
static int32_t watch_of(const struct qr_span *span)
{
	int32_t few = few_of(span);
	int32_t next = span->used - span->used / COUNT_PART - 1;

	return next < few && span->used > few ? few : next;
}

static void count(struct qr_cache *cache, struct qr_span *span)
{
	cache->used_bytes -= (size_t)(span->counted - span->used) * span->slot_bytes;
	span->counted = span->used;
}

static void enlist(struct qr_cache *cache, struct qr_span *span)
{
	struct qr_span **head = &cache->partial[span->cls];

	span->state = QR_SPAN_PARTIAL;
	count(cache, span);
	span->watch = watch_of(span);
	span->prev = NULL;
	span->next = *head;
	if (*head != NULL)
		(*head)->prev = span;
	*head = span;
}

static void unlist(struct qr_cache *cache, struct qr_span *span)
{
	if (span->next != NULL)
		span->next->prev = span->prev;
	if (span->prev != NULL)
		span->prev->next = span->next;
	else
		cache->partial[span->cls] = span->next;
}

static void link_all(struct qr_cache *cache, struct qr_span *span)
{
	span->all_prev = NULL;
	span->all_next = cache->all;
	if (cache->all != NULL)
		cache->all->all_prev = span;
	cache->all = span;
}

static void unlink_all(struct qr_cache *cache, struct qr_span *span)
{
	if (span->all_next != NULL)
		span->all_next->all_prev = span->all_prev;
	if (span->all_prev != NULL)
		span->all_prev->all_next = span->all_next;
	else
		cache->all = span->all_next;
}

static void fill_groups(struct qr_span *span)
{
	uint32_t left = span->nr_slots;

	for (unsigned i = 0; i < span->nr_groups; i++, left -= QR_GROUP_SLOTS)
		span->avail[i] =
			left >= QR_GROUP_SLOTS ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
	span->groups = ~(uint64_t)0 >> (QR_GROUPS_MAX - span->nr_groups);
}

/* As many slots as qr_slot_of() tells apart: what the reciprocal is too large by stays
 * below the reciprocal over all of them. */
static uint32_t slots_told(uint32_t slot_bytes, size_t bytes)
{
	uint64_t recip = UINT32_MAX / slot_bytes + 1;
	uint64_t over = recip * slot_bytes - ((uint64_t)1 << 32);
	uint32_t nr = (uint32_t)(bytes / slot_bytes);

	return over != 0 && nr > (recip - 1) / over ? (uint32_t)((recip - 1) / over) : nr;
}

static void describe(struct qr_span *span, unsigned cls, const struct qr_run *run,
		     size_t nr_pages)
{
	uint32_t slot_bytes = qr_class_bytes(cls);

	span->start = run->start;
	span->source = (uint8_t)run->source;
	span->nr_pages = (uint32_t)nr_pages;
	span->slot_bytes = slot_bytes;
	span->nr_slots = slots_told(slot_bytes, nr_pages * QR_PAGE_BYTES);
	span->nr_groups = (uint16_t)QR_GROUPS_OF(span->nr_slots);
	span->avail = (uint64_t *)(void *)&span->slot[QR_STATES_OF(span->nr_slots)];
	span->limit = (size_t)span->nr_slots * slot_bytes;
	span->recip = UINT32_MAX / slot_bytes + 1;
	span->cls = (uint8_t)cls;
	span->bin_at =
		(uint32_t)(offsetof(struct qr_cache, bin) + cls * sizeof(struct qr_bin));
	span->kind = QR_SPAN_SLOTS;
	span->used = 0;
	span->counted = 0;
	span->purged = 0;
	span->inbox_next = NULL;
	atomic_init(&span->announced, 0);
	fill_groups(span);
}

static struct qr_span *create_locked(const struct qr_cache *cache, unsigned cls)
{
	size_t nr_pages = span_bytes(qr_class_bytes(cls)) / QR_PAGE_BYTES;
	size_t nr_slots = nr_pages * QR_PAGE_BYTES / qr_class_bytes(cls);
	struct qr_span *span = qr_record_new((unsigned)nr_slots);
	struct qr_run run;
	bool taken;

	if (span == NULL)
		return NULL;
	taken = cache->hard ? qr_hard_take(nr_pages, &run)
			    : qr_runs_take(nr_pages, QR_PAGE_BYTES, &run);
	if (!taken) {
		qr_record_free(span);
		return NULL;
	}
	/* Without the guard, in which there are no slots. */
	describe(span, cls, &run, cache->hard ? nr_pages - 1 : nr_pages);
	span->nr_pages = (uint32_t)nr_pages;
	span->hard = cache->hard;
	qr_map_set_pages(span->start, nr_pages, span);
	return span;
}

struct qr_span *qr_span_create(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span;

	qr_heap_lock();
	span = create_locked(cache, cls);
	if (span != NULL) {
		atomic_store_explicit(&span->owner, cache, memory_order_relaxed);
		link_all(cache, span);
		enlist(cache, span);
		cache->span_bytes += span->limit;
		qr_sweep_arm(cache);
	}
	qr_heap_unlock();
	return span;
}

static void release(struct qr_cache *cache, struct qr_span *span)
{
	unlist(cache, span);
	count(cache, span);
	/* A record's next user finds the states zero, wherever they begin then. */
	for (unsigned i = 0; i < span->nr_groups; i++)
		span->avail[i] = 0;
	cache->span_bytes -= span->limit;
	qr_sweep_disarm(cache);
	qr_heap_lock();
	unlink_all(cache, span);
	if (span->hard)
		qr_hard_give(span);
	qr_runs_give(span, false);
	qr_heap_unlock();
}

void qr_span_abandon(struct qr_span *span)
{
	for (uint32_t slot = 0; slot < span->nr_slots; slot++) {
		if (span->slot[slot] == QR_SLOT_MARKED)
			qr_profile_forget(
				(const void *)(span->start +
					       (size_t)slot * span->slot_bytes));
		atomic_init(&span->slot[slot], QR_SLOT_FREE);
	}
	for (unsigned i = 0; i < span->nr_groups; i++)
		span->avail[i] = 0;
	qr_runs_give(span, false);
}

/* An empty span is kept where the next request of its class would make a new one. */
static bool spare(const struct qr_cache *cache, const struct qr_span *span)
{
	const struct qr_bin *bin = &cache->bin[span->cls];

	/* A hard span is dear to make. */
	if (span->hard && cache->span_bytes - cache->used_bytes < HARD_SPARE)
		return true;
	return bin->height == 0 && (bin->span == NULL || bin->span->groups == 0) &&
	       cache->partial[span->cls] == span && span->next == NULL;
}

/* A partial span with few slots in use. */
static void shrink(struct qr_cache *cache, struct qr_span *span)
{
	struct qr_bin *bin = &cache->bin[span->cls];

	if (span->used != 0) {
		/* The class shrinks: what its bin holds on to may be all that is left
		 * of several spans. */
		span->watch = watch_of(span);
		bin->room = 0;
		qr_bin_flush(cache, bin);
	} else if (spare(cache, span)) {
		span->watch = WATCH_NOTHING;
	} else {
		release(cache, span);
	}
}

void qr_span_event(struct qr_cache *cache, struct qr_span *span)
{
	int32_t few = few_of(span);
	bool passes;

	if (span->groups == 0)
		return;
	passes = span->counted > few;
	if (span->state == QR_SPAN_FULL)
		enlist(cache, span);
	else
		count(cache, span);
	if (span->used == 0 || (span->used <= few && passes))
		shrink(cache, span);
	else
		span->watch = watch_of(span);
	if (QR_UNLIKELY(cache->used_bytes < cache->sweep_at))
		qr_sweep_check(cache);
}

void qr_span_settle(struct qr_cache *cache, struct qr_span *span)
{
	if (span->groups == 0) {
		span->state = QR_SPAN_FULL;
		span->watch = WATCH_ANY;
		return;
	}
	enlist(cache, span);
	if (span->used == 0)
		release(cache, span);
}

void qr_span_release_empty(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *next;

	for (struct qr_span *span = cache->partial[cls]; span != NULL; span = next) {
		next = span->next;
		if (span->used == 0)
			release(cache, span);
	}
}

struct qr_span *qr_span_choose(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span = cache->partial[cls];

	if (span == NULL)
		return NULL;
	unlist(cache, span);
	span->state = QR_SPAN_CURRENT;
	span->watch = WATCH_NOTHING;
	return span;
}

/* Makes one slot available, unless it is not remote after all. */
static uint32_t gather_slot(struct qr_span *span, uint32_t slot)
{
	qr_slot_state *state = &span->slot[slot];

	if (atomic_load_explicit(state, memory_order_acquire) != QR_SLOT_REMOTE)
		return 0;
	atomic_store_explicit(state, QR_SLOT_FREE, memory_order_relaxed);
	span->avail[slot / QR_GROUP_SLOTS] |= (uint64_t)1 << (slot % QR_GROUP_SLOTS);
	span->groups |= (uint64_t)1 << (slot / QR_GROUP_SLOTS);
	return 1;
}

/* States are aligned to eight, and those behind the last slot are never remote. */
static uint32_t gather_eight(struct qr_span *span, uint32_t first)
{
	eight_states *states = (eight_states *)(void *)&span->slot[first];
	uint64_t eight = atomic_load_explicit(states, memory_order_relaxed);
	uint32_t nr = 0;

	for (eight &= REMOTE_IN_EIGHT; eight != 0; eight &= eight - 1)
		nr += gather_slot(span, first + (uint32_t)__builtin_ctzl(eight) / 8);
	return nr;
}

void qr_span_gather(struct qr_cache *cache, struct qr_span *span)
{
	uint32_t announced = atomic_load_explicit(&span->announced, memory_order_relaxed);
	uint32_t nr = 0;

	for (uint32_t slot = 0; slot < span->nr_slots && nr < announced; slot += 8)
		nr += gather_eight(span, slot);
	span->used -= (int32_t)nr;
	announced = atomic_fetch_sub_explicit(&span->announced, nr, memory_order_acq_rel);
	if (announced != nr)
		qr_span_post(span);
	if (span->used <= span->watch)
		qr_span_event(cache, span);
}

void qr_span_post(struct qr_span *span)
{
	struct qr_cache *owner = atomic_load_explicit(&span->owner, memory_order_relaxed);
	struct qr_span *head = atomic_load_explicit(&owner->inbox, memory_order_relaxed);

	do {
		span->inbox_next = head;
	} while (!atomic_compare_exchange_weak_explicit(
		&owner->inbox, &head, span, memory_order_release, memory_order_relaxed));
}
