/* SPDX-License-Identifier: MIT */
/* zspage.h - the records of the compressed store, private to core/swap.
 *
 * Model.  An object is named by its zspage's number and its index there.  Objects below
 * *bump* have been cut off; those of them that are free are chained through their own
 * first bytes.  In the raw class the frame of a free object is freed at once, and an
 * object is free where its frame is missing.  A sealed zspage only counts what dies in
 * it: its bytes are being read by the port.
 */
#ifndef QUIRE_CORE_SWAP_ZSPAGE_H
#define QUIRE_CORE_SWAP_ZSPAGE_H

#include "core/swap/size_class.h"
#include "core/swap/swap.h"

enum qr_zspage_state {
	QUIRE_ZSPAGE_OPEN,
	QUIRE_ZSPAGE_FULL,
	QUIRE_ZSPAGE_SEALED, /* being written to a device, or emptied */
	QUIRE_ZSPAGE_ON_DEVICE,
};

#define QUIRE_NO_OBJECT UINT16_MAX

struct qr_zspage {
	union {
		uint32_t frames[QUIRE_EXTENT_FRAMES]; /* QUIRE_NO_FRAME: missing */
		struct {
			uint32_t area, extent; /* ON_DEVICE */
			uint32_t turn;	       /* the swap's, when it was written */
		};
	};
	uint32_t next, prev; /* on its list; 0 at the ends */
	uint16_t nr_live;
	uint16_t live_bytes; /* packed bytes of the live objects, while in RAM */
	uint16_t bump;
	uint16_t free_head; /* QUIRE_NO_OBJECT: none */
	uint16_t nr_seen;   /* scratch of qr_swap_validate() */
	uint8_t size_class;
	uint8_t state;
};

_Static_assert(sizeof(struct qr_zspage) == 52, "4 bytes a page from 13 objects on");

struct qr_slot {
	uint32_t object; /* or the number of a struct qr_shared, marked so */
	uint32_t checksum;
};

struct qr_shared {
	uint32_t object;
	uint32_t extra; /* entries that name the slot, but for one */
};

/* An object's name has a bit to spare, which marks a slot's field as a qr_shared. */
#define QUIRE_OBJECT_SHARED 0x80000000u
#define QUIRE_ZSPAGE_LIMIT  (QUIRE_OBJECT_SHARED >> QUIRE_OBJECTS_SHIFT)

static inline uint32_t qr_object_zspage(uint32_t object)
{
	return object >> QUIRE_OBJECTS_SHIFT;
}

static inline uint32_t qr_object_index(uint32_t object)
{
	return object & ((1u << QUIRE_OBJECTS_SHIFT) - 1);
}

static inline bool qr_zspage_is_raw(const struct qr_zspage *z)
{
	return z->size_class == QUIRE_CLASS_RAW;
}

static inline bool qr_zspage_is_full(const struct qr_zspage *z)
{
	if (qr_zspage_is_raw(z))
		return z->nr_live == QUIRE_EXTENT_FRAMES;
	return z->free_head == QUIRE_NO_OBJECT &&
	       z->bump == qr_class_objects(z->size_class);
}

static inline uint32_t qr_object_offset(const struct qr_zspage *z, uint32_t index)
{
	return index * qr_class_bytes(z->size_class);
}

/* The record of a zspage; NULL is never returned. */
struct qr_zspage *qr_zspage_at(const struct quire_swap *swap, uint32_t number);

/* slot.c: where a slot keeps its object's name. */
uint32_t *qr_slot_object(const struct quire_swap *swap, uint32_t slot);

/* A new object of the class; false when there is no frame, and nothing changed. */
bool qr_object_take(struct quire_swap *swap, uint32_t size_class, uint32_t *object);
/* The same with no new frame: from those that were freed. */
bool qr_object_take_freed(struct quire_swap *swap, uint32_t size_class, uint32_t *object);
/* The object is dead; with the last of its zspage that goes too, unless sealed. */
void qr_object_give(struct quire_swap *swap, uint32_t object);

/* Bytes of the extent that a zspage in RAM holds; its frames there must exist. */
void qr_zspage_read(const struct quire_swap *swap, const struct qr_zspage *z,
		    uint32_t offset, void *dst, uint32_t bytes);
void qr_zspage_write(const struct quire_swap *swap, const struct qr_zspage *z,
		     uint32_t offset, const void *src, uint32_t bytes);
/* The same between two of them. */
void qr_zspage_copy(const struct quire_swap *swap, const struct qr_zspage *to,
		    uint32_t to_offset, const struct qr_zspage *from,
		    uint32_t from_offset, uint32_t bytes);
/* The packed length of a live object in RAM.  Corruption stops the machine. */
uint32_t qr_object_length(const struct quire_swap *swap, const struct qr_zspage *z,
			  uint32_t index);

/* Takes the zspage off its list; nothing but its owner and deaths change it then. */
void qr_zspage_seal(struct quire_swap *swap, uint32_t number);
/* Back on the list where it belongs; has_losses when objects, not all, died meanwhile. */
void qr_zspage_unseal(struct quire_swap *swap, uint32_t number, bool has_losses);
/* The end of a sealed zspage in which all is dead.  Returns the frames freed. */
uint32_t qr_zspage_dispose(struct quire_swap *swap, uint32_t number);
/* Frees the frames.  Returns how many there were. */
uint32_t qr_zspage_free_frames(struct quire_swap *swap, struct qr_zspage *z);

/* swap_area.c */
void qr_swap_areas_destroy(struct quire_swap *swap);
/* Free extents, now taken: up to max (1..QUIRE_TRANSFER_EXTENTS) neighbours.  May let go
 * of the lock.  QUIRE_NO_SPACE, QUIRE_IO, QUIRE_NO_MEMORY: none. */
enum quire_status qr_extents_take(struct quire_swap *swap, uint32_t max, uint32_t *area,
				  uint32_t *extent, uint32_t *nr);
/* Around the writing of taken extents: until the end nobody reads them.  What begin
 * returns, end wants. */
uint32_t qr_extents_begin_write(struct quire_swap *swap, uint32_t area, uint32_t extent,
				uint32_t nr);
void qr_extents_end_write(struct quire_swap *swap, uint32_t writer);
void qr_extent_give(struct quire_swap *swap, uint32_t area, uint32_t extent);
/* The port failed to write there: that area, or that extent, is not the next choice. */
void qr_extent_failed(struct quire_swap *swap, uint32_t area, uint32_t extent,
		      enum quire_status status);
bool qr_extent_is_taken(const struct quire_swap *swap, uint32_t area, uint32_t extent);
/* NULL, or what is wrong with the maps; their bits are added to *nr_taken. */
const char *qr_swap_areas_validate(const struct quire_swap *swap, uint64_t *nr_taken);

#endif
