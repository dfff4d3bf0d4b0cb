/* SPDX-License-Identifier: MIT */
/* file.h - files of a machine with many address spaces: a page cache over somebody's store.
 *
 * Model.  A *file* is what an inode is: a size and pages.  Its pages are read from a
 * *store* when they are asked for, and kept in memory; a page that was written to is
 * *dirty* until it is written back.  Mappings, quire_file_read() and quire_file_write()
 * see the same pages.  A file without a store is memory: what Linux makes by memfd_create,
 * with swap behind it.
 *
 * A dirty page is written back when it is asked for (quire_file_sync, msync), when it is
 * old (quire_vm_tick), when too many are dirty, and before its frame is given to somebody
 * else.  A page whose write fails stays dirty; the failure is reported by the next sync,
 * once.
 *
 * Context.  Any thread; a call holds the machine's lock from beginning to end.
 */
#ifndef QUIRE_FILE_H
#define QUIRE_FILE_H

#include "quire/types.h"

struct quire_vm;
struct quire_mm;
struct quire_file;

/* The most pages that one transfer moves. */
#define QUIRE_FILE_RUN 16u

/* The store behind a file.  Called with the machine's lock held: an op must not call back
 * into the machine.  A transfer is of nr neighbouring pages, 1..QUIRE_FILE_RUN, from the
 * page index on; the file's last page is transferred whole. */
struct quire_file_ops {
	/* What was never written, or was cut off by resize, reads as zeros; what lies past
	 * the end of the file does not matter.  Other than QUIRE_OK: the pages' contents
	 * do not matter. */
	enum quire_status (*read)(void *ctx, uint64_t index, void *const *pages,
				  uint32_t nr);
	/* Other than QUIRE_OK: it will be tried again. */
	enum quire_status (*write)(void *ctx, uint64_t index, const void *const *pages,
				   uint32_t nr);
	/* The file has so many bytes from now on.  Other than QUIRE_OK: it has not. */
	enum quire_status (*resize)(void *ctx, uint64_t bytes);
	/* The machine does not know the file any more.  May be NULL. */
	void (*release)(void *ctx);
};

struct quire_file_config {
	const struct quire_file_ops *ops; /* NULL: memory */
	void *ctx;
	const char *name; /* of reports; outlives the file */
	uint64_t bytes;
	uint64_t inode; /* of reports; 0: a number of the machine's own */
	uint32_t major, minor;
	bool is_readonly; /* never written to, nor mapped so that it could be */
};

/* QUIRE_OVERFLOW: larger than any file.  QUIRE_NO_MEMORY. */
enum quire_status quire_file_open(struct quire_vm *vm,
				  const struct quire_file_config *config,
				  struct quire_file **out);
/* The caller does not use the file any more.  It goes when nothing maps it and no page is
 * dirty: dirty ones are written back, and where that fails, again with later ticks. */
void quire_file_close(struct quire_file *file);
uint64_t quire_file_bytes(struct quire_file *file);

/* As pread and pwrite: *done bytes were copied, fewer than asked for at the end of the file,
 * or where something fails after the first page.  QUIRE_IO: the store failed.
 * QUIRE_NO_FILE: a write to a file that is only read.  QUIRE_OVERFLOW: past the size that
 * a file may have. */
enum quire_status quire_file_read(struct quire_file *file, uint64_t at, void *buf,
				  size_t bytes, size_t *done);
enum quire_status quire_file_write(struct quire_file *file, uint64_t at, const void *buf,
				   size_t bytes, size_t *done);
/* As ftruncate: what lies past the end goes, private copies included, and an access to it
 * is a bus error; the rest of the last page is zeros.  What the store says: nothing
 * changed. */
enum quire_status quire_file_resize(struct quire_file *file, uint64_t bytes);
/* As fsync: every dirty page is written back.  QUIRE_IO: one was not, now or since the
 * last sync; it is dirty still. */
enum quire_status quire_file_sync(struct quire_file *file);

/* mmap of a file: offset is a multiple of a page; the rest as quire_mm_map.
 * QUIRE_REFUSED: SHARED and writable, but the file is only read.  QUIRE_OVERFLOW: the range
 * ends past the size that a file may have. */
enum quire_status quire_mm_map_file(struct quire_mm *mm, struct quire_file *file,
				    uint64_t offset, uint64_t start, uint64_t bytes,
				    uint32_t prot, uint32_t flags, uint64_t *out);

/* The account of one file; pages. */
struct quire_file_figures {
	uint64_t resident, dirty, swapped;
	uint64_t areas; /* that map it */
};
void quire_file_figures(struct quire_file *file, struct quire_file_figures *out);

/* The machine's clock ticks: it is now_ms, of any beginning, never less than before.  Every
 * vm_config.dirty_writeback_ms, files that have been dirty for dirty_expire_ms are
 * written back. */
void quire_vm_tick(struct quire_vm *vm, uint64_t now_ms);
/* As sync: all files.  QUIRE_IO: a page could not be written; each file's next sync says
 * so too. */
enum quire_status quire_vm_sync(struct quire_vm *vm);

#endif
