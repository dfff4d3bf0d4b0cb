/* SPDX-License-Identifier: MIT */
/* object.h - memory that several areas show: pages by their place in it.
 *
 * Model.  An object is a radix tree from page numbers to frames or swap slots, kept in
 * tables of the same format as a processor's.  It lives as long as an area shows it; that
 * of a file (cache.h) as long as the file.
 *
 * Invariants.
 *   O1  an entry that is present names a MAPPED frame whose owner is this object and
 *       place, and the object counts as one that names it.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_FILES_OBJECT_H
#define QUIRE_CORE_FILES_OBJECT_H

#include "core/files/ahead.h"
#include "core/objects/pool.h"
#include "core/paging/tables.h"
#include "core/swap/swap.h"

struct quire_object {
	struct quire_tables tables;
	uint64_t nr_pages; /* its length */
	uint64_t nr_resident, nr_swapped;
	uint32_t nr_areas;     /* that show it */
	uint32_t huge_marks;   /* of areas with HUGETLB: theirs; else 0 */
	uint32_t file;	       /* whose pages they are, 0: shared memory without a name */
	struct qr_ahead ahead; /* what is swapped in, of memory */
	bool is_charged;       /* its length is in Committed_AS */
	bool charges_pages;    /* or those that it has, one by one */
	bool has_store; /* of the file: its pages are clean or dirty, and never in swap */
};

/* NULL where a record or a frame is lacking; nr_areas is 0. */
struct quire_object *qr_object_new(struct quire_pool *pool, struct quire_zone *zone,
				   uint64_t nr_pages, uint32_t *number);
/* Gives back the empty object. */
void qr_object_free(struct quire_pool *pool, uint32_t number);

static inline struct quire_object *qr_object_at(const struct quire_pool *pool,
						uint32_t number)
{
	return qr_pool_at(pool, number);
}

/* What is at place index; empty where nothing is. */
quire_entry qr_object_get(const struct quire_object *object, uint64_t index);
/* Puts e there; false where a table is lacking, which cannot be where there was an entry
 * before. */
bool qr_object_set(struct quire_object *object, uint64_t index, quire_entry e);

#endif
