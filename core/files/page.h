/* SPDX-License-Identifier: MIT */
/* page.h - what the frame of a mapped page says, on a machine with many spaces.
 *
 * Model.  A page is *anonymous*, of a family of processes (those that fork made of one
 * another), or of an *object* (shared memory, a file).  Its frame says whose it is, and its
 * index: of an anonymous page the address in pages at which it was first mapped, which all
 * processes of the family have in common as long as nobody moves it; of an anonymous page
 * that is a private *copy* of a file's, and of an object's page, the place in the object.
 * So the entries that name a frame are found without a list.
 *
 * What reclaim knows of a page stands in its frame's slot: the swap cache that the field
 * is for elsewhere is of machines with one space.
 *
 * A *large* page is a block of frames, and its first frame says all that for the whole, and
 * whether it is of a pool (mm_huge.h).
 *
 * Invariants.  quire_vm_validate() names the first that does not hold.
 *   R1  nr_entries of a MAPPED frame is the number of entries that name it, and an
 *       object's page counts one more for its object;
 *   R2  going from the frame by way of its owner finds exactly these entries.
 */
#ifndef QUIRE_CORE_FILES_PAGE_H
#define QUIRE_CORE_FILES_PAGE_H

#include "core/frames/zone.h"

#define QUIRE_PAGE_OF_OBJECT (1ull << 63)
/* No other process had the page when it was last written. */
#define QUIRE_PAGE_EXCLUSIVE (1ull << 62)
/* madvise said that the bytes are not needed, unless it is written again. */
#define QUIRE_PAGE_LAZY (1ull << 61)

/* In the frame's slot.  FILE and COPY say what it is, from the day it is taken; ACTIVE and
 * REFERENCED what the hands have seen of it; WORKINGSET that it was active before it last
 * went out. */
#define QUIRE_PAGE_FILE	      1u /* of a file that has a store */
#define QUIRE_PAGE_COPY	      2u
#define QUIRE_PAGE_ACTIVE     4u
#define QUIRE_PAGE_REFERENCED 8u
#define QUIRE_PAGE_WORKINGSET 16u
/* In the swap cache; and there because it was read ahead. */
#define QUIRE_PAGE_CACHED 0x10000u
#define QUIRE_PAGE_AHEAD  0x20000u
/* Of a file: a transfer reads it, with the machine's lock not held.  It stays as it is, and
 * where it is. */
#define QUIRE_PAGE_WRITEBACK 0x40000u

#define QUIRE_PAGE_INDEX_BITS 45 /* addresses of 57 bits, in pages */
#define QUIRE_PAGE_OWNERS     65535u
#define QUIRE_PAGE_MAPS_MAX   65535u

/* Also there: of which pool the page is, or, of the blocks of 1 GiB but the first, that they
 * are none of their own. */
#define QUIRE_PAGE_POOLED_2M 32u
#define QUIRE_PAGE_POOLED_1G 64u
#define QUIRE_PAGE_PART	     128u
#define QUIRE_PAGE_POOLED    (QUIRE_PAGE_POOLED_2M | QUIRE_PAGE_POOLED_1G | QUIRE_PAGE_PART)

static inline bool qr_page_is_large(const struct quire_frame *frame)
{
	return frame->order != 0;
}

static inline bool qr_page_is_pooled(const struct quire_frame *frame)
{
	return (frame->slot & QUIRE_PAGE_POOLED) != 0;
}

/* How many small pages the page is. */
static inline uint32_t qr_page_size(const struct quire_frame *frame)
{
	return 1u << frame->order;
}

static inline uint64_t qr_page_owner(bool of_object, uint32_t id, uint64_t index)
{
	return (of_object ? QUIRE_PAGE_OF_OBJECT : 0) |
	       (uint64_t)id << QUIRE_PAGE_INDEX_BITS | index;
}

static inline uint32_t qr_page_id(const struct quire_frame *frame)
{
	return (uint32_t)(frame->owner >> QUIRE_PAGE_INDEX_BITS) & QUIRE_PAGE_OWNERS;
}

static inline uint64_t qr_page_index(const struct quire_frame *frame)
{
	return frame->owner & ((1ull << QUIRE_PAGE_INDEX_BITS) - 1);
}

static inline bool qr_page_is(const struct quire_frame *frame, uint64_t flag)
{
	return (frame->owner & flag) != 0;
}

static inline bool qr_page_has(const struct quire_frame *frame, uint32_t state)
{
	return (frame->slot & state) == state;
}

#endif
