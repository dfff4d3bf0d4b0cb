/* SPDX-License-Identifier: MIT */
/* walk.c - every run of pages and every live block, by address.
 *
 * Runs lie side by side in their chunks, and each one's first page leads to it (H5), so
 * the map alone finds them all.  Blocks are taken in batches under the lock and shown
 * without it, so that whoever looks at them may use the heap.
 */
#include "heap/walk.h"

#include "heap/map.h"
#include "quire/heap.h"

#define BATCH 128u

struct batch {
	void *block[BATCH];
	size_t bytes[BATCH];
	unsigned nr;
	uintptr_t at; /* where the next batch begins */
};

struct qr_span *qr_walk_run(uintptr_t *at)
{
	const uintptr_t end = (uintptr_t)QR_ROOT_ENTRIES << QR_LEAF_SHIFT;
	const uintptr_t leaf_bytes = (uintptr_t)1 << QR_LEAF_SHIFT;
	uintptr_t page = (*at + QR_PAGE_BYTES - 1) & ~(QR_PAGE_BYTES - 1);

	while (page < end) {
		struct qr_span *span;

		if (qr_map_root[page >> QR_LEAF_SHIFT] == NULL) {
			page = (page & ~(leaf_bytes - 1)) + leaf_bytes;
			continue;
		}
		span = qr_map_get(page);
		if (span != NULL && span->start == page && span->kind != QR_SPAN_DEAD) {
			*at = page + span->nr_pages * QR_PAGE_BYTES;
			return span;
		}
		page += QR_PAGE_BYTES;
	}
	return NULL;
}

/* False where the batch is full. */
static bool add(struct batch *batch, uintptr_t block, size_t bytes)
{
	if (batch->nr == BATCH)
		return false;
	batch->block[batch->nr] = (void *)block;
	batch->bytes[batch->nr++] = bytes;
	return true;
}

static bool add_slots(struct batch *batch, struct qr_span *span)
{
	uint32_t slot = 0;

	if (batch->at > span->start)
		slot = (uint32_t)((batch->at - span->start + span->slot_bytes - 1) /
				  span->slot_bytes);
	for (; slot < span->nr_slots; slot++) {
		uintptr_t block = span->start + (size_t)slot * span->slot_bytes;

		if ((atomic_load_explicit(&span->slot[slot], memory_order_relaxed) &
		     QR_SLOT_LIVE) == 0)
			continue;
		if (!add(batch, block, span->slot_bytes)) {
			batch->at = block;
			return false;
		}
	}
	return true;
}

static bool add_run(struct batch *batch, struct qr_span *span)
{
	if (span->kind == QR_SPAN_SLOTS)
		return add_slots(batch, span);
	if (!span->kept && (span->kind == QR_SPAN_LARGE || span->kind == QR_SPAN_HUGE))
		return add(batch, qr_large_block(span), qr_large_usable(span));
	return true;
}

/* The run that the last batch ended in begins before its end. */
static uintptr_t run_start(uintptr_t at)
{
	const struct qr_span *span = qr_map_get(at);

	if (span != NULL && span->kind == QR_SPAN_SLOTS && at >= span->start &&
	    at - span->start < span->nr_pages * QR_PAGE_BYTES)
		return span->start;
	return at;
}

/* False where there are no more blocks behind these. */
static bool fill(struct batch *batch)
{
	uintptr_t next;
	struct qr_span *span;
	bool all = true;

	batch->nr = 0;
	qr_heap_lock();
	next = run_start(batch->at);
	while (all && (span = qr_walk_run(&next)) != NULL) {
		all = add_run(batch, span);
		if (all)
			batch->at = next;
		else if (batch->at < span->start)
			batch->at = span->start;
	}
	qr_heap_unlock();
	return !all;
}

bool quire_heap_walk(bool (*visit)(void *ctx, void *block, size_t bytes), void *ctx)
{
	struct batch batch = {.at = 0};
	bool more;

	do {
		more = fill(&batch);
		for (unsigned i = 0; i < batch.nr; i++) {
			if (!visit(ctx, batch.block[i], batch.bytes[i]))
				return false;
		}
	} while (more);
	return true;
}
