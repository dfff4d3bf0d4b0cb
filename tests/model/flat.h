/* SPDX-License-Identifier: MIT */
/* flat.h - the model: an array with one record for each page of the window.
 *
 * It is meant to be too simple to be wrong: every call is a loop over pages.  Pages are
 * named by their number in the window; an area is a run of pages that are alike.
 */
#ifndef QUIRE_TESTS_MODEL_FLAT_H
#define QUIRE_TESTS_MODEL_FLAT_H

#include "quire/machine.h"

enum flat_kind { FLAT_FREE, FLAT_OURS, FLAT_FOREIGN };

struct flat_page {
	uint8_t kind; /* enum flat_kind */
	uint8_t prot;
	uint8_t reading; /* 0 normal, 1 random, 2 sequential */
	bool locked;
	bool stays;	      /* was accessed while locked: has to be resident */
	bool may_be_zero;     /* QUIRE_ADVICE_FREE: zeros are as good as the bytes */
	unsigned char *bytes; /* NULL: zeros */
};

struct flat {
	uint64_t base;
	uint32_t nr_pages;
	struct flat_page *pages;
};

void flat_init(struct flat *flat, uint64_t base, uint32_t nr_pages);
void flat_destroy(struct flat *flat);

static inline quire_vaddr flat_va(const struct flat *flat, uint32_t page)
{
	return (quire_vaddr){flat->base + ((uint64_t)page << QUIRE_PAGE_SHIFT)};
}

static inline uint32_t flat_number(const struct flat *flat, quire_vaddr va)
{
	return (uint32_t)((va.a - flat->base) >> QUIRE_PAGE_SHIFT);
}

/* Every page of the range is of that kind. */
bool flat_is_all(const struct flat *flat, uint32_t first, uint32_t nr,
		 enum flat_kind kind);
bool flat_has_locked(const struct flat *flat, uint32_t first, uint32_t nr);
/* The range lies in one area. */
bool flat_is_one_area(const struct flat *flat, uint32_t first, uint32_t nr);
/* Whether nr free pages stand somewhere, the first a multiple of align. */
bool flat_has_gap(const struct flat *flat, uint32_t nr, uint64_t align);
uint32_t flat_count(const struct flat *flat, enum flat_kind kind, bool locked_only);

/* The range becomes like that: new, without contents. */
void flat_set(struct flat *flat, uint32_t first, uint32_t nr, struct flat_page like);
/* The contents go. */
void flat_clear(struct flat *flat, uint32_t first, uint32_t nr);
/* Contents, and what they have of history, go from one range to another. */
void flat_move(struct flat *flat, uint32_t from, uint32_t to, uint32_t nr);
/* The bytes of a page, made where there are none. */
unsigned char *flat_bytes(struct flat *flat, uint32_t page);

#endif
