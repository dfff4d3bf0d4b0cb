/* SPDX-License-Identifier: MIT */
/* runs.c - runs of pages, for spans of slots and for large blocks.
 *
 * Model.  Chunks come from the source, ever larger ones, and stay.  A free run is
 * dirty (its pages hold what their last user left) or clean (they read as zero, and
 * most are not resident).  A request is served from the smallest dirty run that is
 * large enough, of several the lowest; then from a dirty one and its free neighbours;
 * then from a clean one; then from a new chunk.
 * A run that is freed merges with free neighbours of its own state and source; purging
 * makes a dirty run a clean one, oldest first.
 *
 * Free runs are on lists by size: single pages up to 8, then eight steps to each
 * doubling, with one bit for each list that is not empty.
 *
 * Locking.  qr_heap_lock, throughout.
 */
#include "heap/map.h"

#define NR_LISTS 192
#define NR_WORDS (NR_LISTS / 64)

/* Runs looked at on one list: bounds the search where many are of nearly one size. */
#define LOOK_MAX 16
/* Runs behind one another that one request is served from. */
#define JOIN_MAX 8

/* A first chunk for the smallest programs; then an eighth of what is held. */
#define CHUNK_MIN ((size_t)256)
#define CHUNK_MAX ((size_t)8192)

struct run_lists {
	struct qr_span *head[NR_LISTS];
	uint64_t filled[NR_WORDS];
};

static struct run_lists lists[2]; /* clean, dirty */
static struct qr_span *oldest, *newest;
struct qr_runs_count qr_runs_count;

static unsigned list_of(size_t nr_pages)
{
	unsigned lg;

	if (nr_pages < 8)
		return (unsigned)nr_pages;
	lg = 63u - (unsigned)__builtin_clzl(nr_pages);
	return 8 * (lg - 2) + ((unsigned)(nr_pages >> (lg - 3)) & 7);
}

static uintptr_t run_end(const struct qr_span *span)
{
	return span->start + span->nr_pages * QR_PAGE_BYTES;
}

static void age_link(struct qr_span *span)
{
	span->stamp = qr_purge_now();
	span->all_next = NULL;
	span->all_prev = newest;
	if (newest != NULL)
		newest->all_next = span;
	else
		oldest = span;
	newest = span;
}

static void age_unlink(struct qr_span *span)
{
	if (span->all_prev != NULL)
		span->all_prev->all_next = span->all_next;
	else
		oldest = span->all_next;
	if (span->all_next != NULL)
		span->all_next->all_prev = span->all_prev;
	else
		newest = span->all_prev;
}

static size_t *count_of(const struct qr_span *span)
{
	return span->dirty ? &qr_runs_count.dirty : &qr_runs_count.clean;
}

static void size_link(struct qr_span *span)
{
	struct run_lists *by = &lists[span->dirty];
	unsigned list = list_of(span->nr_pages);

	span->prev = NULL;
	span->next = by->head[list];
	if (span->next != NULL)
		span->next->prev = span;
	by->head[list] = span;
	by->filled[list / 64] |= (uint64_t)1 << (list % 64);
	*count_of(span) += span->nr_pages;
}

static void size_unlink(struct qr_span *span)
{
	struct run_lists *by = &lists[span->dirty];
	unsigned list = list_of(span->nr_pages);

	if (span->next != NULL)
		span->next->prev = span->prev;
	if (span->prev != NULL)
		span->prev->next = span->next;
	else
		by->head[list] = span->next;
	if (by->head[list] == NULL)
		by->filled[list / 64] &= ~((uint64_t)1 << (list % 64));
	*count_of(span) -= span->nr_pages;
}

static void free_link(struct qr_span *span)
{
	size_link(span);
	if (span->dirty)
		age_link(span);
	qr_map_set(span->start, span);
	qr_map_set(run_end(span) - QR_PAGE_BYTES, span);
}

static void free_unlink(struct qr_span *span)
{
	size_unlink(span);
	if (span->dirty)
		age_unlink(span);
}

static bool mergeable(const struct qr_span *a, const struct qr_span *b)
{
	return a != NULL && a->kind == QR_SPAN_FREE && a->dirty == b->dirty &&
	       a->source == b->source && (uint64_t)a->nr_pages + b->nr_pages < UINT32_MAX;
}

