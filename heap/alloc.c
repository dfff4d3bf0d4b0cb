/* SPDX-License-Identifier: MIT */
/* alloc.c - the heap's interface: what the fast paths leave over, and realloc.
 *
 * A block that realloc moves twice running is one that grows: it gets room in advance,
 * half again as much, so that the copies add up to a constant for each byte.  From
 * GROW_PAGES on it gets pages of its own, where room that is not used is not resident.
 */
#include "heap/alloc.h"

#include "heap/hard.h"
#include "heap/profile.h"

#include <errno.h>
#include <string.h>

#define GROW_PAGES ((size_t)8192)
/* A freed block that is still kept serves if it is at most so many times too large: there
 * the one that grows may find all the room that it will need. */
#define GROW_TIMES 8

static void *alloc_large(size_t bytes, size_t align)
{
	struct qr_span *span;

	if ((qr_detour & QR_DETOUR_HARDENED) != 0)
		return qr_perturb_new(qr_hard_large(align, bytes, bytes), bytes);
	span = qr_large_new(bytes, align, false);
	return span != NULL ? qr_perturb_new((void *)span->start, bytes) : NULL;
}

void *qr_alloc_slow(size_t bytes)
{
	if (QR_LIKELY(bytes <= QR_SMALL_MAX))
		return qr_alloc_class(qr_class_compute(bytes), bytes);
	return alloc_large(bytes, QR_QUANTUM);
}

/* Ends the process where the block is not live. */
static void unmark(const void *block, const struct qr_span *span, qr_slot_state *state)
{
	if (atomic_load_explicit(state, memory_order_relaxed) != QR_SLOT_MARKED)
		qr_report_double_free(block, span);
	qr_profile_forget(block);
	atomic_store_explicit(state, QR_SLOT_LIVE, memory_order_relaxed);
}

void qr_free_marked(struct qr_cache *cache, struct qr_span *span, void *block)
{
	unmark(block, span, &span->slot[qr_slot_of(span, block)]);
	qr_free_own(cache, span, block);
}

static void free_remote(void *block, struct qr_span *span)
{
	qr_slot_state *state = &span->slot[qr_slot_of(span, block)];

	if (atomic_load_explicit(state, memory_order_relaxed) != QR_SLOT_LIVE)
		unmark(block, span, state);
	qr_free_announce(span, state);
}

void qr_free_announce(struct qr_span *span, qr_slot_state *state)
{
	/* Acquire: the owner is done with the span's place in the inbox before. */
	if (atomic_fetch_add_explicit(&span->announced, 1, memory_order_acquire) == 0)
		qr_span_post(span);
	atomic_store_explicit(state, QR_SLOT_REMOTE, memory_order_release);
}

void qr_free_slow(void *block, struct qr_span *span)
{
	if (block == NULL)
		return;
	if (qr_detour != 0)
		qr_detour_free(block, span);
	else
		qr_free_other(block, span);
}

void qr_free_other(void *block, struct qr_span *span)
{
	if (span == NULL)
		qr_report_bad_free(block, span);
	if (span->kind == QR_SPAN_SLOTS)
		free_remote(block, span);
	else if (span->kind == QR_SPAN_DEAD || span->kind == QR_SPAN_FREE)
		qr_report_bad_free(block, span);
	else
		qr_large_free(span, block);
}

void *qr_heap_malloc(size_t bytes)
{
	return qr_alloc(bytes);
}

void qr_heap_free(void *block)
{
	qr_free(block);
}

