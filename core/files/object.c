/* SPDX-License-Identifier: MIT */
/* object.c - the radix tree of an object. */
#include "core/files/object.h"

#include "core/base/assert.h"

static quire_vaddr place(uint64_t index)
{
	return (quire_vaddr){index << QUIRE_PAGE_SHIFT};
}

struct quire_object *qr_object_new(struct quire_pool *pool, struct quire_zone *zone,
				   uint64_t nr_pages, uint32_t *number)
{
	struct quire_object *object;

	*number = qr_pool_alloc(pool, 0);
	if (*number == 0)
		return NULL;
	object = qr_object_at(pool, *number);
	*object = (struct quire_object){.nr_pages = nr_pages};
	if (qr_tables_init(&object->tables, zone))
		return object;
	qr_pool_free(pool, *number);
	return NULL;
}

void qr_object_free(struct quire_pool *pool, uint32_t number)
{
	struct quire_object *object = qr_object_at(pool, number);

	QUIRE_ASSERT(object->nr_resident == 0 && object->nr_swapped == 0);
	qr_tables_destroy(&object->tables);
	qr_pool_free(pool, number);
}

quire_entry qr_object_get(const struct quire_object *object, uint64_t index)
{
	struct qr_leaf leaf;

	if (!qr_tables_leaf(&object->tables, place(index), &leaf))
		return (quire_entry){0};
	return leaf.entries[qr_leaf_index(place(index))];
}

bool qr_object_set(struct quire_object *object, uint64_t index, quire_entry e)
{
	struct qr_leaf leaf;
	quire_entry old;

	if (!qr_tables_make_leaf(&object->tables, place(index), 0, &leaf))
		return false;
	old = leaf.entries[qr_leaf_index(place(index))];
	object->nr_resident += qr_entry_is_present(e);
	object->nr_resident -= qr_entry_is_present(old);
	object->nr_swapped += qr_entry_is_swapped(e);
	object->nr_swapped -= qr_entry_is_swapped(old);
	qr_leaf_set(&object->tables, &leaf, qr_leaf_index(place(index)), e);
	if (qr_entry_is_empty(e))
		qr_tables_prune(&object->tables, place(index));
	return true;
}
