/* SPDX-License-Identifier: MIT */
/* hard_large.c - blocks of the hardened heap with pages of their own.
 *
 * A guard, the block's pages, a guard.  The block ends as near the second guard as its
 * alignment lets it; what is left on either side of it begins with a canary.
 */
#include "heap/hard.h"
#include "heap/map.h"
#include "heap/profile.h"

#include <errno.h>
#include <string.h>

/* Freed blocks that rest, and their pages: addresses, without memory. */
#define REST_BLOCKS 256u
#define REST_PAGES  ((size_t)1 << 18)

struct qr_hard_rest qr_hard_rest;
/* Oldest first, by next; guarded by qr_heap_lock. */
static struct qr_span *oldest, *newest;

static uintptr_t pages_start(const struct qr_span *span)
{
	return span->start + QR_PAGE_BYTES;
}

static uintptr_t pages_end(const struct qr_span *span)
{
	return span->start + (span->nr_pages - 1) * QR_PAGE_BYTES;
}

static void guard(const struct qr_span *span, uintptr_t start, size_t bytes, bool on)
{
	const struct qr_heap_pages *pages = qr_source_at(span->source);

	(void)pages->guard(pages->ctx, (void *)start, bytes, on);
}

/* The bytes of one canary that fit between two addresses. */
static size_t canary_bytes(uintptr_t from, uintptr_t to)
{
	return to - from < sizeof(uint64_t) ? to - from : sizeof(uint64_t);
}

static void seal(struct qr_span *span)
{
	uintptr_t block = span->block, end = block + span->asked;
	uint64_t before = qr_hard_word(block), behind = ~before;
	size_t nr = canary_bytes(pages_start(span), block);

	memcpy((void *)(block - nr), &before, nr);
	memcpy((void *)end, &behind, canary_bytes(end, pages_end(span)));
}

void qr_hard_check_large(const struct qr_span *span)
{
	uintptr_t block = span->block, end = block + span->asked;
	uint64_t before = qr_hard_word(block), behind = ~before;
	size_t nr = canary_bytes(pages_start(span), block);

	if (memcmp((void *)(block - nr), &before, nr) != 0)
		qr_report_written((void *)block, span->asked, "before its start");
	if (memcmp((void *)end, &behind, canary_bytes(end, pages_end(span))) != 0)
		qr_report_written((void *)block, span->asked, "past its end");
}

/* Bytes of pages for a block; 0 where that overflows. */
static size_t room_for(size_t align, size_t bytes)
{
	size_t gap = align <= QR_PAGE_BYTES ? -bytes & (align - 1) : align;
	size_t room = bytes + gap + QR_PAGE_BYTES - 1;

	if (bytes > PTRDIFF_MAX || gap > PTRDIFF_MAX / 2)
		return 0;
	return room & ~(QR_PAGE_BYTES - 1);
}

static void count_rest(const struct qr_span *span, bool more)
{
	size_t *pages = span->kind == QR_SPAN_HUGE ? &qr_hard_rest.huge_pages
						   : &qr_hard_rest.large_pages;

	if (span->kind == QR_SPAN_HUGE)
		qr_hard_rest.huge_blocks += more ? 1 : -(size_t)1;
	*pages += more ? span->nr_pages : -(size_t)span->nr_pages;
	qr_hard_rest.blocks += more ? 1 : -(size_t)1;
}

/* Locked.  The oldest block at rest, if there are too many; it rests no more. */
static struct qr_span *take_oldest(void)
{
	struct qr_span *span = oldest;

	if (qr_hard_rest.blocks <= 1 ||
	    (qr_hard_rest.blocks <= REST_BLOCKS &&
	     qr_hard_rest.large_pages + qr_hard_rest.huge_pages <= REST_PAGES))
		return NULL;
	oldest = span->next;
	count_rest(span, false);
	span->kept = false;
	return span;
}

