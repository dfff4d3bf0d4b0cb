/* SPDX-License-Identifier: MIT */
/* record.c - memory for the records of spans and caches.
 *
 * Cut from the start of blocks of pages that hold nothing else; a record's memory is
 * used again for records of its size, and never for anything else, so that a look
 * through an entry of the map that is out of date always meets a record.
 */
#include "heap/heap.h"

/* Untouched pages cost nothing but addresses. */
#define BLOCK_BYTES ((size_t)256 << 10)

/* The record, a byte for each slot, a word for each group; in cache lines. */
#define UNITS_OF(slots)                                                                  \
	((offsetof(struct qr_span, slot) + QR_STATES_OF(slots) +                         \
	  QR_GROUPS_OF(slots) * sizeof(uint64_t) + QR_CACHE_LINE - 1) /                  \
	 QR_CACHE_LINE)
#define NR_UNITS (UNITS_OF(QR_GROUPS_MAX * QR_GROUP_SLOTS) + 1)

static struct qr_span *free_records[NR_UNITS];
static uintptr_t bump, bump_end;
static size_t held;

static bool more(size_t bytes)
{
	const struct qr_heap_pages *pages = qr_source_at(qr_source_current());
	size_t want = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	void *block;

	want = (want + QR_PAGE_BYTES - 1) & ~(QR_PAGE_BYTES - 1);
	block = pages->map(pages->ctx, want, QR_PAGE_BYTES);
	if (block == NULL)
		return false;
	bump = (uintptr_t)block;
	bump_end = bump + want;
	return true;
}

void *qr_record_raw(size_t bytes, size_t align)
{
	size_t skip = -bump & (align - 1);
	uintptr_t result;

	bytes = (bytes + QR_CACHE_LINE - 1) & ~(size_t)(QR_CACHE_LINE - 1);
	if (skip + bytes > bump_end - bump) {
		if (!more(bytes))
			return NULL;
		/* On a page. */
		skip = 0;
	}
	result = bump + skip;
	bump = result + bytes;
	held += skip + bytes;
	return (void *)result;
}

struct qr_span *qr_record_new(unsigned nr_slots)
{
	size_t units = UNITS_OF(nr_slots);
	struct qr_span *span = free_records[units];

	if (span != NULL) {
		free_records[units] = span->next;
	} else {
		span = qr_record_raw(units * QR_CACHE_LINE, QR_CACHE_LINE);
		if (span == NULL)
			return NULL;
		span->record_units = (uint8_t)units;
	}
	return span;
}

void qr_record_free(struct qr_span *span)
{
	atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
	span->kind = QR_SPAN_DEAD;
	span->start = 0;
	span->limit = 0;
	span->next = free_records[span->record_units];
	free_records[span->record_units] = span;
}

size_t qr_record_held(void)
{
	return held;
}
