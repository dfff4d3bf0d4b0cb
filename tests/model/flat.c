/* SPDX-License-Identifier: MIT */
/* flat.c - the naive model of an address space. */
#include "tests/model/flat.h"

#include <stdlib.h>

void flat_init(struct flat *flat, uint64_t base, uint32_t nr_pages)
{
	*flat = (struct flat){.base = base, .nr_pages = nr_pages};
	flat->pages = calloc(nr_pages, sizeof(*flat->pages));
	if (flat->pages == NULL)
		abort();
}

void flat_destroy(struct flat *flat)
{
	flat_clear(flat, 0, flat->nr_pages);
	free(flat->pages);
}

bool flat_is_all(const struct flat *flat, uint32_t first, uint32_t nr,
		 enum flat_kind kind)
{
	for (uint32_t i = first; i < first + nr; i++)
		if (flat->pages[i].kind != kind)
			return false;
	return true;
}

bool flat_has_locked(const struct flat *flat, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++)
		if (flat->pages[i].locked)
			return true;
	return false;
}

bool flat_is_one_area(const struct flat *flat, uint32_t first, uint32_t nr)
{
	const struct flat_page *a = &flat->pages[first];

	for (uint32_t i = first; i < first + nr; i++) {
		const struct flat_page *b = &flat->pages[i];

		if (b->kind != FLAT_OURS || b->prot != a->prot ||
		    b->reading != a->reading || b->locked != a->locked)
			return false;
	}
	return true;
}

bool flat_has_gap(const struct flat *flat, uint32_t nr, uint64_t align)
{
	for (uint32_t i = 0; i + nr <= flat->nr_pages; i++)
		if (flat_va(flat, i).a % align == 0 &&
		    flat_is_all(flat, i, nr, FLAT_FREE))
			return true;
	return false;
}

uint32_t flat_count(const struct flat *flat, enum flat_kind kind, bool locked_only)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < flat->nr_pages; i++)
		nr += flat->pages[i].kind == kind &&
		      (!locked_only || flat->pages[i].locked);
	return nr;
}

void flat_clear(struct flat *flat, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++) {
		struct flat_page *page = &flat->pages[i];

		free(page->bytes);
		page->bytes = NULL;
		page->stays = page->may_be_zero = false;
	}
}

void flat_set(struct flat *flat, uint32_t first, uint32_t nr, struct flat_page like)
{
	flat_clear(flat, first, nr);
	for (uint32_t i = first; i < first + nr; i++)
		flat->pages[i] = like;
}

void flat_move(struct flat *flat, uint32_t from, uint32_t to, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct flat_page *a = &flat->pages[from + i], *b = &flat->pages[to + i];

		b->bytes = a->bytes;
		b->stays = a->stays;
		b->may_be_zero = a->may_be_zero;
		a->bytes = NULL;
		a->stays = a->may_be_zero = false;
	}
}

unsigned char *flat_bytes(struct flat *flat, uint32_t page)
{
	struct flat_page *at = &flat->pages[page];

	if (at->bytes == NULL)
		at->bytes = calloc(1, QUIRE_PAGE_BYTES);
	if (at->bytes == NULL)
		abort();
	return at->bytes;
}