/* The free run in place of the span and of its mergeable neighbours. */
static void merge(struct qr_span *span)
{
	struct qr_span *before = qr_map_get(span->start - QR_PAGE_BYTES);
	struct qr_span *after = qr_map_get(run_end(span));

	if (mergeable(before, span) && run_end(before) == span->start) {
		free_unlink(before);
		span->start = before->start;
		span->nr_pages += before->nr_pages;
		qr_record_free(before);
	}
	if (mergeable(after, span) && after->start == run_end(span)) {
		free_unlink(after);
		span->nr_pages += after->nr_pages;
		qr_record_free(after);
	}
	free_link(span);
}

static void make_free(struct qr_span *span, bool zero)
{
	atomic_store_explicit(&span->owner, NULL, memory_order_relaxed);
	span->kind = QR_SPAN_FREE;
	span->limit = 0;
	span->dirty = !zero;
	merge(span);
}

void qr_runs_give(struct qr_span *span, bool zero)
{
	size_t nr_pages = span->nr_pages;

	qr_runs_count.used -= nr_pages;
	make_free(span, zero);
	if (!zero)
		qr_purge_note_give(nr_pages);
}

static struct qr_span *record_for(uintptr_t start, size_t nr_pages, unsigned source)
{
	struct qr_span *span = qr_record_new(1);

	if (span == NULL)
		return NULL;
	span->start = start;
	span->nr_pages = (uint32_t)nr_pages;
	span->source = (uint8_t)source;
	return span;
}

static size_t chunk_pages(size_t need)
{
	size_t want = qr_runs_count.held / 8;

	if (want < CHUNK_MIN)
		want = CHUNK_MIN;
	if (want > CHUNK_MAX)
		want = CHUNK_MAX;
	want &= ~(CHUNK_MIN - 1);
	return need > want ? need : want;
}

static bool map_chunk(size_t nr_pages)
{
	unsigned source = qr_source_current();
	const struct qr_heap_pages *pages = qr_source_at(source);
	size_t bytes = nr_pages * QR_PAGE_BYTES;
	struct qr_span *span;
	void *chunk = pages->map(pages->ctx, bytes, QR_PAGE_BYTES);

	if (chunk == NULL)
		return false;
	span = NULL;
	if (qr_map_cover((uintptr_t)chunk, bytes))
		span = record_for((uintptr_t)chunk, nr_pages, source);
	if (span == NULL) {
		pages->unmap(pages->ctx, chunk, bytes);
		return false;
	}
	qr_runs_count.held += nr_pages;
	make_free(span, true);
	return true;
}

/* The lowest of the first runs of a list that holds nr_pages from a multiple of align;
 * *skip is how many pages lie before that. */
static struct qr_span *look(struct qr_span *span, size_t nr_pages, size_t align,
			    size_t *skip)
{
	struct qr_span *best = NULL;

	for (int i = 0; span != NULL && (i < LOOK_MAX || best == NULL);
	     span = span->next, i++) {
		uintptr_t at = (span->start + align - 1) & ~(uintptr_t)(align - 1);
		size_t before = (at - span->start) / QR_PAGE_BYTES;

		if (before + nr_pages > span->nr_pages)
			continue;
		if (best == NULL || span->start < best->start) {
			best = span;
			*skip = before;
		}
	}
	return best;
}

static struct qr_span *find(const struct run_lists *by, size_t nr_pages, size_t align,
			    size_t *skip)
{
	unsigned first = list_of(nr_pages);

	for (unsigned word = first / 64; word < NR_WORDS; word++) {
		uint64_t filled = by->filled[word];

		if (word == first / 64)
			filled &= ~(uint64_t)0 << (first % 64);
		for (; filled != 0; filled &= filled - 1) {
			unsigned list = word * 64 + (unsigned)__builtin_ctzl(filled);
			struct qr_span *span =
				look(by->head[list], nr_pages, align, skip);

			if (span != NULL)
				return span;
		}
	}
	return NULL;
}

