/* SPDX-License-Identifier: MIT */
/* cache_validate.c - files against their pages. */
#include "core/files/cache.h"

struct sum {
	const char *wrong;
	uint64_t nr_dirty, nr_pages;
};

static void blame(struct sum *sum, bool holds, const char *name)
{
	if (!holds && sum->wrong == NULL)
		sum->wrong = name;
}

static void see_leaf(struct sum *sum, const struct quire_file *file,
		     const struct qr_leaf *leaf)
{
	const struct quire_object *object = qr_file_object(file);

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
		uint64_t index = qr_leaf_address(leaf, i).a >> QUIRE_PAGE_SHIFT;
		quire_entry e = leaf->entries[i];

		if (qr_entry_is_empty(e))
			continue;
		blame(sum, index < object->nr_pages,
		      "C3 a page past the end of its file");
		if (qr_file_is_memory(file))
			continue;
		blame(sum, qr_entry_is_present(e), "C2 a page of a store is in a frame");
		blame(sum,
		      qr_page_has(qr_zone_frame(file->cache->zone, qr_entry_pfn(e)),
				  QUIRE_PAGE_FILE),
		      "C2 the frame of a page of a store says so");
		sum->nr_pages++;
		sum->nr_dirty += qr_entry_has(e, QUIRE_ENTRY_DIRTY);
	}
}

static void see_file(struct sum *sum, const struct quire_file *file)
{
	const struct quire_object *object = qr_file_object(file);
	struct quire_range left = {{0}, {QR_FILE_BYTES_MAX}};
	uint64_t before = sum->nr_dirty;
	struct qr_leaf leaf;

	blame(sum, object->file == file->number, "C2 a file's object is its own");
	blame(sum,
	      object->nr_pages ==
		      (file->bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT,
	      "C3 a file's size in pages");
	blame(sum, !qr_file_is_unused(file), "a file that nobody uses is gone");
	while (sum->wrong == NULL && left.start.a < left.end.a &&
	       qr_tables_next_leaf(&object->tables, left, &leaf)) {
		see_leaf(sum, file, &leaf);
		left.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	blame(sum, sum->nr_dirty - before == file->nr_dirty,
	      "C1 dirty pages of a file counted");
}

const char *qr_page_cache_validate(struct quire_page_cache *cache)
{
	struct sum sum = {.wrong = qr_pool_validate(&cache->files)};

	for (uint32_t n = qr_pool_next(&cache->files, 0); n != 0 && sum.wrong == NULL;
	     n = qr_pool_next(&cache->files, n))
		see_file(&sum, qr_file_at(cache, n));
	blame(&sum, sum.nr_dirty == cache->nr_dirty, "C1 dirty pages counted");
	blame(&sum, sum.nr_pages == cache->workingset.nr_file,
	      "C2 pages of stores counted");
	return sum.wrong;
}