void *qr_heap_calloc(size_t nr, size_t bytes)
{
	size_t total;
	void *block;

	if (__builtin_mul_overflow(nr, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	if (total <= QR_SMALL_MAX) {
		block = qr_alloc(total);
		return block != NULL ? memset(block, 0, total) : NULL;
	}
	/* Zeroed. */
	if ((qr_detour & QR_DETOUR_HARDENED) != 0)
		return qr_hard_large(QR_QUANTUM, total, total);
	return qr_large_zeroed(qr_large_new(total, QR_PAGE_BYTES, false), total);
}

void *qr_heap_aligned(size_t align, size_t bytes)
{
	if ((qr_detour & QR_DETOUR_HARDENED) != 0)
		return qr_hard_alloc(align, bytes);
	/* Spans begin on a page, so a slot has the alignment that its size has. */
	if (QR_LIKELY(align <= QR_PAGE_BYTES && bytes <= QR_SMALL_MAX)) {
		if (align > QR_QUANTUM)
			bytes = qr_class_aligned(align, bytes);
		return qr_alloc_class(qr_class_of(bytes), bytes);
	}
	return alloc_large(bytes, align);
}

struct qr_span *qr_heap_span_of(void *block)
{
	struct qr_span *span = qr_map_get((uintptr_t)block);

	if (span == NULL)
		qr_report_bad_free(block, span);
	if (span->kind == QR_SPAN_SLOTS) {
		qr_slot_state *state = &span->slot[qr_slot_of(span, block)];

		if ((atomic_load_explicit(state, memory_order_relaxed) & QR_SLOT_LIVE) ==
		    0)
			qr_report_double_free(block, span);
	} else if (span->limit == 0 || qr_large_block(span) != (uintptr_t)block) {
		qr_report_bad_free(block, span);
	} else if (span->kept) {
		qr_report_double_free(block, span);
	}
	return span;
}

static size_t usable(const struct qr_span *span, const void *block)
{
	if (span->kind != QR_SPAN_SLOTS)
		return qr_large_usable(span);
	return QR_UNLIKELY(span->hard) ? qr_hard_asked(span, block) : span->slot_bytes;
}

size_t qr_heap_usable(void *block)
{
	return block != NULL ? usable(qr_heap_span_of(block), block) : 0;
}

/* A block for one that grows: with room, which is tried for first. */
static void *alloc_growing(size_t bytes)
{
	size_t room = bytes + bytes / 2;
	struct qr_span *span;

	if (room < bytes || room > PTRDIFF_MAX)
		return qr_alloc(bytes);
	if ((qr_detour & QR_DETOUR_HARDENED) != 0)
		return bytes > QR_SMALL_MAX ? qr_hard_large(QR_QUANTUM, bytes, room)
					    : qr_alloc(bytes);
	if (room < GROW_PAGES)
		return qr_alloc(room);
	span = qr_large_kept(bytes, room, room * GROW_TIMES);
	if (span == NULL)
		span = qr_large_new(room, QR_PAGE_BYTES, room >= QR_REMAP_MIN);
	return span != NULL ? (void *)span->start : qr_alloc(bytes);
}

static void *move(void *block, size_t old_bytes, size_t bytes)
{
	struct qr_cache *cache = qr_cache_mine();
	bool grows = bytes > old_bytes && cache != NULL;
	void *to =
		grows && cache->grown == block ? alloc_growing(bytes) : qr_alloc(bytes);

	if (to == NULL)
		return NULL;
	memcpy(to, block, bytes > old_bytes ? old_bytes : bytes);
	qr_free(block);
	if (grows)
		cache->grown = to;
	return to;
}

/* Pages that the block can keep; room for more where it has grown before. */
static void *resize_pages(struct qr_span *span, const void *block, size_t bytes)
{
	size_t room = bytes;
	void *to;

	if (span->kind == QR_SPAN_HUGE && bytes > span->limit &&
	    bytes < PTRDIFF_MAX - bytes / 4)
		room += bytes / 4;
	to = qr_large_resize(span, room);
	if (to == NULL && room != bytes)
		to = qr_large_resize(span, bytes);
	if (to == NULL)
		return NULL;
	span->asked = bytes;
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_resized(span, block, to, bytes);
	return to;
}

bool qr_heap_fits(size_t old_bytes, size_t bytes)
{
	return bytes <= old_bytes && bytes >= old_bytes / 2;
}

/* Whether a large block that grows has the room already, however much. */
static bool grows_within(const struct qr_span *span, size_t bytes)
{
	return span->kind != QR_SPAN_SLOTS && bytes >= span->asked &&
	       bytes <= span->limit;
}

void *qr_heap_realloc(void *block, size_t bytes)
{
	struct qr_span *span;
	size_t old_bytes;
	void *to;

	if (block == NULL)
		return qr_alloc(bytes);
	span = qr_heap_span_of(block);
	old_bytes = usable(span, block);
	if (QR_UNLIKELY(span->hard)) {
		if (span->kind == QR_SPAN_SLOTS ? qr_hard_resize(span, block, bytes)
						: qr_hard_resize_large(span, bytes))
			return block;
		return move(block, old_bytes, bytes);
	}
	if (qr_heap_fits(old_bytes, bytes) || grows_within(span, bytes)) {
		if (span->kind != QR_SPAN_SLOTS)
			span->asked = bytes;
		return block;
	}
	if (span->kind != QR_SPAN_SLOTS && (bytes > QR_SMALL_MAX || bytes > old_bytes)) {
		to = resize_pages(span, block, bytes);
		if (to != NULL)
			return to;
	}
	to = move(block, old_bytes, bytes);
	/* A smaller block that cannot be had is no reason to fail. */
	return to == NULL && bytes <= old_bytes ? block : to;
}

bool qr_heap_trim(size_t pad)
{
	struct qr_cache *cache = qr_cache_mine();
	bool any;

	if (cache != NULL) {
		qr_cache_flush(cache);
		qr_cache_sweep(cache);
	}
	qr_heap_lock();
	any = qr_purge_all(pad >> QR_PAGE_SHIFT) != 0;
	qr_heap_unlock();
	return any;
}
