/* SPDX-License-Identifier: MIT */
/* area.h - the areas of an address space, in order of address.
 *
 * Model.  An area is a range of addresses with one protection and one set of marks.
 * Areas do not overlap.  They are the nodes of an AVL tree ordered by address; each node
 * keeps the widest gap in its subtree, where the gap of an area is the unused space
 * between its predecessor's end (or the floor) and its own start, so that the lowest gap
 * that is wide enough is found in one descent.
 *
 * Invariants.
 *   A1  areas are in order and do not overlap, nor leave [floor, ceiling);
 *   A2  heights differ by at most one between siblings (Adelson-Velsky, Landis 1962);
 *   A3  gap and widest are right in every node;
 *   A4  two areas that touch differ in protection or marks.
 *
 * Locking.  The machine's lock.
 * Cost.  O(log n) each; 80 bytes an area.
 */
#ifndef QUIRE_CORE_SPACE_AREA_H
#define QUIRE_CORE_SPACE_AREA_H

#include "core/files/ahead.h"
#include "core/objects/pool.h"

/* Marks of an area. */
#define QUIRE_AREA_LOCKED     1u /* its pages stay in */
#define QUIRE_AREA_FOREIGN    2u /* the ground backs it; the core never looks inside */
#define QUIRE_AREA_RANDOM     4u /* no reading ahead */
#define QUIRE_AREA_SEQUENTIAL 8u /* read far ahead */

/* Marks of the areas of a process, see mm.h. */
#define QUIRE_AREA_SHARED     0x10u  /* writes reach the object */
#define QUIRE_AREA_GROWSDOWN  0x20u  /* a stack */
#define QUIRE_AREA_NORESERVE  0x40u  /* its pages are not charged */
#define QUIRE_AREA_CHARGED    0x80u  /* its pages are in Committed_AS */
#define QUIRE_AREA_DONTFORK   0x100u /* a child does not get it */
#define QUIRE_AREA_DONTDUMP   0x200u
#define QUIRE_AREA_WIPEONFORK 0x400u /* a child gets it empty */
#define QUIRE_AREA_HUGE	      0x800u /* huge pages are welcome */
#define QUIRE_AREA_NOHUGE     0x1000u
#define QUIRE_AREA_ONFAULT    0x2000u	 /* LOCKED, but not brought in */
#define QUIRE_AREA_HUGETLB    0x4000u	 /* pages of 2 MiB from the pool */
#define QUIRE_AREA_READONLY   0x10000u	 /* a shared file that is only read */
#define QUIRE_AREA_HUGE_1G    0x1000000u /* HUGETLB with pages of 1 GiB */
#define QUIRE_AREA_PROMISED   0x2000000u /* each page not there is reserved in the pool */
#define QUIRE_AREA_BEREFT     0x4000000u /* a page was taken away: bus error */
/* Not a property: it came by fork and has pages in common with the parent's. */
#define QUIRE_AREA_FORKED 0x80000000u

struct quire_area {
	uint64_t start, end;
	uint64_t gap;	 /* unused bytes right below start */
	uint64_t widest; /* largest gap in the subtree */
	struct quire_area *left, *right;
	/* Of the areas of a process: the page of the object that start shows, or where the
	 * area was, in pages, when its first page came; whose anonymous pages it may
	 * have in common, 0 none yet; the object, 0 none. */
	uint64_t offset;
	uint32_t anon, object;
	uint32_t marks;
	uint32_t number; /* in the pool */
	uint8_t height;
	uint8_t prot;
	struct qr_ahead ahead; /* of a process: what is swapped in */
};

/* The most records that one call needs. */
#define QUIRE_SPARE_AREAS 4u

struct quire_areas {
	struct quire_pool pool;
	struct quire_area *root;
	struct quire_area *recent; /* the last one found, or NULL */
	uint64_t floor, ceiling;
	/* Records that are taken already, so that a call cannot fail half way. */
	uint32_t spare[QUIRE_SPARE_AREAS];
	uint32_t nr_spare;
};

void qr_areas_init(struct quire_areas *areas, struct quire_zone *zone, uint64_t floor,
		   uint64_t ceiling);
void qr_areas_destroy(struct quire_areas *areas);

/* The area that holds va, or NULL. */
struct quire_area *qr_areas_find(struct quire_areas *areas, uint64_t va);
/* The first area that ends above va, or NULL. */
struct quire_area *qr_areas_first(struct quire_areas *areas, uint64_t va);
/* The last area that starts below va, or NULL. */
struct quire_area *qr_areas_last(struct quire_areas *areas, uint64_t va);
/* True when no area has an address of [start, end). */
bool qr_areas_are_free(struct quire_areas *areas, uint64_t start, uint64_t end);
/* The lowest start of bytes free bytes, a multiple of align, or 0. */
uint64_t qr_areas_gap(const struct quire_areas *areas, uint64_t bytes, uint64_t align);

/* The highest start of bytes free bytes within [low, high), or 0; *above is the area
 * behind them, NULL where there is none. */
uint64_t qr_areas_gap_below(struct quire_areas *areas, uint64_t low, uint64_t high,
			    uint64_t bytes, struct quire_area **above);

/* Records that a call of split, insert and the like may need: false when they cannot be
 * had.  Afterwards up to nr, 0..QUIRE_SPARE_AREAS, of them do not fail.  flags as
 * qr_zone_alloc. */
bool qr_areas_reserve(struct quire_areas *areas, uint32_t nr, uint32_t flags);
/* Gives back those that were not needed. */
void qr_areas_unreserve(struct quire_areas *areas);
/* A record for a new area, of those that are reserved; and one that is needed no more. */
struct quire_area *qr_areas_take(struct quire_areas *areas);
void qr_areas_give(struct quire_areas *areas, struct quire_area *a);
static inline uint32_t qr_areas_count(const struct quire_areas *areas)
{
	return areas->pool.nr_used - areas->nr_spare;
}

/* A new area; the range is free and a record is reserved.  Merges with neighbours that
 * are alike. */
void qr_areas_insert(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks);
/* Takes [start, end) out of all areas, splitting those it cuts; needs one record. */
void qr_areas_remove(struct quire_areas *areas, uint64_t start, uint64_t end);
/* Sets protection and marks of the part of the one area that lies in [start, end);
 * needs three records.  Merges. */
void qr_areas_change(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks);
const char *qr_areas_validate(struct quire_areas *areas);
/* A1 to A3: where who is merged with whom is decided by others. */
const char *qr_areas_validate_tree(struct quire_areas *areas);

#endif
