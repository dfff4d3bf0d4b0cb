/* SPDX-License-Identifier: MIT */
/* account.c - where the bytes are, and whether all holds together.
 *
 * held = spans + large blocks + free dirty + free clean + huge blocks + records.
 * Threads that run meanwhile make the counts of their own caches approximate.
 */
#include "heap/map.h"

static void count_cache(const struct qr_cache *cache, struct qr_heap_account *account)
{
	for (const struct qr_span *span = cache->all; span != NULL;
	     span = span->all_next) {
		size_t used = (size_t)span->used;

		account->spans += span->nr_pages * QR_PAGE_BYTES;
		account->used += used * span->slot_bytes;
		account->blocks += used;
	}
	for (unsigned class = 0; class < QR_NR_CLASSES; class ++) {
		size_t unused = (size_t)qr_count_bits(cache->bin[class].mask);

		account->used -= unused * cache->bin[class].slot_bytes;
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
	account->huge = qr_runs_count.huge * QR_PAGE_BYTES;
	account->huge_blocks = qr_runs_count.huge_blocks;
	account->free_dirty = qr_runs_count.dirty * QR_PAGE_BYTES;
	account->free_clean = qr_runs_count.clean * QR_PAGE_BYTES;
	account->records = qr_record_held();
	large = qr_runs_count.used * QR_PAGE_BYTES - account->spans + account->huge;
	account->used += large;
	account->blocks += qr_runs_count.large_blocks + qr_runs_count.huge_blocks;
	account->held =
		qr_runs_count.held * QR_PAGE_BYTES + account->huge + account->records;
	qr_heap_unlock();
}

static const char *check_groups(const struct qr_cache *cache, const struct qr_span *span)
{
	const struct qr_bin *bin = &cache->bin[span->class];
	int32_t nr_free = 0;

	for (unsigned i = 0; i < span->nr_groups; i++) {
		uint64_t free = span->group[i].free;
		uint64_t remote = span->group[i].remote;
		uint64_t mask = bin->span == span && bin->group == i ? bin->mask : 0;

		if ((free & remote) != 0 || (free & mask) != 0 || (remote & mask) != 0)
			return "H1: a slot's bit is set twice";
		if ((free != 0) != ((span->groups >> i & 1) != 0))
			return "H3: the summary of the groups is wrong";
		nr_free += qr_count_bits(free);
	}
	if (span->used + nr_free != (int32_t)span->nr_slots)
		return "H2: used slots and free bits do not add up";
	return NULL;
}

static bool listed(const struct qr_cache *cache, const struct qr_span *span)
{
	const struct qr_span *at = cache->partial[span->class];

	while (at != NULL && at != span)
		at = at->next;
	return at == span;
}

static const char *check_span(const struct qr_cache *cache, const struct qr_span *span)
{
	bool current = cache->bin[span->class].span == span;

	if (current != (span->state == QR_SPAN_CURRENT) ||
	    listed(cache, span) != (span->state == QR_SPAN_PARTIAL))
		return "H4: a span is not where its state says";
	if (span->state == QR_SPAN_FULL && span->groups != 0)
		return "H4: a full span has a free slot";
	for (size_t i = 0; i < span->nr_pages; i++) {
		if (qr_map_get(span->start + i * QR_PAGE_BYTES) != span)
			return "H5: a page does not lead to its span";
	}
	if (span->owner != cache)
		return "H5: a span's owner does not have it";
	return check_groups(cache, span);
}

static const char *check_cache(const struct qr_cache *cache, size_t *nr_pages)
{
	for (const struct qr_span *span = cache->all; span != NULL;
	     span = span->all_next) {
		const char *broken = check_span(cache, span);

		if (broken != NULL)
			return broken;
		*nr_pages += span->nr_pages;
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