/* Cuts [skip, skip + nr_pages) out of a free run; false without a record. */
static bool carve(struct qr_span *span, size_t skip, size_t nr_pages)
{
	size_t after = span->nr_pages - skip - nr_pages;
	struct qr_span *tail = NULL;

	if (skip != 0 && after != 0) {
		tail = record_for(run_end(span) - after * QR_PAGE_BYTES, after,
				  span->source);
		if (tail == NULL)
			return false;
	}
	size_unlink(span);
	if (tail != NULL) {
		tail->kind = QR_SPAN_FREE;
		tail->dirty = span->dirty;
		free_link(tail);
	}
	span->nr_pages = (uint32_t)(skip != 0 ? skip : after);
	if (skip == 0)
		span->start += nr_pages * QR_PAGE_BYTES;
	if (span->nr_pages == 0) {
		if (span->dirty)
			age_unlink(span);
		qr_record_free(span);
		return true;
	}
	size_link(span);
	qr_map_set(span->start, span);
	qr_map_set(run_end(span) - QR_PAGE_BYTES, span);
	return true;
}

/* A chunk of the usual size, or a small one, or, once all that is free is merged,
 * perhaps none. */
static struct qr_span *find_more(size_t nr_pages, size_t align, size_t *skip)
{
	size_t room = nr_pages + align / QR_PAGE_BYTES - 1;
	struct qr_span *span;

	if (!map_chunk(chunk_pages(room)) && !map_chunk(room))
		qr_purge_all(0);
	span = find(&lists[1], nr_pages, align, skip);
	return span != NULL ? span : find(&lists[0], nr_pages, align, skip);
}

/* The free run of a source that begins, or ends, at an address; or NULL. */
static struct qr_span *free_from(uintptr_t address, unsigned source)
{
	struct qr_span *span = qr_map_get(address);

	if (span == NULL || span->kind != QR_SPAN_FREE || span->start != address ||
	    span->source != source)
		return NULL;
	return span;
}

static struct qr_span *free_upto(uintptr_t address, unsigned source)
{
	struct qr_span *span = qr_map_get(address - QR_PAGE_BYTES);

	if (span == NULL || span->kind != QR_SPAN_FREE || run_end(span) != address ||
	    span->source != source)
		return NULL;
	return span;
}

/* Takes [start, end), which begins in the free run and ends in one behind it; returns
 * how much of it was clean. */
static size_t take_across(struct qr_span *span, uintptr_t start, uintptr_t end)
{
	size_t nr_clean = 0;

	while (start < end) {
		uintptr_t upto = run_end(span) < end ? run_end(span) : end;
		size_t nr_pages = (upto - start) / QR_PAGE_BYTES;
		struct qr_span *next = qr_map_get(upto);

		nr_clean += span->dirty ? 0 : nr_pages;
		/* Of a run a head or a tail stays, not both: that needs no record. */
		(void)carve(span, (start - span->start) / QR_PAGE_BYTES, nr_pages);
		span = next;
		start = upto;
	}
	return nr_clean;
}

/* Takes nr_pages of the run and the free ones around it, which differ in state: as much
 * as there is behind its start, and what is missing before it. */
static bool join(struct qr_span *span, size_t nr_pages, struct qr_run *run)
{
	struct qr_span *first = free_upto(span->start, span->source);
	struct qr_span *next = span;
	size_t bytes = nr_pages * QR_PAGE_BYTES;
	uintptr_t end = span->start;

	for (int i = 0; i < JOIN_MAX && next != NULL && end - span->start < bytes; i++) {
		end = run_end(next);
		next = free_from(end, span->source);
	}
	if (end - span->start >= bytes || first == NULL)
		first = span;
	if (end - first->start < bytes)
		return false;
	run->source = span->source;
	run->start = first == span ? span->start : end - bytes;
	run->zero = false;
	run->nr_clean = take_across(first, run->start, run->start + bytes);
	return true;
}

/* Tries the largest dirty runs, none of which is large enough by itself. */
static bool take_joined(size_t nr_pages, struct qr_run *run)
{
	int nr_looks = 0;

	for (unsigned word = NR_WORDS; word-- > 0;) {
		uint64_t filled = lists[1].filled[word];

		while (filled != 0) {
			unsigned bit = 63u - (unsigned)__builtin_clzl(filled);
			struct qr_span *span = lists[1].head[word * 64 + bit];

			filled &= ~((uint64_t)1 << bit);
			for (; span != NULL; span = span->next) {
				if (nr_looks++ == LOOK_MAX)
					return false;
				if (join(span, nr_pages, run))
					return true;
			}
		}
	}
	return false;
}

