/* SPDX-License-Identifier: MIT */
/* several.c - heaps beside malloc's: freed as a whole.
 *
 * Model.  A heap is a cache that is no thread's, with a lock before it, and a list of
 * its large blocks.  A span of slots has the cache as its owner, so free() takes a
 * block of any heap for one of another thread's, and posts it to the cache's inbox.
 * Large blocks have the cache as their owner, too.  Destroying a heap releases its
 * spans with whatever is in use of them.
 * A heap's cache takes over no spans of threads that are gone: those hold blocks that
 * outlive the heap.  Caches are never unmade; a destroyed heap serves as the next one.
 *
 * Locking.  list_mutex (heaps come and go), then a heap's own, then qr_heap_lock.
 */
#include "heap/alloc.h"
#include "heap/profile.h"
#include "quire/heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct quire_heap {
	pthread_mutex_t mutex;
	struct qr_cache *cache;
	struct quire_heap *next; /* heaps that are, or that were; list_mutex */
	bool live;
};

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct quire_heap *all;

void qr_several_fork_prepare(void)
{
	pthread_mutex_lock(&list_mutex);
	for (struct quire_heap *heap = all; heap != NULL; heap = heap->next)
		pthread_mutex_lock(&heap->mutex);
}

void qr_several_fork_end(void)
{
	for (struct quire_heap *heap = all; heap != NULL; heap = heap->next)
		pthread_mutex_unlock(&heap->mutex);
	pthread_mutex_unlock(&list_mutex);
}

static struct quire_heap *make(void)
{
	struct quire_heap *heap;

	qr_heap_lock();
	heap = qr_record_raw(sizeof(*heap), QR_CACHE_LINE);
	if (heap != NULL)
		heap->cache = qr_cache_make();
	qr_heap_unlock();
	if (heap == NULL || heap->cache == NULL)
		return NULL;
	heap->cache->closed = true;
	heap->cache->hard = false;
	pthread_mutex_init(&heap->mutex, NULL);
	heap->next = all;
	all = heap;
	return heap;
}

struct quire_heap *quire_heap_create(void)
{
	struct quire_heap *heap;

	pthread_mutex_lock(&list_mutex);
	for (heap = all; heap != NULL && heap->live; heap = heap->next) {
	}
	if (heap == NULL)
		heap = make();
	if (heap != NULL)
		heap->live = true;
	pthread_mutex_unlock(&list_mutex);
	if (heap == NULL)
		errno = ENOMEM;
	return heap;
}

/* Nothing is in any bin, list or count. */
static void forget_spans(struct qr_cache *cache)
{
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		qr_bin_clear(cache, cls);
		cache->current[cls] = NULL;
		cache->partial[cls] = NULL;
	}
	memset(cache->asked_bytes, 0, sizeof(cache->asked_bytes));
	memset(cache->nr_asked, 0, sizeof(cache->nr_asked));
	cache->used_bytes = 0;
	cache->span_bytes = 0;
	cache->peak_bytes = 0;
	cache->empty = NULL;
	cache->empty_bytes = 0;
	cache->sweep_at = 0;
	atomic_store_explicit(&cache->inbox, NULL, memory_order_relaxed);
}

static void release_spans(struct qr_cache *cache)
{
	struct qr_span *next;

	qr_heap_lock();
	for (struct qr_span *span = cache->all; span != NULL; span = next) {
		next = span->all_next;
		qr_span_abandon(span);
	}
	cache->all = NULL;
	qr_heap_unlock();
}

void quire_heap_destroy(struct quire_heap *heap)
{
	if (heap == NULL)
		return;
	pthread_mutex_lock(&list_mutex);
	pthread_mutex_lock(&heap->mutex);
	forget_spans(heap->cache);
	release_spans(heap->cache);
	qr_large_free_owned(heap->cache);
	heap->live = false;
	pthread_mutex_unlock(&heap->mutex);
	pthread_mutex_unlock(&list_mutex);
}

static void *alloc_small(struct quire_heap *heap, size_t bytes)
{
	void *block;

	pthread_mutex_lock(&heap->mutex);
	block = qr_cache_refill(heap->cache, qr_class_of(bytes), bytes);
	pthread_mutex_unlock(&heap->mutex);
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_count(&qr_lane, block, bytes);
	return block;
}

static struct qr_span *alloc_large(struct quire_heap *heap, size_t align, size_t bytes)
{
	struct qr_span *span = qr_large_new(bytes, align, false);

	if (span != NULL)
		qr_large_own(heap->cache, span);
	return span;
}

void *quire_heap_aligned(struct quire_heap *heap, size_t align, size_t bytes)
{
	struct qr_span *span;

	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	if (align <= QR_PAGE_BYTES && bytes <= QR_SMALL_MAX)
		return alloc_small(heap, qr_class_aligned(align, bytes));
	span = alloc_large(heap, align, bytes);
	return span != NULL ? (void *)span->start : NULL;
}

void *quire_heap_malloc(struct quire_heap *heap, size_t bytes)
{
	return quire_heap_aligned(heap, 1, bytes);
}

void *quire_heap_calloc(struct quire_heap *heap, size_t nr, size_t bytes)
{
	size_t total;
	void *block;

	if (__builtin_mul_overflow(nr, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	if (total <= QR_SMALL_MAX) {
		block = alloc_small(heap, total);
		return block != NULL ? memset(block, 0, total) : NULL;
	}
	return qr_large_zeroed(alloc_large(heap, QR_PAGE_BYTES, total), total);
}

/* The block's span; ends the process where it is not of this heap. */
static struct qr_span *span_of(const struct quire_heap *heap, void *block)
{
	struct qr_span *span = qr_heap_span_of(block);

	if (atomic_load_explicit(&span->owner, memory_order_relaxed) != heap->cache)
		qr_report_broken("a block of another heap", block);
	return span;
}

void quire_heap_free(struct quire_heap *heap, void *block)
{
	struct qr_span *span;

	if (block == NULL)
		return;
	span = span_of(heap, block);
	if (span->kind != QR_SPAN_SLOTS) {
		qr_large_free(span, block);
		return;
	}
	pthread_mutex_lock(&heap->mutex);
	qr_free_own(heap->cache, span, block);
	pthread_mutex_unlock(&heap->mutex);
}

static void *move(struct quire_heap *heap, void *block, size_t old_bytes, size_t bytes)
{
	void *to = quire_heap_malloc(heap, bytes);

	/* A smaller block that cannot be had is no reason to fail. */
	if (to == NULL)
		return bytes <= old_bytes ? block : NULL;
	memcpy(to, block, bytes < old_bytes ? bytes : old_bytes);
	quire_heap_free(heap, block);
	return to;
}

void *quire_heap_realloc(struct quire_heap *heap, void *block, size_t bytes)
{
	struct qr_span *span;
	size_t old_bytes;
	void *to = NULL;

	if (block == NULL)
		return quire_heap_malloc(heap, bytes);
	span = span_of(heap, block);
	if (bytes == 0) {
		quire_heap_free(heap, block);
		return NULL;
	}
	old_bytes = qr_heap_usable(block);
	if (span->kind != QR_SPAN_SLOTS && bytes > QR_SMALL_MAX) {
		to = qr_heap_fits(old_bytes, bytes) ? block
						    : qr_large_resize(span, bytes);
		if (to != NULL)
			span->asked = bytes;
	} else if (qr_heap_fits(old_bytes, bytes)) {
		to = block;
	}
	return to != NULL ? to : move(heap, block, old_bytes, bytes);
}
