/* SPDX-License-Identifier: MIT */
/* tables.c - the walker: four or five levels of radix tree over frames. */
#include "core/paging/tables.h"

#include "core/base/assert.h"

/* Entries of upper tables grant everything; the leaf's entry decides. */
#define UPPER_FLAGS (QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_ACCESSED)

static quire_entry *table_at(const struct quire_tables *tables, quire_pfn table)
{
	return qr_zone_address(tables->zone, table);
}

static uint32_t level_shift(uint32_t level)
{
	return QUIRE_PAGE_SHIFT + QUIRE_TABLE_SHIFT * level;
}

static uint32_t level_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> level_shift(level)) & (QUIRE_TABLE_ENTRIES - 1);
}

static void set(const struct quire_tables *tables, quire_pfn table, uint32_t index,
		quire_entry entry)
{
	quire_entry *at = table_at(tables, table) + index;
	struct quire_frame *frame = qr_zone_frame(tables->zone, table);
	int change = !qr_entry_is_empty(entry) - !qr_entry_is_empty(*at);

	frame->nr_entries = (uint16_t)(frame->nr_entries + change);
	*at = entry;
}

void qr_leaf_set(const struct quire_tables *tables, const struct qr_leaf *leaf,
		 uint32_t index, quire_entry entry)
{
	set(tables, leaf->table, index, entry);
}

static bool alloc_table(struct quire_tables *tables, uint32_t flags, quire_pfn *out)
{
	if (!qr_zone_alloc(tables->zone, QUIRE_FRAME_TABLE, flags | QUIRE_ALLOC_ZERO,
			   out))
		return false;
	tables->nr_tables++;
	qr_zone_frame(tables->zone, *out)->nr_entries = 0;
	return true;
}

bool qr_tables_init(struct quire_tables *tables, struct quire_zone *zone)
{
	return qr_tables_init_levels(tables, zone, QUIRE_TABLE_LEVELS);
}

bool qr_tables_init_levels(struct quire_tables *tables, struct quire_zone *zone,
			   uint32_t levels)
{
	tables->zone = zone;
	tables->nr_tables = 0;
	tables->levels = levels;
	return alloc_table(tables, QUIRE_ALLOC_RESERVE, &tables->root);
}

void qr_tables_destroy(struct quire_tables *tables)
{
	QUIRE_ASSERT(qr_zone_frame(tables->zone, tables->root)->nr_entries == 0);
	qr_zone_free(tables->zone, tables->root);
}

static void leaf_fill(const struct quire_tables *tables, quire_pfn table, uint64_t va,
		      struct qr_leaf *out)
{
	out->table = table;
	out->entries = table_at(tables, table);
	out->base = va & ~(QUIRE_LEAF_BYTES - 1);
}

bool qr_tables_leaf(const struct quire_tables *tables, quire_vaddr va,
		    struct qr_leaf *out)
{
	quire_pfn table = tables->root;

	for (uint32_t level = tables->levels - 1; level > 0; level--) {
		quire_entry e = table_at(tables, table)[level_index(va.a, level)];

		if (!qr_entry_is_present(e))
			return false;
		table = qr_entry_pfn(e);
	}
	leaf_fill(tables, table, va.a, out);
	return true;
}

bool qr_tables_make_leaf(struct quire_tables *tables, quire_vaddr va, uint32_t flags,
			 struct qr_leaf *out)
{
	quire_pfn table = tables->root;

	for (uint32_t level = tables->levels - 1; level > 0; level--) {
		uint32_t index = level_index(va.a, level);
		quire_entry e = table_at(tables, table)[index];
		quire_pfn next = qr_entry_pfn(e);

		if (!qr_entry_is_present(e)) {
			if (!alloc_table(tables, flags, &next)) {
				qr_tables_prune(tables, va);
				return false;
			}
			set(tables, table, index, qr_entry_present(next, UPPER_FLAGS));
		}
		table = next;
	}
	leaf_fill(tables, table, va.a, out);
	return true;
}

/* The first address at or above va whose table of this level might exist. */
static uint64_t skip(uint64_t va, uint32_t level)
{
	uint64_t span = 1ull << level_shift(level);

	return (va & ~(span - 1)) + span;
}

bool qr_tables_next_leaf(const struct quire_tables *tables, struct quire_range range,
			 struct qr_leaf *out)
{
	uint64_t va = range.start.a;

	while (va < range.end.a) {
		quire_pfn table = tables->root;
		uint32_t level = tables->levels - 1;

		for (; level > 0; level--) {
			quire_entry e = table_at(tables, table)[level_index(va, level)];

			if (!qr_entry_is_present(e))
				break;
			table = qr_entry_pfn(e);
		}
		if (level == 0) {
			leaf_fill(tables, table, va, out);
			return true;
		}
		va = skip(va, level);
	}
	return false;
}

void qr_tables_prune(struct quire_tables *tables, quire_vaddr va)
{
	quire_pfn path[QUIRE_LEVELS_MAX];
	uint32_t level = tables->levels - 1;

	if ((va.a | (QUIRE_LEAF_BYTES - 1)) >= tables->kept.start.a &&
	    (va.a & ~(QUIRE_LEAF_BYTES - 1)) < tables->kept.end.a)
		return;
	path[level] = tables->root;
	for (; level > 0; level--) {
		quire_entry e = table_at(tables, path[level])[level_index(va.a, level)];

		if (!qr_entry_is_present(e))
			break;
		path[level - 1] = qr_entry_pfn(e);
	}
	for (; level < tables->levels - 1; level++) {
		if (qr_zone_frame(tables->zone, path[level])->nr_entries != 0)
			return;
		set(tables, path[level + 1], level_index(va.a, level + 1),
		    (quire_entry){0});
		qr_zone_free(tables->zone, path[level]);
		tables->nr_tables--;
	}
}
