/* SPDX-License-Identifier: MIT */
/* cache.h - the page cache: pages of files, read ahead, dirty, written back.
 *
 * Model.  A *file* has an object (object.h) and, unless it is memory, a store.  The object's
 * entry of a page of a store says DIRTY where memory and store differ.  A page gets
 * dirty by a write call, or when the first entry that may write to it is made; before
 * it is written back the upcall protect() takes that right from all entries, so the next
 * write is seen again.  Nothing here knows of address spaces.
 *
 * A file goes when it is closed, no area maps it and nothing of it is dirty.
 *
 * Invariants.  qr_page_cache_validate() names the first that does not hold.
 *   C1  nr_dirty of a file is the number of its DIRTY entries, that of the cache their sum;
 *   C2  a page of a store is in a frame that says FILE, and workingset.nr_file counts them;
 *   C3  no page lies past the end of its file;
 *   C4  an entry that may write to a page of a store is of a DIRTY page.
 *
 * Locking.  The machine's lock; the ops of a store are called with it held.
 */
#ifndef QUIRE_CORE_FILES_CACHE_H
#define QUIRE_CORE_FILES_CACHE_H

#include "core/files/object.h"
#include "core/files/workingset.h"
#include "quire/file.h"

/* What the tables of an object can name. */
#define QR_FILE_BYTES_MAX (1ull << 47)

struct quire_page_cache {
	struct quire_zone *zone;
	struct quire_pool *objects;
	struct quire_pool files;
	struct quire_workingset workingset;
	/* No entry that names the frame allows writing afterwards, on no CPU. */
	void (*protect)(struct quire_vm *vm, quire_pfn pfn);
	struct quire_vm *vm;
	uint64_t now_ms, next_writeback_ms;
	uint64_t next_inode;
	uint32_t next_life;
	uint32_t turn; /* of writing down */
	uint64_t nr_dirty;
	/* vmstat's, in pages: nr_dirtied, nr_written, and what stores were read and
	 * written. */
	uint64_t dirtied, written, pages_in, pages_out;
};

struct quire_file {
	struct quire_page_cache *cache;
	struct quire_file_config config;
	uint64_t bytes;
	uint64_t nr_dirty, dirtied_ms;
	uint32_t number, object;
	uint32_t life; /* ghosts of pages that were cut off are of another */
	uint32_t turn; /* the last that met it */
	bool is_open;
	bool has_failed; /* a write did, and no sync has said so */
	/* Read-ahead: the window of the last read, and the page whose use asks for more. */
	uint64_t ahead_start, ahead_end, ahead_mark;
};

void qr_page_cache_init(struct quire_page_cache *cache, struct quire_zone *zone,
			struct quire_pool *objects);
/* Files that are closed but could not be written go; nothing else is there. */
void qr_page_cache_destroy(struct quire_page_cache *cache);
const char *qr_page_cache_validate(struct quire_page_cache *cache);

static inline struct quire_file *qr_file_at(const struct quire_page_cache *cache,
					    uint32_t number)
{
	return qr_pool_at(&cache->files, number);
}

static inline struct quire_object *qr_file_object(const struct quire_file *file)
{
	return qr_object_at(file->cache->objects, file->object);
}

static inline bool qr_file_is_memory(const struct quire_file *file)
{
	return file->config.ops == NULL;
}

/* ---- file.c */

/* NULL where a record or a frame is lacking. */
struct quire_file *qr_file_new(struct quire_page_cache *cache,
			       const struct quire_file_config *config);
/* Whether the file may go; a memory's pages are the caller's to drop first. */
bool qr_file_is_unused(const struct quire_file *file);
void qr_file_free(struct quire_file *file);
/* The file has so many bytes from now on: no page past them is there. */
void qr_file_set_bytes(struct quire_file *file, uint64_t bytes);
/* Drops the pages from first on; no entry names them. */
void qr_file_cut(struct quire_file *file, uint64_t first);
/* Drops the one page, clean and named by no entry. */
void qr_file_drop(struct quire_file *file, uint64_t index);

/* ---- fetch.c */

enum qr_fetch {
	QR_FETCH_ALONE,	 /* this page only */
	QR_FETCH_AROUND, /* a fault: pages on both sides may be next */
	QR_FETCH_AHEAD,	 /* in order: what comes behind it is next */
};
/* The page of a store in memory, read where it is not; *was_read: so it was, for this
 * page's sake.  QUIRE_NO_MEMORY, or what the store says. */
enum quire_status qr_file_fetch(struct quire_file *file, uint64_t index,
				enum qr_fetch how, quire_pfn *out, bool *was_read);
/* The same for a page that is going to be written from beginning to end: not read.  Its
 * bytes do not matter where it was not there. */
bool qr_file_make(struct quire_file *file, uint64_t index, quire_pfn *out);
/* Reads what is not there of [first, last), as far as frames are plenty. */
void qr_file_read_ahead(struct quire_file *file, uint64_t first, uint64_t last);

/* ---- writeback.c */

void qr_file_set_dirty(struct quire_file *file, uint64_t index);
/* Writes the dirty pages of [first, last), up to most.  QUIRE_IO: some are dirty still,
 * and has_failed says so. */
enum quire_status qr_file_write_back(struct quire_file *file, uint64_t first,
				     uint64_t last, uint64_t most);
/* Writes files back, the one dirty longest first, until no more than so many pages are
 * dirty or each was tried. */
void qr_page_cache_write_down(struct quire_page_cache *cache, uint64_t nr_dirty);
/* Writes back all that is dirty for at least age_ms, all files or those. */
enum quire_status qr_page_cache_write_old(struct quire_page_cache *cache,
					  uint64_t age_ms);

#endif
