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

		if (!qr_entry_is_table(e))
			return false;
		table = qr_entry_pfn(e);
	}
	leaf_fill(tables, table, va.a, out);
	return true;
}

/* The table of that level on va's way, made where it is missing. */
static bool make_table(struct quire_tables *tables, uint64_t va, uint32_t lowest,
		       uint32_t flags, quire_pfn *out)
{
	quire_pfn table = tables->root;

	for (uint32_t level = tables->levels - 1; level > lowest; level--) {
		uint32_t index = level_index(va, level);
		quire_entry e = table_at(tables, table)[index];
		quire_pfn next = qr_entry_pfn(e);

		if (!qr_entry_is_table(e)) {
			QUIRE_ASSERT(qr_entry_is_empty(e));
			if (!alloc_table(tables, flags, &next)) {
				qr_tables_prune(tables, (quire_vaddr){va});
				return false;
			}
			set(tables, table, index, qr_entry_present(next, UPPER_FLAGS));
		}
		table = next;
	}
	*out = table;
	return true;
}

bool qr_tables_make_leaf(struct quire_tables *tables, quire_vaddr va, uint32_t flags,
			 struct qr_leaf *out)
{
	quire_pfn table;

	if (qr_tables_leaf(tables, va, out))
		return true;
	if (!make_table(tables, va.a, 0, flags, &table))
		return false;
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

			if (!qr_entry_is_table(e))
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

		if (!qr_entry_is_table(e))
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

static void large_fill(const struct quire_tables *tables, quire_pfn table, uint64_t va,
		       uint32_t level, struct qr_large *out)
{
	out->entry = table_at(tables, table) + level_index(va, level);
	out->table = table;
	out->level = level;
	out->bytes = 1ull << level_shift(level);
	out->base = va & ~(out->bytes - 1);
}

/* The large page at va, or *level is where the way down ends. */
static bool find_large(const struct quire_tables *tables, uint64_t va, uint32_t *level,
		       struct qr_large *out)
{
	quire_pfn table = tables->root;

	for (*level = tables->levels - 1; *level > 0; --*level) {
		quire_entry e = table_at(tables, table)[level_index(va, *level)];

		if (qr_entry_is_large(e)) {
			large_fill(tables, table, va, *level, out);
			return true;
		}
		if (!qr_entry_is_present(e))
			return false;
		table = qr_entry_pfn(e);
	}
	return false;
}

bool qr_tables_large(const struct quire_tables *tables, quire_vaddr va,
		     struct qr_large *out)
{
	uint32_t level;

	return find_large(tables, va.a, &level, out);
}

bool qr_tables_next_large(const struct quire_tables *tables, struct quire_range range,
			  struct qr_large *out)
{
	uint64_t va = range.start.a;
	uint32_t level;

	while (va < range.end.a) {
		if (find_large(tables, va, &level, out))
			return true;
		va = skip(va, level > 0 ? level : 1);
	}
	return false;
}

bool qr_tables_make_large(struct quire_tables *tables, quire_vaddr va, uint32_t level,
			  uint32_t flags, struct qr_large *out)
{
	quire_pfn table;

	if (!make_table(tables, va.a, level, flags, &table))
		return false;
	large_fill(tables, table, va.a, level, out);
	return true;
}

void qr_large_set(const struct quire_tables *tables, const struct qr_large *large,
		  quire_entry entry)
{
	set(tables, large->table, level_index(large->base, large->level), entry);
}

void qr_large_set_table(const struct quire_tables *tables, const struct qr_large *large,
			quire_pfn table)
{
	qr_large_set(tables, large, qr_entry_present(table, UPPER_FLAGS));
}

bool qr_tables_take_spare(struct quire_tables *tables, uint32_t flags, quire_pfn *out)
{
	return alloc_table(tables, flags, out);
}

void qr_tables_give_spare(struct quire_tables *tables, quire_pfn table)
{
	QUIRE_ASSERT(qr_zone_frame(tables->zone, table)->nr_entries == 0);
	qr_zone_free(tables->zone, table);
	tables->nr_tables--;
}
