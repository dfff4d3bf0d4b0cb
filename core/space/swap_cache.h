/* SPDX-License-Identifier: MIT */
/* swap_cache.h - pages that are in memory while the entries that name them say out.
 *
 * Model.  A page read ahead of its use is kept under its slot: in a frame that no entry
 * names, a page of an object whose page numbers are slots.  Whoever faults on the slot
 * takes it, without a transfer.  Its bytes are in swap all the time, so it can go at any
 * moment, and costs nothing but the reading.
 *
 * Pages are read ahead into frames above the low watermark, and are the first to go when
 * frames are wanted: no page in use goes out while one that was read ahead is left.
 *
 * Invariants.  quire_vm_validate() names the first that does not hold.
 *   K1  a page of the cache is in a frame that says CACHED and is not active; no other
 *       frame says so;
 *   K2  its slot is in use.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_SPACE_SWAP_CACHE_H
#define QUIRE_CORE_SPACE_SWAP_CACHE_H

#include "core/files/object.h"
#include "core/files/page.h"

struct quire_vm;

struct qr_swap_cache {
	uint32_t object; /* 0: there is no swap */
	uint64_t hand;	 /* the slot from which on the next page goes */
};

/* False where a record or a frame is lacking. */
bool qr_swap_cache_open(struct quire_vm *vm);
/* No slot is in use any more. */
void qr_swap_cache_close(struct quire_vm *vm);
/* K1 and K2. */
const char *qr_swap_cache_validate(struct quire_vm *vm);

/* One entry fewer names the slot; with the last the page in the cache goes too. */
void qr_vm_drop_slot(struct quire_vm *vm, quire_slot slot);
/* Whether the entry is out, but its page in the cache. */
bool qr_swap_is_cached(const struct quire_vm *vm, quire_entry e);

/* What a page that came in was before. */
enum qr_swap_found {
	QR_SWAP_OUT,	/* it had to be read */
	QR_SWAP_CACHED, /* in the cache, because somebody asked for it */
	QR_SWAP_AHEAD,	/* in the cache, read ahead and not used since */
};
/* The slot's page in a frame of its own, which counts one entry and has no owner yet; the
 * slot stays.  is_stream: its neighbours are going to be read too.  Other than QUIRE_OK:
 * nothing changed. */
enum quire_status qr_swap_in(struct quire_vm *vm, quire_slot slot, bool is_stream,
			     quire_pfn *out, enum qr_swap_found *found);
/* The slot's bytes are copied; slot and cache stay as they are. */
enum quire_status qr_swap_peek(struct quire_vm *vm, quire_slot slot, void *to);
/* The slot's page is in the cache afterwards; false where a frame is lacking or it cannot
 * be read.  AHEAD leaves alone what is in the store: unpacking it before its fault saves
 * nothing, and there need not be one.  (So does Linux with what is as quick: its
 * SWP_SYNCHRONOUS_IO.) */
bool qr_swap_cache_read(struct quire_vm *vm, quire_slot slot, enum qr_swap_found as);
/* Up to nr pages of the cache go; returns how many went. */
uint32_t qr_swap_cache_shrink(struct quire_vm *vm, uint32_t nr);

#endif
