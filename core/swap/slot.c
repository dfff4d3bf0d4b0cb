/* SPDX-License-Identifier: MIT */
/* slot.c - slots: put, get, dup, drop, and the life of the whole store.
 *
 * Most slots have one entry, so a slot has no count of its own: when a second entry
 * comes, the object's name moves to a record that also counts, and moves back when the
 * last but one goes.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/swap/zspage.h"

/* A count that has got here stays: the slot then outlives its entries, but no entry ever
 * outlives its slot. */
#define EXTRA_SATURATED UINT32_MAX

static struct qr_slot *slot_at(const struct quire_swap *swap, uint32_t slot)
{
	return qr_pool_at(&swap->slots, slot);
}

static bool slot_is_shared(const struct qr_slot *slot)
{
	return (slot->object & QUIRE_OBJECT_SHARED) != 0;
}

static struct qr_shared *shared_at(const struct quire_swap *swap,
				   const struct qr_slot *slot)
{
	return qr_pool_at(&swap->shared, slot->object & ~QUIRE_OBJECT_SHARED);
}

uint32_t *qr_slot_object(const struct quire_swap *swap, uint32_t slot)
{
	struct qr_slot *record = slot_at(swap, slot);

	return slot_is_shared(record) ? &shared_at(swap, record)->object
				      : &record->object;
}

void qr_swap_init(struct quire_swap *swap, struct quire_zone *zone,
		  struct quire_lock *lock, const struct quire_codec *codec,
		  bool has_device)
{
	*swap = (struct quire_swap){
		.zone = zone,
		.lock = lock,
		.port = zone->port,
		.codec = codec,
		.stats = zone->stats,
		.has_device = has_device,
	};
	qr_pool_init(&swap->slots, zone, sizeof(struct qr_slot));
	qr_pool_init(&swap->zspages, zone, sizeof(struct qr_zspage));
	qr_pool_init(&swap->shared, zone, sizeof(struct qr_shared));
}

static void object_fill(struct quire_swap *swap, uint32_t object, const void *packed,
			uint32_t bytes)
{
	struct qr_zspage *z = qr_zspage_at(swap, qr_object_zspage(object));
	uint32_t offset = qr_object_offset(z, qr_object_index(object));
	uint16_t length = (uint16_t)bytes;

	if (!qr_zspage_is_raw(z)) {
		qr_zspage_write(swap, z, offset, &length, sizeof(length));
		offset += (uint32_t)sizeof(length);
	}
	qr_zspage_write(swap, z, offset, packed, bytes);
	z->live_bytes = (uint16_t)(z->live_bytes + bytes);
	swap->stats->stored_pages++;
	swap->stats->stored_bytes += bytes;
}

enum quire_status qr_swap_put(struct quire_swap *swap, const void *packed, uint32_t bytes,
			      uint32_t checksum, quire_slot *out)
{
	uint32_t size_class = QUIRE_CLASS_RAW;
	uint32_t object;
	quire_slot slot;

	QUIRE_ASSERT(bytes == QUIRE_PAGE_BYTES ||
		     (bytes > 0 && bytes <= QUIRE_PACKED_MAX));
	if (bytes != QUIRE_PAGE_BYTES)
		size_class = qr_class_for(bytes + (uint32_t)sizeof(uint16_t));
	slot.n = qr_pool_alloc(&swap->slots, QUIRE_ALLOC_RESERVE);
	if (slot.n == 0)
		return QUIRE_NO_MEMORY;
	if (!qr_object_take(swap, size_class, &object)) {
		qr_pool_free(&swap->slots, slot.n);
		return QUIRE_NO_MEMORY;
	}
	object_fill(swap, object, packed, bytes);
	*slot_at(swap, slot.n) = (struct qr_slot){.object = object, .checksum = checksum};
	*out = slot;
	return QUIRE_OK;
}

void qr_swap_get(struct quire_swap *swap, quire_slot slot, void *buf,
		 struct qr_swap_place *place)
{
	uint32_t object = *qr_slot_object(swap, slot.n);
	uint32_t index = qr_object_index(object);
	const struct qr_zspage *z = qr_zspage_at(swap, qr_object_zspage(object));
	uint32_t offset = qr_object_offset(z, index);

	*place = (struct qr_swap_place){
		.checksum = slot_at(swap, slot.n)->checksum,
		.on_device = z->state == QUIRE_ZSPAGE_ON_DEVICE,
		.offset = offset,
	};
	if (place->on_device) {
		place->bytes = qr_class_bytes(z->size_class);
		place->area = z->area;
		place->extent = z->extent;
		place->turn = z->turn;
		return;
	}
	place->bytes = qr_object_length(swap, z, index);
	if (!qr_zspage_is_raw(z))
		offset += (uint32_t)sizeof(uint16_t);
	qr_zspage_read(swap, z, offset, buf, place->bytes);
}

