/* SPDX-License-Identifier: MIT */
/* writeback.c - dirty pages, and their way back to the store. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/files/cache.h"

/* Neighbouring dirty pages on their way out. */
struct run {
	struct quire_file *file;
	uint64_t first;
	uint32_t nr;
	const void *pages[QUIRE_FILE_RUN];
};

static void mark(struct quire_file *file, uint64_t index, bool is_dirty)
{
	struct quire_object *object = qr_file_object(file);
	quire_entry e = qr_object_get(object, index);
	bool done;

	QUIRE_ASSERT(qr_entry_is_present(e) &&
		     qr_entry_has(e, QUIRE_ENTRY_DIRTY) != is_dirty);
	e = is_dirty ? qr_entry_with(e, QUIRE_ENTRY_DIRTY)
		     : qr_entry_without(e, QUIRE_ENTRY_DIRTY);
	done = qr_object_set(object, index, e);
	QUIRE_ASSERT(done);
	file->nr_dirty += is_dirty ? 1 : UINT64_MAX;
	file->cache->nr_dirty += is_dirty ? 1 : UINT64_MAX;
}

void qr_file_set_dirty(struct quire_file *file, uint64_t index)
{
	quire_entry e = qr_object_get(qr_file_object(file), index);

	if (qr_entry_has(e, QUIRE_ENTRY_DIRTY))
		return;
	if (file->nr_dirty == 0)
		file->dirtied_ms = file->cache->now_ms;
	mark(file, index, true);
	file->cache->dirtied++;
}

/* From here on a write to the page is seen. */
static void *seal(struct quire_file *file, uint64_t index)
{
	struct quire_page_cache *cache = file->cache;
	quire_pfn pfn = qr_entry_pfn(qr_object_get(qr_file_object(file), index));
	unsigned char *page = qr_zone_address(cache->zone, pfn);
	uint64_t end = (index + 1) << QUIRE_PAGE_SHIFT;

	cache->protect(cache->vm, pfn);
	mark(file, index, false);
	/* What a mapping wrote behind the end is nobody's. */
	if (end > file->bytes) {
		size_t behind = (size_t)(end - file->bytes);

		memset(page + QUIRE_PAGE_BYTES - behind, 0, behind);
	}
	return page;
}

static enum quire_status write_run(struct run *run)
{
	struct quire_file *file = run->file;
	enum quire_status status;

	if (run->nr == 0)
		return QUIRE_OK;
	status = file->config.ops->write(file->config.ctx, run->first, run->pages,
					 run->nr);
	if (status == QUIRE_OK) {
		file->cache->pages_out += run->nr;
		file->cache->written += run->nr;
	} else {
		file->has_failed = true;
		for (uint32_t i = 0; i < run->nr; i++)
			mark(file, run->first + i, true);
	}
	run->nr = 0;
	return status == QUIRE_OK ? QUIRE_OK : QUIRE_IO;
}

/* The dirty pages of one leaf, [first, last). */
static enum quire_status write_leaf(struct run *run, const struct qr_leaf *leaf,
				    uint64_t first, uint64_t last, uint64_t *most)
{
	enum quire_status worst = QUIRE_OK;

	for (uint32_t i = 0; i<QUIRE_TABLE_ENTRIES && * most> 0; i++) {
		uint64_t index = qr_leaf_address(leaf, i).a >> QUIRE_PAGE_SHIFT;

		if (index < first || index >= last ||
		    !qr_entry_is_present(leaf->entries[i]) ||
		    !qr_entry_has(leaf->entries[i], QUIRE_ENTRY_DIRTY))
			continue;
		if (run->nr == QUIRE_FILE_RUN || run->first + run->nr != index) {
			if (write_run(run) != QUIRE_OK)
				worst = QUIRE_IO;
			run->first = index;
		}
		run->pages[run->nr] = seal(run->file, index);
		run->nr++;
		--*most;
	}
	if (write_run(run) != QUIRE_OK)
		worst = QUIRE_IO;
	return worst;
}

enum quire_status qr_file_write_back(struct quire_file *file, uint64_t first,
				     uint64_t last, uint64_t most)
{
	struct quire_object *object = qr_file_object(file);
	enum quire_status worst = QUIRE_OK;
	struct run run = {.file = file};
	struct qr_leaf leaf;

	last = last < object->nr_pages ? last : object->nr_pages;
	for (uint64_t at = first; at < last && most > 0 && file->nr_dirty > 0;) {
		const struct quire_range left = {{at << QUIRE_PAGE_SHIFT},
						 {last << QUIRE_PAGE_SHIFT}};

		if (!qr_tables_next_leaf(&object->tables, left, &leaf))
			break;
		if (write_leaf(&run, &leaf, first, last, &most) != QUIRE_OK)
			worst = QUIRE_IO;
		at = (leaf.base + QUIRE_LEAF_BYTES) >> QUIRE_PAGE_SHIFT;
	}
	/* What could not be written is tried again when it is old again. */
	if (worst != QUIRE_OK)
		file->dirtied_ms = file->cache->now_ms;
	return worst;
}

/* The file that is dirty longest, of those that this turn has not met. */
static struct quire_file *oldest(struct quire_page_cache *cache)
{
	struct quire_file *best = NULL;

	for (uint32_t n = qr_pool_next(&cache->files, 0); n != 0;
	     n = qr_pool_next(&cache->files, n)) {
		struct quire_file *file = qr_file_at(cache, n);

		if (file->nr_dirty == 0 || file->turn == cache->turn)
			continue;
		if (best == NULL || file->dirtied_ms < best->dirtied_ms)
			best = file;
	}
	return best;
}

static void free_unused(struct quire_file *file)
{
	if (qr_file_is_unused(file))
		qr_file_free(file);
}

void qr_page_cache_write_down(struct quire_page_cache *cache, uint64_t nr_dirty)
{
	struct quire_file *file;

	cache->turn++;
	while (cache->nr_dirty > nr_dirty && (file = oldest(cache)) != NULL) {
		file->turn = cache->turn;
		(void)qr_file_write_back(file, 0, UINT64_MAX, cache->nr_dirty - nr_dirty);
		free_unused(file);
	}
}

enum quire_status qr_page_cache_write_old(struct quire_page_cache *cache, uint64_t age_ms)
{
	enum quire_status worst = QUIRE_OK;
	uint32_t next;

	for (uint32_t n = qr_pool_next(&cache->files, 0); n != 0; n = next) {
		struct quire_file *file = qr_file_at(cache, n);

		next = qr_pool_next(&cache->files, n);
		if (file->nr_dirty == 0 || cache->now_ms - file->dirtied_ms < age_ms)
			continue;
		if (qr_file_write_back(file, 0, UINT64_MAX, UINT64_MAX) != QUIRE_OK)
			worst = QUIRE_IO;
		free_unused(file);
	}
	return worst;
}
