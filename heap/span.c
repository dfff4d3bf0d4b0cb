/* SPDX-License-Identifier: MIT */
/* span.c - spans of slots: made, filled, emptied, released.
 *
 * Model.  Current: its cache's bin takes groups from it.  Partial: on the list of its
 * class, latest first, so that nearly full spans fill up before nearly empty ones,
 * which thus get the chance to empty.  Full: on no list.  Empty: on its cache's list, from
 * which it serves its class again, or else is released before the cache gets new pages.
 * watch turns the frees that matter into events: any free of a full span; of a partial
 * span those that leave three, two and one quarter of its slots in use, a few, and none;
 * none of a current one.
 * From the first of these marks on a partial span drains, as long as its class can be
 * served from elsewhere: what is freed in it goes to no bin, where the next request would
 * find it, but stays available, so that requests gather in the other spans and this one
 * has the chance to empty.
 */
#include "heap/hard.h"
#include "heap/map.h"
#include "heap/profile.h"

/* Small, so that spans empty and their pages serve other classes; a few slots of the
 * largest classes. */
#define SPAN_BYTES ((size_t)32 << 10)
#define SLOTS_MIN  4u
/* Once a hard cache has so much, it is likely to need all of a span. */
#define BUSY_BYTES ((size_t)1 << 20)
/* Empty spans that a cache keeps: pages, and a part of what it had in use before.  A hard
 * span is dear to make. */
#define EMPTY_BYTES   ((size_t)128 << 10)
#define EMPTY_PART    32
#define EMPTY_HARD    ((size_t)4 << 20)
#define WATCH_NOTHING (-1)
#define WATCH_ANY     INT32_MAX

/* Eight states, read at once; and the mark of a remote one in each. */
typedef _Atomic uint64_t eight_states;
#define REMOTE_IN_EIGHT ((uint64_t)QR_SLOT_REMOTE * 0x0101010101010101u)

static bool is_busy(const struct qr_cache *cache)
{
	return cache->hard && cache->span_bytes > BUSY_BYTES;
}

static size_t span_bytes(uint32_t slot_bytes)
{
	size_t bytes = (size_t)slot_bytes * SLOTS_MIN;

	return bytes > SPAN_BYTES ? bytes : SPAN_BYTES;
}

/* From here on all that is in use may be in the bin. */
static int32_t few_of(const struct qr_span *span)
{
	uint32_t few = span->nr_slots / 4;

	return (int32_t)(few < QR_BIN_ENTRIES ? few : QR_BIN_ENTRIES);
}

/* The next mark on the way to none. */
static int32_t watch_of(const struct qr_span *span)
{
	int32_t few = few_of(span), quarter = (int32_t)(span->nr_slots / 4);

	for (int32_t mark = 3 * quarter; mark > few; mark -= quarter) {
		if (span->used > mark)
			return mark;
	}
	return span->used > few ? few : 0;
}

/* The list that the span's state says. */
static struct qr_span **list_of(struct qr_cache *cache, const struct qr_span *span)
{
	return span->state == QR_SPAN_EMPTY ? &cache->empty : &cache->partial[span->cls];
}

static void push(struct qr_cache *cache, struct qr_span *span)
{
	struct qr_span **head = list_of(cache, span);

	span->prev = NULL;
	span->next = *head;
	if (*head != NULL)
		(*head)->prev = span;
	*head = span;
}

static void enlist(struct qr_cache *cache, struct qr_span *span)
{
	span->state = QR_SPAN_PARTIAL;
	span->watch = watch_of(span);
	push(cache, span);
}

static void unlist(struct qr_cache *cache, struct qr_span *span)
{
	if (span->next != NULL)
		span->next->prev = span->prev;
	if (span->prev != NULL)
		span->prev->next = span->next;
	else
		*list_of(cache, span) = span->next;
	if (span->state == QR_SPAN_EMPTY)
		cache->empty_bytes -= span->nr_pages * QR_PAGE_BYTES;
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
	span->nr_groups = (uint8_t)QR_GROUPS_OF(span->nr_slots);
	span->avail = (uint64_t *)(void *)&span->slot[QR_STATES_OF(span->nr_slots)];
	span->limit = (size_t)span->nr_slots * slot_bytes;
	span->recip = UINT32_MAX / slot_bytes + 1;
	span->cls = (uint8_t)cls;
	span->kind = QR_SPAN_SLOTS;
	span->room = (uint8_t)qr_bin_room(slot_bytes);
	span->used = 0;
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
	}
	qr_heap_unlock();
	if (span != NULL && is_busy(cache))
		qr_hard_touch(span);
	return span;
}

static void release(struct qr_cache *cache, struct qr_span *span)
{
	unlist(cache, span);
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

static struct qr_span *oldest_empty(const struct qr_cache *cache)
{
	struct qr_span *span = cache->empty;

	while (span != NULL && span->next != NULL)
		span = span->next;
	return span;
}

static void release_oldest(struct qr_cache *cache)
{
	struct qr_span *span = oldest_empty(cache);

	if (span != NULL)
		release(cache, span);
}

void qr_span_make_room(struct qr_cache *cache)
{
	if (!cache->hard)
		release_oldest(cache);
}

/* A partial span. */
static void empty(struct qr_cache *cache, struct qr_span *span)
{
	size_t most =
		cache->hard ? EMPTY_HARD : EMPTY_BYTES + cache->peak_bytes / EMPTY_PART;

	unlist(cache, span);
	span->state = QR_SPAN_EMPTY;
	span->watch = WATCH_NOTHING;
	push(cache, span);
	cache->empty_bytes += span->nr_pages * QR_PAGE_BYTES;
	while (cache->empty_bytes > most)
		release_oldest(cache);
}

/* A partial span that is not nearly full any more. */
static void drain(struct qr_cache *cache, struct qr_span *span, bool few_left)
{
	const struct qr_span *current = cache->current[span->cls];

	if (cache->partial[span->cls] != span || span->next != NULL ||
	    (current != NULL && current->groups != 0))
		span->room = 0;
	/* What the bin holds on to may be all that is left of several spans. */
	if (few_left)
		qr_bin_flush(cache, span->cls);
}

void qr_span_event(struct qr_cache *cache, struct qr_span *span)
{
	int32_t few = few_of(span);
	bool few_left = span->used <= few && span->watch >= few;

	if (span->groups == 0)
		return;
	if (span->state == QR_SPAN_FULL)
		enlist(cache, span);
	else
		span->watch = watch_of(span);
	if (span->used == 0)
		empty(cache, span);
	else if (span->watch < 3 * (int32_t)(span->nr_slots / 4))
		drain(cache, span, few_left);
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
		empty(cache, span);
}

void qr_span_release_empty(struct qr_cache *cache)
{
	while (cache->empty != NULL)
		release(cache, cache->empty);
}

static struct qr_span *empty_of_class(const struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span = cache->empty;

	while (span != NULL && span->cls != cls)
		span = span->next;
	return span;
}

struct qr_span *qr_span_choose(struct qr_cache *cache, unsigned cls)
{
	struct qr_span *span = cache->partial[cls];

	if (span == NULL)
		span = empty_of_class(cache, cls);
	if (span == NULL)
		return NULL;
	unlist(cache, span);
	span->room = (uint8_t)qr_bin_room(span->slot_bytes);
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
	cache->used_bytes -= (size_t)nr * span->slot_bytes;
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
