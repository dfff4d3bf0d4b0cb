/* SPDX-License-Identifier: MIT */
/* fetch.c - pages of a store come in: alone, around a fault, or ahead of a reader.
 *
 * A fault reads the window around it; one in an area that is read in order, and a read
 * call, read ahead: a few pages at the beginning of the file, where the last window ended
 * twice as much as that, elsewhere what is asked for; and the next window is asked for
 * as soon as the reader comes to the mark in the last one.  (Linux,
 * mm/readahead.c and do_sync_mmap_readahead().)  What is read ahead never takes frames
 * that somebody would have to be deprived of.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/files/cache.h"

/* Linux's 128 KiB of read_ahead_kb. */
#define WINDOW	     32u
#define WINDOW_FIRST 4u

/* Neighbouring pages on their way in. */
struct run {
	struct quire_file *file;
	uint64_t first;
	uint32_t nr;
	quire_pfn pfns[QUIRE_FILE_RUN];
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_there(const struct quire_file *file, uint64_t index)
{
	return qr_entry_is_present(qr_object_get(qr_file_object(file), index));
}

static bool take(struct run *run)
{
	return qr_zone_alloc(run->file->cache->zone, QUIRE_FRAME_MAPPED,
			     QUIRE_ALLOC_MOVABLE, &run->pfns[run->nr]);
}

/* The frames from number from on are not needed. */
static void give_back(struct run *run, uint32_t from)
{
	for (uint32_t i = from; i < run->nr; i++)
		qr_zone_free(run->file->cache->zone, run->pfns[i]);
	run->nr = from;
}

/* The frame is that page's from now on; false where a table is lacking. */
static bool install(struct quire_file *file, uint64_t index, quire_pfn pfn)
{
	struct quire_page_cache *cache = file->cache;
	struct quire_frame *frame = qr_zone_frame(cache->zone, pfn);

	if (!qr_object_set(qr_file_object(file), index, qr_entry_present(pfn, 0)))
		return false;
	frame->nr_entries = 1;
	frame->owner = qr_page_owner(true, file->object, index);
	frame->slot = QUIRE_PAGE_FILE;
	cache->workingset.nr_file++;
	return true;
}

/* Nobody may see what lies behind the end of the file. */
static void clear_tail(const struct quire_file *file, uint64_t index, void *page)
{
	uint64_t start = index << QUIRE_PAGE_SHIFT;
	size_t used = 0;

	if (start + QUIRE_PAGE_BYTES <= file->bytes)
		return;
	if (start < file->bytes)
		used = (size_t)(file->bytes - start);
	memset((unsigned char *)page + used, 0, QUIRE_PAGE_BYTES - used);
}

/* Reads the run into its frames, and puts them in. */
static enum quire_status read_run(struct run *run)
{
	struct quire_file *file = run->file;
	struct quire_page_cache *cache = file->cache;
	void *pages[QUIRE_FILE_RUN];
	enum quire_status status;

	for (uint32_t i = 0; i < run->nr; i++)
		pages[i] = qr_zone_address(cache->zone, run->pfns[i]);
	status = file->config.ops->read(file->config.ctx, run->first, pages, run->nr);
	if (status != QUIRE_OK) {
		give_back(run, 0);
		return status;
	}
	cache->pages_in += run->nr;
	for (uint32_t i = 0; i < run->nr; i++) {
		uint64_t index = run->first + i;

		clear_tail(file, index, pages[i]);
		if (!install(file, index, run->pfns[i])) {
			give_back(run, i);
			return QUIRE_NO_MEMORY;
		}
		qr_workingset_refault(&cache->workingset,
				      qr_zone_frame(cache->zone, run->pfns[i]),
				      qr_ghost_of_file(file->life, index));
	}
	return QUIRE_OK;
}

static bool has_plenty(const struct quire_page_cache *cache)
{
	return qr_zone_free_frames(cache->zone) > cache->zone->high;
}

void qr_file_read_ahead(struct quire_file *file, uint64_t first, uint64_t last)
{
	last = least(last, qr_file_object(file)->nr_pages);
	while (first < last) {
		struct run run = {.file = file, .first = first};

		while (first < last && run.nr < QUIRE_FILE_RUN &&
		       !is_there(file, first) && has_plenty(file->cache) && take(&run)) {
			run.nr++;
			first++;
		}
		if (run.nr == 0 && !has_plenty(file->cache))
			return;
		if (run.nr == 0)
			first++;
		else if (read_run(&run) != QUIRE_OK)
			return;
	}
}

/* The pages are read in order: the window that holds index and what follows it. */
static void plan_ahead(struct quire_file *file, uint64_t index)
{
	bool goes_on = index != 0 && index == file->ahead_end;
	uint64_t length = index == 0 ? WINDOW_FIRST : 1;

	if (goes_on)
		length = least(2 * (file->ahead_end - file->ahead_start), WINDOW);
	file->ahead_start = index;
	file->ahead_end = index + length;
	/* The reader that comes so far gets the next window before it has to wait. */
	file->ahead_mark = goes_on || index == 0 ? index + length / 2 : UINT64_MAX;
}

static void read_window(struct quire_file *file, uint64_t index, enum qr_fetch how)
{
	if (how == QR_FETCH_AHEAD) {
		plan_ahead(file, index);
		qr_file_read_ahead(file, file->ahead_start, file->ahead_end);
	} else if (how == QR_FETCH_AROUND) {
		uint64_t first = index < WINDOW / 2 ? 0 : index - WINDOW / 2;

		qr_file_read_ahead(file, first, first + WINDOW);
	}
}

static enum quire_status read_alone(struct quire_file *file, uint64_t index)
{
	struct run run = {.file = file, .first = index};

	if (!take(&run))
		return QUIRE_NO_MEMORY;
	run.nr = 1;
	return read_run(&run);
}

enum quire_status qr_file_fetch(struct quire_file *file, uint64_t index,
				enum qr_fetch how, quire_pfn *out, bool *was_read)
{
	struct quire_object *object = qr_file_object(file);
	enum quire_status status = QUIRE_OK;

	*was_read = false;
	if (is_there(file, index)) {
		if (how == QR_FETCH_AHEAD && index == file->ahead_mark) {
			plan_ahead(file, file->ahead_end);
			qr_file_read_ahead(file, file->ahead_start, file->ahead_end);
		}
	} else {
		read_window(file, index, how);
		/* A window may fail where the page alone would not. */
		if (!is_there(file, index))
			status = read_alone(file, index);
		*was_read = true;
	}
	if (status == QUIRE_OK)
		*out = qr_entry_pfn(qr_object_get(object, index));
	return status;
}

bool qr_file_make(struct quire_file *file, uint64_t index, quire_pfn *out)
{
	struct run run = {.file = file, .first = index};

	if (is_there(file, index)) {
		*out = qr_entry_pfn(qr_object_get(qr_file_object(file), index));
		return true;
	}
	if (!take(&run))
		return false;
	run.nr = 1;
	if (!install(file, index, run.pfns[0])) {
		give_back(&run, 0);
		return false;
	}
	*out = run.pfns[0];
	return true;
}