static bool take_from(struct qr_span *span, size_t skip, size_t nr_pages,
		      struct qr_run *run)
{
	if (span == NULL)
		return false;
	run->start = span->start + skip * QR_PAGE_BYTES;
	run->source = span->source;
	run->zero = !span->dirty;
	run->nr_clean = run->zero ? nr_pages : 0;
	return carve(span, skip, nr_pages);
}

static bool take(size_t nr_pages, size_t align, struct qr_run *run)
{
	size_t skip = 0;
	struct qr_span *span = find(&lists[1], nr_pages, align, &skip);

	if (span == NULL && align == QR_PAGE_BYTES && take_joined(nr_pages, run))
		return true;
	if (span == NULL)
		span = find(&lists[0], nr_pages, align, &skip);
	if (span == NULL)
		span = find_more(nr_pages, align, &skip);
	return take_from(span, skip, nr_pages, run);
}

bool qr_runs_take(size_t nr_pages, size_t align, struct qr_run *run)
{
	if (!take(nr_pages, align, run))
		return false;
	qr_runs_count.used += nr_pages;
	qr_purge_note_take(nr_pages, run->nr_clean);
	return true;
}

bool qr_runs_shrink(struct qr_span *span, size_t nr_pages)
{
	size_t spare = span->nr_pages - nr_pages;
	struct qr_span *tail =
		record_for(span->start + nr_pages * QR_PAGE_BYTES, spare, span->source);

	if (tail == NULL)
		return false;
	span->nr_pages = (uint32_t)nr_pages;
	qr_map_set(run_end(span) - QR_PAGE_BYTES, span);
	qr_runs_give(tail, false);
	return true;
}

bool qr_runs_grow(struct qr_span *span, size_t nr_pages)
{
	struct qr_span *after = free_from(run_end(span), span->source);
	size_t more = nr_pages - span->nr_pages;
	size_t nr_clean;

	if (after == NULL || after->nr_pages < more)
		return false;
	nr_clean = after->dirty ? 0 : more;
	(void)carve(after, 0, more);
	span->nr_pages = (uint32_t)nr_pages;
	qr_map_set(run_end(span) - QR_PAGE_BYTES, span);
	qr_runs_count.used += more;
	qr_purge_note_take(more, nr_clean);
	return true;
}

bool qr_runs_oldest_stamp(uint32_t *stamp)
{
	if (oldest == NULL)
		return false;
	*stamp = oldest->stamp;
	return true;
}

size_t qr_runs_purge_oldest(void)
{
	struct qr_span *span = oldest;
	const struct qr_heap_pages *pages;
	size_t nr_pages;
	bool zero;

	if (span == NULL)
		return 0;
	nr_pages = span->nr_pages;
	pages = qr_source_at(span->source);
	free_unlink(span);
	zero = pages->purge(pages->ctx, (void *)span->start, nr_pages * QR_PAGE_BYTES);
	make_free(span, zero);
	return zero ? nr_pages : 0;
}

static const char *check_run(const struct qr_span *span, unsigned dirty)
{
	const struct qr_span *after = qr_map_get(run_end(span));

	if (span->kind != QR_SPAN_FREE || span->dirty != dirty)
		return "H6: a free run is on a list that is not its own";
	if (qr_map_get(span->start) != span ||
	    qr_map_get(run_end(span) - QR_PAGE_BYTES) != span)
		return "H5: a free run's end does not lead to it";
	if (mergeable(after, span) && after->start == run_end(span))
		return "H6: two free runs lie side by side";
	return NULL;
}

static const char *check_lists(unsigned dirty, size_t *nr_pages)
{
	for (unsigned list = 0; list < NR_LISTS; list++) {
		const struct qr_span *span = lists[dirty].head[list];
		const char *broken = NULL;

		for (; span != NULL && broken == NULL; span = span->next) {
			broken = check_run(span, dirty);
			*nr_pages += span->nr_pages;
		}
		if (broken != NULL)
			return broken;
	}
	return NULL;
}

const char *qr_runs_validate(void)
{
	size_t clean = 0, dirty = 0;
	const char *broken = check_lists(0, &clean);

	if (broken == NULL)
		broken = check_lists(1, &dirty);
	if (broken == NULL &&
	    (clean != qr_runs_count.clean || dirty != qr_runs_count.dirty))
		broken = "H7: free pages do not add up";
	return broken;
}
