/* SPDX-License-Identifier: MIT */
/* file.c - files made, cut and let go. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/files/cache.h"

void qr_page_cache_init(struct quire_page_cache *cache, struct quire_zone *zone,
			struct quire_pool *objects)
{
	cache->zone = zone;
	cache->objects = objects;
	qr_pool_init(&cache->files, zone, sizeof(struct quire_file));
}

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT;
}

struct quire_file *qr_file_new(struct quire_page_cache *cache,
			       const struct quire_file_config *config)
{
	uint32_t number = qr_pool_alloc(&cache->files, 0), object_number;
	struct quire_object *object;
	struct quire_file *file;

	_Static_assert(sizeof(*file) <= 512 && sizeof(*file) % 4 == 0,
		       "a record of a pool");
	if (number == 0)
		return NULL;
	object = qr_object_new(cache->objects, cache->zone, pages_of(config->bytes),
			       &object_number);
	if (object != NULL && object_number > QUIRE_PAGE_OWNERS) {
		qr_object_free(cache->objects, object_number);
		object = NULL;
	}
	if (object == NULL) {
		qr_pool_free(&cache->files, number);
		return NULL;
	}
	object->file = number;
	object->has_store = config->ops != NULL;
	file = qr_file_at(cache, number);
	*file = (struct quire_file){
		.cache = cache,
		.config = *config,
		.bytes = config->bytes,
		.number = number,
		.object = object_number,
		.life = ++cache->next_life,
		.is_open = true,
	};
	if (config->inode == 0)
		file->config.inode = ++cache->next_inode;
	return file;
}

bool qr_file_is_unused(const struct quire_file *file)
{
	return !file->is_open && file->nr_dirty == 0 &&
	       qr_file_object(file)->nr_areas == 0;
}

void qr_file_free(struct quire_file *file)
{
	struct quire_page_cache *cache = file->cache;
	const struct quire_file_config config = file->config;

	qr_file_cut(file, 0);
	qr_object_free(cache->objects, file->object);
	qr_pool_free(&cache->files, file->number);
	if (config.ops != NULL && config.ops->release != NULL)
		config.ops->release(config.ctx);
}

void qr_file_set_bytes(struct quire_file *file, uint64_t bytes)
{
	/* What was cut off will not come back: ghosts of it mean nothing. */
	if (bytes < file->bytes)
		file->life = ++file->cache->next_life;
	file->bytes = bytes;
	qr_file_object(file)->nr_pages = pages_of(bytes);
}

static void forget_dirty(struct quire_file *file, quire_entry e)
{
	if (!qr_entry_has(e, QUIRE_ENTRY_DIRTY))
		return;
	file->nr_dirty--;
	file->cache->nr_dirty--;
}

static void remove(struct quire_file *file, uint64_t index, quire_entry e)
{
	struct quire_page_cache *cache = file->cache;
	struct quire_frame *frame = qr_zone_frame(cache->zone, qr_entry_pfn(e));
	bool done = qr_object_set(qr_file_object(file), index, (quire_entry){0});

	QUIRE_ASSERT(done && frame->nr_entries == 1);
	forget_dirty(file, e);
	frame->nr_entries = 0;
	qr_page_forget(&cache->workingset, frame);
	qr_zone_free(cache->zone, qr_entry_pfn(e));
}

void qr_file_drop(struct quire_file *file, uint64_t index)
{
	quire_entry e = qr_object_get(qr_file_object(file), index);

	QUIRE_ASSERT(qr_entry_is_present(e) && !qr_entry_has(e, QUIRE_ENTRY_DIRTY));
	qr_workingset_evicted(&file->cache->workingset,
			      qr_zone_frame(file->cache->zone, qr_entry_pfn(e)),
			      qr_ghost_of_file(file->life, index));
	remove(file, index, e);
}

void qr_file_cut(struct quire_file *file, uint64_t first)
{
	struct quire_object *object = qr_file_object(file);
	struct quire_range left = {{first << QUIRE_PAGE_SHIFT}, {QR_FILE_BYTES_MAX}};
	struct qr_leaf leaf;

	while (object->nr_resident > 0 &&
	       qr_tables_next_leaf(&object->tables, left, &leaf)) {
		for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
			uint64_t index = qr_leaf_address(&leaf, i).a >> QUIRE_PAGE_SHIFT;
			quire_entry e = leaf.entries[i];

			if (index < first || !qr_entry_is_present(e))
				continue;
			remove(file, index, e);
			/* The table goes with its last entry. */
			if (!qr_tables_leaf(&object->tables, (quire_vaddr){leaf.base},
					    &leaf))
				break;
		}
		left.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
}

void qr_page_cache_destroy(struct quire_page_cache *cache)
{
	uint32_t n;

	while ((n = qr_pool_next(&cache->files, 0)) != 0)
		qr_file_free(qr_file_at(cache, n));
	qr_pool_destroy(&cache->files);
}
