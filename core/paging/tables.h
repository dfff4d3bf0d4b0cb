/* SPDX-License-Identifier: MIT */
/* tables.h - page tables of four or five levels, made on demand and given back when empty.
 *
 * Model.  A *leaf* is a table of the lowest level: 512 entries, 2 MiB of addresses.  All
 * work on entries goes leaf by leaf.  nr_entries in a table's frame record counts its
 * entries that are not empty.  In place of a leaf, or of a table of the level above, an
 * entry may name a *large* page: 2 MiB or 1 GiB.  Leaves and large pages are looked for
 * apart, since what is done with them differs.
 *
 * Invariants.
 *   T1  nr_entries of every table is right;
 *   T2  no table but the root is empty outside a call that holds the lock.
 *
 * Locking.  The machine's lock.  A leaf with a BUSY entry is not empty, so it stays while
 * the lock is let go.
 */
#ifndef QUIRE_CORE_PAGING_TABLES_H
#define QUIRE_CORE_PAGING_TABLES_H

#include "core/frames/zone.h"
#include "core/paging/entry.h"

#define QUIRE_TABLE_SHIFT   9
#define QUIRE_TABLE_ENTRIES (1u << QUIRE_TABLE_SHIFT)
#define QUIRE_TABLE_LEVELS  4 /* where nothing else is said */
#define QUIRE_LEVELS_MAX    5
#define QUIRE_LEAF_SHIFT    (QUIRE_PAGE_SHIFT + QUIRE_TABLE_SHIFT)
#define QUIRE_LEAF_BYTES    (1ull << QUIRE_LEAF_SHIFT)

struct quire_tables {
	struct quire_zone *zone;
	quire_pfn root;
	uint32_t levels;    /* 4 or 5 */
	uint32_t nr_tables; /* the root and spare ones included */
	/* Tables of these addresses stay, empty or not: a move will need them. */
	struct quire_range kept;
};

struct qr_leaf {
	quire_entry *entries;
	quire_pfn table;
	uint64_t base; /* the address of entry 0 */
};

/* The entry of a large page. */
struct qr_large {
	quire_entry *entry;
	quire_pfn table; /* that has the entry */
	uint32_t level;	 /* 1: 2 MiB, 2: 1 GiB */
	uint64_t base, bytes;
};

bool qr_tables_init(struct quire_tables *tables, struct quire_zone *zone);
/* The same with 4 or 5 levels: addresses of 48 or 57 bits. */
bool qr_tables_init_levels(struct quire_tables *tables, struct quire_zone *zone,
			   uint32_t levels);
/* Gives the root back; every leaf is gone by now. */
void qr_tables_destroy(struct quire_tables *tables);

/* The leaf that covers va; false when there is none, be it for a large page. */
bool qr_tables_leaf(const struct quire_tables *tables, quire_vaddr va,
		    struct qr_leaf *out);
/* The same, made where it is missing; false when a frame is lacking.  flags as
 * qr_zone_alloc.  The caller puts an entry in, or prunes. */
bool qr_tables_make_leaf(struct quire_tables *tables, quire_vaddr va, uint32_t flags,
			 struct qr_leaf *out);
/* The first leaf that covers an address of range; false when there is none. */
bool qr_tables_next_leaf(const struct quire_tables *tables, struct quire_range range,
			 struct qr_leaf *out);
/* Gives back the leaf that covers va, and the tables above it, where they are empty. */
void qr_tables_prune(struct quire_tables *tables, quire_vaddr va);

/* The large page that covers va; false when there is none. */
bool qr_tables_large(const struct quire_tables *tables, quire_vaddr va,
		     struct qr_large *out);
/* The first large page that covers an address of range; false when there is none. */
bool qr_tables_next_large(const struct quire_tables *tables, struct quire_range range,
			  struct qr_large *out);
/* The place for a page of that level at va; as qr_tables_make_leaf().  What is there is
 * empty, a large page or, with level 1, a leaf's table. */
bool qr_tables_make_large(struct quire_tables *tables, quire_vaddr va, uint32_t level,
			  uint32_t flags, struct qr_large *out);
/* Sets the entry and keeps the count; the second puts a table there. */
void qr_large_set(const struct quire_tables *tables, const struct qr_large *large,
		  quire_entry entry);
void qr_large_set_table(const struct quire_tables *tables, const struct qr_large *large,
			quire_pfn table);
/* An empty table that is not in the tree, counted with them; and back. */
bool qr_tables_take_spare(struct quire_tables *tables, uint32_t flags, quire_pfn *out);
void qr_tables_give_spare(struct quire_tables *tables, quire_pfn table);

static inline uint32_t qr_leaf_index(quire_vaddr va)
{
	return (uint32_t)(va.a >> QUIRE_PAGE_SHIFT) & (QUIRE_TABLE_ENTRIES - 1);
}

static inline quire_vaddr qr_leaf_address(const struct qr_leaf *leaf, uint32_t index)
{
	return (quire_vaddr){leaf->base + ((uint64_t)index << QUIRE_PAGE_SHIFT)};
}

/* Sets an entry and keeps the count. */
void qr_leaf_set(const struct quire_tables *tables, const struct qr_leaf *leaf,
		 uint32_t index, quire_entry entry);

#endif
