/* SPDX-License-Identifier: MIT */
/* pages.h - where the heap's pages come from.
 *
 * Two sources can be in use in one process: the host, from the first call on, and
 * one that is set later (the machine's address space).  Whatever was handed out by a
 * source goes back to the same source; new pages come from the one set last.
 */
#ifndef QUIRE_HEAP_PAGES_H
#define QUIRE_HEAP_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All sizes are bytes, multiples of the page; all calls may come from any thread, and
 * several at once. */
struct qr_heap_pages {
	void *ctx;
	/* Zeroed pages at a multiple of align (a power of two, a page or more), or NULL. */
	void *(*map)(void *ctx, size_t bytes, size_t align);
	void (*unmap)(void *ctx, void *addr, size_t bytes);
	/* The same contents in new_bytes, perhaps elsewhere; NULL, and nothing changed,
	 * where that cannot be.  Pages that are added read as zero. */
	void *(*remap)(void *ctx, void *old, size_t old_bytes, size_t new_bytes);
	/* The contents are not wanted, the addresses stay: what is read there next is
	 * zero or what was there.  Returns whether it is surely zero. */
	bool (*purge)(void *ctx, void *addr, size_t bytes);
	/* Any touch of the pages faults from now on, and their contents are lost; or the
	 * same pages can be used again, and read as zero.  False where that cannot be. */
	bool (*guard)(void *ctx, void *addr, size_t bytes, bool on);
	/* How many of these bytes are in RAM now. */
	size_t (*resident)(void *ctx, const void *addr, size_t bytes);
	/* As sbrk(2), or NULL where the source has no break.  (void *)-1 on failure. */
	void *(*sbrk)(void *ctx, intptr_t increment);
};

/* Pages come from here from now on; the struct stays valid for ever.  Called before
 * there is a second thread, at most once with another source than the host. */
void qr_heap_set_pages(const struct qr_heap_pages *pages);

/* The process's host: anonymous private mappings, and the program break. */
extern const struct qr_heap_pages qr_heap_pages_host;

#endif