/* With guards around zeroed pages. */
static struct qr_span *make(size_t room)
{
	struct qr_span *span = qr_large_take(room + 2 * QR_PAGE_BYTES);
	const struct qr_heap_pages *pages;

	if (span == NULL)
		return NULL;
	pages = qr_source_at(span->source);
	if (!span->fresh && !pages->purge(pages->ctx, (void *)pages_start(span), room))
		memset((void *)pages_start(span), 0, room);
	guard(span, span->start, QR_PAGE_BYTES, true);
	guard(span, pages_end(span), QR_PAGE_BYTES, true);
	return span;
}

/* The oldest block at rest, where another is to go anyway and it has the size. */
static struct qr_span *reuse(size_t room)
{
	struct qr_span *span = NULL;

	qr_heap_lock();
	if (qr_hard_rest.blocks == REST_BLOCKS &&
	    pages_end(oldest) - pages_start(oldest) == room) {
		span = oldest;
		oldest = span->next;
		count_rest(span, false);
	}
	qr_heap_unlock();
	if (span != NULL)
		guard(span, pages_start(span), room, false);
	return span;
}

/* The pages are a block from now on. */
static void describe(struct qr_span *span, size_t align, size_t bytes, size_t room)
{
	span->block = (pages_end(span) - room) & ~(uintptr_t)(align - 1);
	span->asked = bytes;
	span->marked = false;
	seal(span);
	qr_heap_lock();
	span->hard = true;
	span->kept = false;
	/* The page that the block begins in is not the run's first. */
	qr_map_set(span->block, span);
	qr_heap_unlock();
}

void *qr_hard_large(size_t align, size_t bytes, size_t room)
{
	struct qr_span *span = NULL;
	size_t whole;

	if (align < QR_QUANTUM)
		align = QR_QUANTUM;
	whole = room_for(align, room != 0 ? room : 1);
	if (whole != 0)
		span = reuse(whole);
	if (whole != 0 && span == NULL)
		span = make(whole);
	if (span == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	describe(span, align, bytes, room);
	if ((qr_detour & QR_DETOUR_PROFILE) != 0)
		qr_profile_large(span, bytes);
	return (void *)span->block;
}

bool qr_hard_resize_large(struct qr_span *span, size_t bytes)
{
	size_t room = pages_end(span) - span->block, old = span->asked;
	size_t canary;

	if (bytes > room || bytes < room / 2)
		return false;
	qr_hard_check_large(span);
	canary = canary_bytes(span->block + old, pages_end(span));
	memset((void *)(span->block + old), 0, canary);
	if (bytes < old)
		memset((void *)(span->block + bytes), 0, old - bytes);
	span->asked = bytes;
	seal(span);
	return true;
}

static void let_go(struct qr_span *span)
{
	size_t room = pages_end(span) - pages_start(span);

	if (span->kind == QR_SPAN_LARGE) {
		guard(span, pages_start(span), room, false);
		guard(span, span->start, QR_PAGE_BYTES, false);
		guard(span, pages_end(span), QR_PAGE_BYTES, false);
	}
	span->hard = false;
	qr_large_release(span, true);
}

/* Locked. */
static void lay_to_rest(struct qr_span *span)
{
	span->next = NULL;
	if (oldest != NULL)
		newest->next = span;
	else
		oldest = span;
	newest = span;
	count_rest(span, true);
}

void qr_hard_free_large(struct qr_span *span)
{
	bool live;

	qr_heap_lock();
	live = !span->kept;
	/* Whoever frees it next frees it twice. */
	if (live)
		span->kept = true;
	qr_heap_unlock();
	if (!live)
		qr_report_double_free((void *)span->block, span);
	qr_hard_check_large(span);
	guard(span, pages_start(span), pages_end(span) - pages_start(span), true);
	qr_heap_lock();
	lay_to_rest(span);
	span = take_oldest();
	qr_heap_unlock();
	if (span != NULL)
		let_go(span);
}
