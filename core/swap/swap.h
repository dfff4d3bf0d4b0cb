/* SPDX-License-Identifier: MIT */
/* swap.h - where pages go: slots, the compressed store, and the swap areas behind it.
 *
 * Model.  A *slot* names the bytes of one page that is out; it has a count of the
 * entries that name it and a checksum of the page.  Its bytes are an *object* in a
 * *zspage*: an extent of eight frames cut into objects of one size class, frames added
 * as objects need them.  A zspage is open (takes objects), full, sealed (on its way to
 * a device) or on a device; the oldest full one is *spilled* as it stands to an extent
 * of a swap area and its frames freed, so objects never move on their way out, and a
 * transfer is 32 KiB.  A page that does not compress is an object of a whole frame.
 *
 * Classes.  A class is the number n of objects in a zspage; the object size is the even
 * part of 32768 / n, so that next to nothing is lost at the end.
 *
 * Invariants.  qr_swap_validate() names the first that does not hold.
 *   S1  nr_live of a zspage is the number of slots that name an object in it, and these
 *       and the free objects make up all that it has cut off;
 *   S2  a zspage is on exactly one list, open of its class or full (by age), unless it
 *       is sealed or on a device; none has nr_live 0, but that a sealed one may;
 *   S3  an extent's bit in its area is set exactly when a zspage is there or on its way;
 *   S4  stored_pages, stored_bytes, spilled_pages, swap_extents, frames_store say so.
 *
 * Locking.  The machine's lock; qr_swap_spill alone lets go of it, to call the port.
 *
 * Cost.  20 bytes a page are spent on finding it: 8 in its page-table entry, 8 in its
 * slot, and its share of a zspage's 52.
 */
#ifndef QUIRE_CORE_SWAP_SWAP_H
#define QUIRE_CORE_SWAP_SWAP_H

#include "core/base/lock.h"
#include "core/frames/zone.h"
#include "core/objects/pool.h"
#include "quire/codec.h"

/* A slot number; 0 is none. */
typedef struct {
	uint32_t n;
} quire_slot;

#define QUIRE_SWAP_AREAS   64u
#define QUIRE_SWAP_CLASSES 64u
/* Transfers to devices that can be under way at a time: one for each lane, and some for
 * callers that have none. */
#define QUIRE_SWAP_WRITERS 24u

/* Packed pages above this many bytes are stored as they are: with its two-byte length one
 * of this size fills a ninth of an extent. */
#define QUIRE_PACKED_MAX 3638u

struct quire_swap_area {
	uint32_t nr_extents; /* of the device, as far as they can be addressed */
	uint32_t nr_used;
	uint32_t next;	     /* where the search for a free extent starts */
	uint32_t next_group; /* and that for a group that is free */
	uint32_t map;	     /* frame of the map's directory, QUIRE_NO_FRAME: all free */
	uint64_t full_till;  /* the device is full: not asked before this round */
	bool sealed;	     /* another copy of the machine may read it: no writes */
};

/* Neighbours are linked by number through the zspages. */
struct qr_zspage_list {
	uint32_t first, last;
};

struct quire_swap {
	struct quire_zone *zone;
	struct quire_lock *lock;
	const struct quire_port *port;
	const struct quire_codec *codec;
	struct quire_stats *stats;
	bool has_device; /* QUIRE_SWAP_FILE */
	/* the rest is private to core/swap */
	struct quire_pool slots, zspages;
	struct quire_pool shared; /* slots that more than one entry names */
	struct qr_zspage_list open[QUIRE_SWAP_CLASSES];
	struct qr_zspage_list full, full_raw; /* oldest first */
	uint32_t frames_raw; /* store frames that hold pages as they are */
	uint32_t nr_writing; /* transfers under way */
	/* What they write; nr 0: not in use. */
	struct {
		uint32_t area, extent, nr;
	} writers[QUIRE_SWAP_WRITERS];
	/* Counts the transfers that have ended: what was read after a turn holds what was
	 * written until then. */
	uint32_t turn;
	struct quire_swap_area areas[QUIRE_SWAP_AREAS];
	uint32_t nr_areas;
	uint64_t nr_attempts; /* to find an extent; a round is some of them */
	uint64_t open_from;   /* no area is opened before this round */
	uint32_t nr_seals;
	bool opening; /* somebody opens an area with the lock not held */
	struct quire_event opened;
};

