/* SPDX-License-Identifier: MIT */
/* account.c - where the bytes are, and whether all holds together.
 *
 * held = spans + large blocks + free dirty + free clean + huge blocks + records.
 * Threads that run meanwhile make the counts of their own caches approximate.
 */
#include "heap/hard.h"
#include "heap/map.h"

static void count_cache(const struct qr_cache *cache, struct qr_heap_account *account)
{
	for (const struct qr_span *span = cache->all; span != NULL;
	     span = span->all_next) {
		size_t used = (size_t)span->used;

		/* A hard span has a guard before it, too. */
		account->spans += (span->nr_pages + span->hard) * QR_PAGE_BYTES;
		account->used += used * span->slot_bytes;
		account->blocks += used;
	}
	account->kept += cache->kept_pages * QR_PAGE_BYTES;
	account->blocks -= cache->nr_kept;
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		size_t unused =
			qr_bin_count(&cache->bin[cls]) + qr_hard_resting(cache, cls);

		account->used -= unused * qr_class_bytes(cls);
		account->blocks -= unused;
	}
}

void qr_heap_account(struct qr_heap_account *account)
{
	size_t large;

	*account = (struct qr_heap_account){.held = 0};
	qr_heap_lock();
	for (const struct qr_cache *c = qr_cache_first(); c != NULL; c = c->linked)
		count_cache(c, account);
	count_cache(&qr_cache_late, account);
	account->huge = (qr_runs_count.huge - qr_hard_rest.huge_pages) * QR_PAGE_BYTES;
	account->huge_blocks = qr_runs_count.huge_blocks - qr_hard_rest.huge_blocks;
	account->kept += qr_hard_rest.large_pages * QR_PAGE_BYTES;
	account->free_dirty = qr_runs_count.dirty * QR_PAGE_BYTES;
	account->free_clean = qr_runs_count.clean * QR_PAGE_BYTES;
	account->records = qr_record_held();
	large = qr_runs_count.used * QR_PAGE_BYTES - account->spans - account->kept +
		account->huge;
	account->used += large;
	account->blocks += qr_runs_count.large_blocks + qr_runs_count.huge_blocks -
			   qr_hard_rest.blocks;
	account->held = (qr_runs_count.held + qr_runs_count.huge) * QR_PAGE_BYTES +
			account->records;
	qr_heap_unlock();
}

static bool available(const struct qr_span *span, uint32_t slot)
{
	return (span->avail[slot / QR_GROUP_SLOTS] >> (slot % QR_GROUP_SLOTS) & 1) != 0;
}

static const char *check_slots(const struct qr_span *span)
{
	int32_t nr_available = 0;

	for (uint32_t slot = 0; slot < span->nr_slots; slot++) {
		if (!available(span, slot))
			continue;
		nr_available++;
		if (span->slot[slot] != QR_SLOT_FREE)
			return "H1: an available slot is not free";
	}
	for (unsigned i = 0; i < span->nr_groups; i++) {
		if ((span->avail[i] != 0) != ((span->groups >> i & 1) != 0))
			return "H3: the summary of the groups is wrong";
	}
	for (uint32_t page = 0; page < span->nr_pages; page++) {
		if ((span->purged >> page & 1) != 0 && !qr_sweep_page_is_free(span, page))
			return "H9: a page that was given back is in use";
	}
	if (span->used + nr_available != (int32_t)span->nr_slots)
		return "H2: used and available slots do not add up";
	return NULL;
}

static const char *check_bin(const struct qr_bin *bin)
{
	for (uint32_t i = 0; i < qr_bin_count(bin); i++) {
		const struct qr_entry *entry = &qr_bin_entries(bin)[i];
		const struct qr_span *span = qr_map_get((uintptr_t)entry->block);
		uint32_t slot = (uint32_t)(entry->state - span->slot);

		if (span->slot[slot] != QR_SLOT_FREE || available(span, slot))
			return "H1: a slot in a bin is not free, or available";
	}
	return NULL;
}

static bool listed(const struct qr_cache *cache, const struct qr_span *span)
{
	const struct qr_span *at =
		span->state == QR_SPAN_EMPTY ? cache->empty : cache->partial[span->cls];

	while (at != NULL && at != span)
		at = at->next;
	return at == span;
}

static const char *check_span(const struct qr_cache *cache, const struct qr_span *span)
{
	bool current = cache->current[span->cls] == span;

	if (current != (span->state == QR_SPAN_CURRENT) ||
	    listed(cache, span) !=
		    (span->state == QR_SPAN_PARTIAL || span->state == QR_SPAN_EMPTY))
		return "H4: a span is not where its state says";
	if (span->state == QR_SPAN_EMPTY && span->used != 0)
		return "H4: an empty span has a slot in use";
	if (span->state == QR_SPAN_FULL && span->groups != 0)
		return "H4: a full span has a free slot";
	for (size_t i = 0; i < span->nr_pages; i++) {
		if (qr_map_get(span->start + i * QR_PAGE_BYTES) != span)
			return "H5: a page does not lead to its span";
	}
	if (span->owner != cache)
		return "H5: a span's owner does not have it";
	return check_slots(span);
}

static const char *check_cache(const struct qr_cache *cache, size_t *nr_pages)
{
	size_t used_bytes = 0, span_bytes = 0;

	for (const struct qr_span *span = cache->all; span != NULL;
	     span = span->all_next) {
		const char *broken = check_span(cache, span);

		if (broken != NULL)
			return broken;
		*nr_pages += span->nr_pages;
		used_bytes += (size_t)span->used * span->slot_bytes;
		span_bytes += span->limit;
	}
	if (used_bytes != cache->used_bytes || span_bytes != cache->span_bytes)
		return "H8: a cache's bytes do not add up";
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		const char *broken = check_bin(&cache->bin[cls]);

		if (broken != NULL)
			return broken;
	}
	return NULL;
}

const char *qr_heap_validate(void)
{
	const struct qr_runs_count *n = &qr_runs_count;
	size_t nr_pages = 0;
	const char *broken;

	qr_heap_lock();
	broken = check_cache(&qr_cache_late, &nr_pages);
	for (const struct qr_cache *c = qr_cache_first(); c != NULL && broken == NULL;
	     c = c->linked)
		broken = check_cache(c, &nr_pages);
	if (broken == NULL)
		broken = qr_runs_validate();
	if (broken == NULL && n->held != n->used + n->dirty + n->clean)
		broken = "H7: pages do not add up";
	if (broken == NULL && nr_pages > n->used)
		broken = "H7: spans have more pages than are in use";
	qr_heap_unlock();
	return broken;
}