const void *qr_swap_object(const struct qr_swap_place *place, const void *raw,
			   uint32_t *bytes)
{
	uint16_t length;

	if (place->bytes == QUIRE_PAGE_BYTES) {
		*bytes = place->bytes;
		return raw;
	}
	memcpy(&length, raw, sizeof(length));
	if (length == 0 || length > place->bytes - sizeof(length))
		return NULL;
	*bytes = length;
	return (const unsigned char *)raw + sizeof(length);
}

enum quire_status qr_swap_dup(struct quire_swap *swap, quire_slot slot)
{
	struct qr_slot *record = slot_at(swap, slot.n);
	struct qr_shared *shared;
	uint32_t number;

	if (slot_is_shared(record)) {
		shared = shared_at(swap, record);
		if (shared->extra != EXTRA_SATURATED)
			shared->extra++;
		return QUIRE_OK;
	}
	number = qr_pool_alloc(&swap->shared, QUIRE_ALLOC_RESERVE);
	if (number == 0)
		return QUIRE_NO_MEMORY;
	shared = qr_pool_at(&swap->shared, number);
	*shared = (struct qr_shared){.object = record->object, .extra = 1};
	record->object = number | QUIRE_OBJECT_SHARED;
	return QUIRE_OK;
}

/* One entry fewer of several. */
static void unshare(struct quire_swap *swap, struct qr_slot *record)
{
	struct qr_shared *shared = shared_at(swap, record);
	uint32_t number = record->object & ~QUIRE_OBJECT_SHARED;

	if (shared->extra == EXTRA_SATURATED)
		return;
	shared->extra--;
	if (shared->extra > 0)
		return;
	record->object = shared->object;
	qr_pool_free(&swap->shared, number);
}

static void object_drop(struct quire_swap *swap, uint32_t object)
{
	struct qr_zspage *z = qr_zspage_at(swap, qr_object_zspage(object));

	if (z->state == QUIRE_ZSPAGE_ON_DEVICE) {
		swap->stats->spilled_pages--;
	} else {
		uint32_t bytes = qr_object_length(swap, z, qr_object_index(object));

		z->live_bytes = (uint16_t)(z->live_bytes - bytes);
		swap->stats->stored_pages--;
		swap->stats->stored_bytes -= bytes;
	}
	qr_object_give(swap, object);
}

bool qr_swap_drop(struct quire_swap *swap, quire_slot slot)
{
	struct qr_slot *record = slot_at(swap, slot.n);
	uint32_t object = record->object;

	if (slot_is_shared(record)) {
		unshare(swap, record);
		return false;
	}
	qr_pool_free(&swap->slots, slot.n);
	object_drop(swap, object);
	return true;
}

bool qr_swap_is_shared(const struct quire_swap *swap, quire_slot slot)
{
	return slot_is_shared(slot_at(swap, slot.n));
}

bool qr_swap_is_on_device(const struct quire_swap *swap, quire_slot slot)
{
	uint32_t object = *qr_slot_object(swap, slot.n);

	return qr_zspage_at(swap, qr_object_zspage(object))->state ==
	       QUIRE_ZSPAGE_ON_DEVICE;
}

bool qr_swap_is_used(const struct quire_swap *swap, quire_slot slot)
{
	return slot.n != 0 && qr_pool_next(&swap->slots, slot.n - 1) == slot.n;
}

void qr_swap_destroy(struct quire_swap *swap)
{
	QUIRE_ASSERT(swap->nr_writing == 0);
	for (uint32_t n = qr_pool_next(&swap->zspages, 0); n != 0;
	     n = qr_pool_next(&swap->zspages, n)) {
		struct qr_zspage *z = qr_zspage_at(swap, n);

		if (z->state != QUIRE_ZSPAGE_ON_DEVICE)
			qr_zspage_free_frames(swap, z);
	}
	qr_swap_areas_destroy(swap);
	qr_pool_destroy(&swap->slots);
	qr_pool_destroy(&swap->zspages);
	qr_pool_destroy(&swap->shared);
	swap->stats->stored_pages = 0;
	swap->stats->stored_bytes = 0;
	swap->stats->spilled_pages = 0;
	swap->stats->swap_extents = 0;
	qr_swap_init(swap, swap->zone, swap->lock, swap->codec, swap->has_device);
}