void qr_swap_init(struct quire_swap *swap, struct quire_zone *zone,
		  struct quire_lock *lock, const struct quire_codec *codec,
		  bool has_device);

/* Stores the packed bytes of a page (bytes 1..QUIRE_PACKED_MAX, or QUIRE_PAGE_BYTES for
 * one as it is) under a new slot with count 1.  May use the zone's reserve.
 * QUIRE_NO_MEMORY: nothing changed. */
enum quire_status qr_swap_put(struct quire_swap *swap, const void *packed, uint32_t bytes,
			      uint32_t checksum, quire_slot *out);

/* Where the bytes of a slot are. */
struct qr_swap_place {
	uint32_t bytes; /* in RAM: packed; on a device: of the object, which has them */
	uint32_t checksum;
	bool on_device;
	uint32_t area; /* on_device: where to read; the object's bytes lie within */
	uint64_t extent;
	uint32_t offset; /* in the extent */
	uint32_t turn;	 /* of the swap, when the extent was written */
};
/* Copies the packed bytes to buf (a page) when they are in RAM, otherwise says where they
 * are.  On a device the object starts with its two-byte length unless it is a whole
 * page: qr_swap_object() takes it apart.  The extent stays as it is for as long as the
 * slot does. */
void qr_swap_get(struct quire_swap *swap, quire_slot slot, void *buf,
		 struct qr_swap_place *place);
/* Given the extent's bytes from place.offset on: the packed bytes and their number, or
 * NULL when the length is impossible. */
const void *qr_swap_object(const struct qr_swap_place *place, const void *raw,
			   uint32_t *bytes);

/* One more entry names the slot.  May use the zone's reserve.  QUIRE_NO_MEMORY: nothing
 * changed. */
enum quire_status qr_swap_dup(struct quire_swap *swap, quire_slot slot);
/* One fewer entry names the slot; true: it was the last, and the slot is gone. */
bool qr_swap_drop(struct quire_swap *swap, quire_slot slot);

/* Whether more than one entry names the slot. */
bool qr_swap_is_shared(const struct quire_swap *swap, quire_slot slot);
/* Whether its bytes have to be read from a device. */
bool qr_swap_is_on_device(const struct quire_swap *swap, quire_slot slot);
/* Whether there is such a slot; for validation. */
bool qr_swap_is_used(const struct quire_swap *swap, quire_slot slot);

/* How many neighbours from extent on, at most max, can be read now. */
uint32_t qr_swap_readable(const struct quire_swap *swap, uint32_t area, uint32_t extent,
			  uint32_t max);

/* Writes the oldest full zspages, up to max (1..QUIRE_TRANSFER_EXTENTS) of them (those with
 * pages as they are first; where none is full, the open one with the most in it), to a
 * swap area.  Lets go of the lock meanwhile; callers
 * may come side by side.  QUIRE_INVALID: there is none to write, or no device.
 * QUIRE_NO_MEMORY: no frame for the area's map.  QUIRE_NO_SPACE, QUIRE_IO: nothing was
 * lost, it is still in RAM. */
enum quire_status qr_swap_spill(struct quire_swap *swap, uint32_t max);
/* Empties up to nr of the sparsest open zspages, one of a class, into others of their
 * class.  Walks all slots once, when there is something to gain.  Returns the number of
 * frames freed. */
uint32_t qr_swap_compact(struct quire_swap *swap, uint32_t nr);
/* After a fork: every area that is open is read only until swap_sole() says otherwise.
 * No spill may be under way. */
void qr_swap_seal(struct quire_swap *swap);
/* Everything is dropped; frames and extents go back.  No spill may be under way. */
void qr_swap_destroy(struct quire_swap *swap);
const char *qr_swap_validate(struct quire_swap *swap);

#endif
