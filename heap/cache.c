/* SPDX-License-Identifier: MIT */
/* cache.c - caches: one for each thread that allocates, taken over when it is gone.
 *
 * Model.  Idle: the cache of a thread that ended, with its spans; a few are left as they
 * were, for the next thread goes on with them, the others hold nothing unused.  Blank: a cache whose
 * spans another one took over.  A thread's first request takes an idle one, a blank
 * one, or makes one.  Caches are never unmade: an inbox may be posted to at any time by
 * a thread that read a span's owner just before it changed.
 */
#include "heap/hard.h"

#include <pthread.h>

QR_TABLE struct qr_cache qr_cache_none;
QR_TABLE struct qr_cache qr_cache_late;
void (*qr_cache_second)(void);
__thread struct qr_cache *qr_cache_self = &qr_cache_none;

/* Idle caches that are left as they were: as many as threads come and go at once. */
#define WARM_MAX 4u

/* This thread's cache went to the idle list; it will not have another. */
static __thread bool departed __attribute__((tls_model("initial-exec")));

/* Guarded by qr_heap_lock. */
static struct qr_cache *idle, *blank, *every;
static unsigned nr_idle;
static pthread_key_t exit_key;
static bool have_key;

/* Some thread had a cache before. */
static atomic_bool not_first;

static void depart(void *cache_pointer)
{
	struct qr_cache *cache = cache_pointer;
	bool warm;

	if (cache->hard)
		qr_hard_flush(cache);
	qr_cache_self = &qr_cache_none;
	qr_lane.cache = NULL;
	departed = true;
	qr_large_flush(cache);
	qr_heap_lock();
	warm = nr_idle++ < WARM_MAX;
	qr_heap_unlock();
	if (!warm)
		qr_cache_flush(cache);
	qr_heap_lock();
	cache->next = idle;
	idle = cache;
	qr_heap_unlock();
}

static struct qr_cache *pop(struct qr_cache **list)
{
	struct qr_cache *cache = *list;

	if (cache != NULL) {
		*list = cache->next;
		cache->next = NULL;
	}
	return cache;
}

static struct qr_cache *pop_idle(void)
{
	struct qr_cache *cache = pop(&idle);

	nr_idle -= cache != NULL;
	return cache;
}

struct qr_cache *qr_cache_make(void)
{
	struct qr_cache *cache = qr_record_raw(sizeof(*cache), QR_BIN_ALIGN);

	if (cache != NULL) {
		for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++)
			qr_bin_clear(cache, cls);
		cache->hard = (qr_detour & QR_DETOUR_HARDENED) != 0;
		cache->linked = every;
		every = cache;
	}
	return cache;
}

struct qr_cache *qr_cache_acquire(void)
{
	struct qr_cache *cache;
	bool registered;

	if (departed)
		return NULL;
	if (atomic_exchange_explicit(&not_first, true, memory_order_relaxed) &&
	    qr_cache_second != NULL)
		qr_cache_second();
	qr_heap_lock();
	cache = pop_idle();
	if (cache == NULL)
		cache = pop(&blank);
	if (cache == NULL)
		cache = qr_cache_make();
	if (cache != NULL && !have_key)
		have_key = pthread_key_create(&exit_key, depart) == 0;
	registered = have_key;
	qr_heap_unlock();
	if (cache == NULL)
		return NULL;
	/* First: pthread_setspecific itself may allocate. */
	if (qr_detour != 0)
		qr_lane.cache = cache;
	else
		qr_cache_self = cache;
	if (registered)
		pthread_setspecific(exit_key, cache);
	return cache;
}

/* Spans in the inbox to their owner: here, or where they went since. */
void qr_cache_drain(struct qr_cache *cache)
{
	struct qr_span *span =
		atomic_exchange_explicit(&cache->inbox, NULL, memory_order_acquire);
	struct qr_span *next;

	for (; span != NULL; span = next) {
		next = span->inbox_next;
		if (atomic_load_explicit(&span->owner, memory_order_relaxed) == cache)
			qr_span_gather(cache, span);
		else
			qr_span_post(span);
	}
}

static struct qr_span *last_partial(struct qr_span *span)
{
	while (span->next != NULL)
		span = span->next;
	return span;
}

/* Behind the cache's own, which are likely fuller and warmer. */
static void append_partial(struct qr_cache *cache, struct qr_cache *from, unsigned cls)
{
	struct qr_span *head = from->partial[cls];

	if (head == NULL)
		return;
	from->partial[cls] = NULL;
	if (cache->partial[cls] == NULL) {
		cache->partial[cls] = head;
		return;
	}
	head->prev = last_partial(cache->partial[cls]);
	head->prev->next = head;
}

/* Locked. */
static void take_spans(struct qr_cache *cache, struct qr_cache *from)
{
	struct qr_span *last = NULL;

	for (struct qr_span *span = from->all; span != NULL; span = span->all_next) {
		atomic_store_explicit(&span->owner, cache, memory_order_relaxed);
		last = span;
	}
	if (last != NULL) {
		last->all_next = cache->all;
		if (cache->all != NULL)
			cache->all->all_prev = last;
		cache->all = from->all;
		from->all = NULL;
	}
	cache->used_bytes += from->used_bytes;
	cache->span_bytes += from->span_bytes;
	from->used_bytes = 0;
	from->span_bytes = 0;
	from->peak_bytes = 0;
	from->sweep_at = 0;
	qr_sweep_arm(cache);
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++)
		append_partial(cache, from, cls);
}

bool qr_cache_adopt(struct qr_cache *cache)
{
	struct qr_cache *from;

	qr_heap_lock();
	from = pop_idle();
	qr_heap_unlock();
	if (from != NULL)
		qr_cache_flush(from);
	qr_heap_lock();
	if (from != NULL)
		take_spans(cache, from);
	/* Posts that missed their owner's move. */
	for (struct qr_cache *c = blank; c != NULL; c = c->next)
		qr_cache_drain(c);
	if (from != NULL) {
		from->next = blank;
		blank = from;
		qr_cache_drain(from);
	}
	qr_heap_unlock();
	qr_cache_drain(cache);
	return from != NULL;
}

void qr_cache_flush(struct qr_cache *cache)
{
	qr_large_flush(cache);
	qr_cache_drain(cache);
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++)
		qr_bin_retreat(cache, cls);
	qr_span_release_empty(cache);
}

struct qr_cache *qr_cache_first(void)
{
	return every;
}
