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
 * Cost.  O(log n) each; 48 bytes an area.
 */
#ifndef QUIRE_CORE_SPACE_AREA_H
#define QUIRE_CORE_SPACE_AREA_H

#include "core/objects/pool.h"

/* Marks of an area. */
#define QUIRE_AREA_LOCKED     1u /* its pages stay in */
#define QUIRE_AREA_FOREIGN    2u /* the ground backs it; the core never looks inside */
#define QUIRE_AREA_RANDOM     4u /* no reading ahead */
#define QUIRE_AREA_SEQUENTIAL 8u /* read far ahead */

struct quire_area {
	uint64_t start, end;
	uint64_t gap;	 /* unused bytes right below start */
	uint64_t widest; /* largest gap in the subtree */
	uint32_t left, right;
	uint8_t height;
	uint8_t prot;
	uint16_t marks;
	uint32_t unused;
};

struct quire_areas {
	struct quire_pool pool;
	uint32_t root;
	uint32_t recent; /* the last one found, or 0 */
	uint64_t floor, ceiling;
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

/* Records that a call of split, insert and the like may need: false when they cannot be
 * had.  Afterwards up to nr of them do not fail.  flags as qr_zone_alloc. */
bool qr_areas_reserve(struct quire_areas *areas, uint32_t nr, uint32_t flags);
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

#endif
