/* SPDX-License-Identifier: MIT */
/* shadow.c - the bytes of mapped pages, keyed by page, on a ground that copies.
 *
 * Each page is an allocation of its own, so that a memory checker sees an access to a
 * page that was taken away.
 */
#include "ports/soft/parts.h"

#include <stdlib.h>
#include <string.h>

bool qr_soft_shadow_init(struct qr_soft_shadow *shadow, uint32_t nr_frames)
{
	uint32_t nr = 64;

	while (nr < nr_frames)
		nr *= 2;
	shadow->nr_buckets = nr;
	shadow->nr_pages = 0;
	shadow->buckets = calloc(nr, sizeof(struct qr_soft_shadow_page *));
	return shadow->buckets != NULL;
}

void qr_soft_shadow_destroy(struct qr_soft_shadow *shadow)
{
	for (uint32_t i = 0; i < shadow->nr_buckets; i++)
		qr_soft_shadow_bury(shadow->buckets[i]);
	free(shadow->buckets);
}

static struct qr_soft_shadow_page **bucket_of(struct qr_soft_shadow *shadow,
					      uint64_t page)
{
	uint64_t mixed = (page >> QUIRE_PAGE_SHIFT) * 0x9e3779b97f4a7c15ull;

	return &shadow->buckets[mixed >> 40 & (shadow->nr_buckets - 1)];
}

struct qr_soft_shadow_page *qr_soft_shadow_find(struct qr_soft_shadow *shadow,
						uint64_t page)
{
	struct qr_soft_shadow_page *at = *bucket_of(shadow, page);

	while (at != NULL && at->page != page)
		at = at->next;
	return at;
}

void qr_soft_shadow_add(struct qr_soft *soft, uint64_t page, const void *src,
			bool protected)
{
	struct qr_soft_shadow_page **bucket = bucket_of(&soft->shadow, page);
	struct qr_soft_shadow_page *new = malloc(sizeof(*new));

	if (new == NULL)
		qr_soft_panic(soft, "the host has no memory for the shadow");
	if (++soft->shadow.nr_pages > soft->config.nr_frames)
		qr_soft_panic(soft, "more pages are mapped than there are frames");
	new->page = page;
	new->protected = protected;
	new->next = *bucket;
	if (src == NULL)
		memset(new->bytes, 0, QUIRE_PAGE_BYTES);
	else
		memcpy(new->bytes, src, QUIRE_PAGE_BYTES);
	*bucket = new;
}

/* Takes the pages of one bucket's list that lie in the run. */
static void take_from(struct qr_soft_shadow *shadow, struct qr_soft_shadow_page **link,
		      struct quire_run run, qr_soft_keep_fn *keep, void *ctx,
		      struct qr_soft_shadow_page **dead)
{
	while (*link != NULL) {
		struct qr_soft_shadow_page *page = *link;

		if (!qr_soft_run_has(run, page->page) ||
		    (keep != NULL && keep(ctx, page->page))) {
			link = &page->next;
			continue;
		}
		*link = page->next;
		page->next = *dead;
		*dead = page;
		shadow->nr_pages--;
	}
}

void qr_soft_shadow_take(struct qr_soft_shadow *shadow, struct quire_run run,
			 qr_soft_keep_fn *keep, void *ctx,
			 struct qr_soft_shadow_page **dead)
{
	struct quire_run one = {run.start, 1};

	if (run.nr >= shadow->nr_buckets) {
		for (uint32_t i = 0; i < shadow->nr_buckets; i++)
			take_from(shadow, &shadow->buckets[i], run, keep, ctx, dead);
		return;
	}
	for (uint64_t i = 0; i < run.nr; i++) {
		one.start.a = run.start.a + (i << QUIRE_PAGE_SHIFT);
		take_from(shadow, bucket_of(shadow, one.start.a), one, keep, ctx, dead);
	}
}

void qr_soft_shadow_bury(struct qr_soft_shadow_page *dead)
{
	while (dead != NULL) {
		struct qr_soft_shadow_page *next = dead->next;

		free(dead);
		dead = next;
	}
}

void qr_soft_shadow_protect(struct qr_soft_shadow *shadow, struct quire_run run, bool on)
{
	for (uint32_t i = 0; i < shadow->nr_buckets && run.nr >= shadow->nr_buckets; i++)
		for (struct qr_soft_shadow_page *at = shadow->buckets[i]; at != NULL;
		     at = at->next)
			if (qr_soft_run_has(run, at->page))
				at->protected = on;
	for (uint64_t i = 0; i < run.nr && run.nr < shadow->nr_buckets; i++) {
		uint64_t page = run.start.a + (i << QUIRE_PAGE_SHIFT);
		struct qr_soft_shadow_page *at = qr_soft_shadow_find(shadow, page);

		if (at != NULL)
			at->protected = on;
	}
}
