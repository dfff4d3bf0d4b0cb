/* SPDX-License-Identifier: MIT */
/* load.c - a page's bytes, back from where its slot says they are. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/space.h"

/* Where extent i of the bounce has its bytes. */
static unsigned char *held_bytes(const struct quire_bounce *bounce, uint32_t i)
{
	return bounce->bytes + i * QUIRE_EXTENT_BYTES;
}

/* The place's extent as it was read before, or NULL.  One that was written after that
 * must be read anew; turns are told apart as far as half of their range. */
static const unsigned char *find_held(const struct quire_bounce *bounce,
				      const struct qr_swap_place *place)
{
	for (uint32_t i = 0; i < bounce->nr; i++)
		if (bounce->held[i].is_loaded && bounce->held[i].area == place->area &&
		    bounce->held[i].extent == place->extent &&
		    bounce->held[i].turn - place->turn <= UINT32_MAX / 2)
			return held_bytes(bounce, i);
	return NULL;
}

/* Room for nr extents side by side; what was there is gone. */
static uint32_t make_room(struct quire_bounce *bounce, uint32_t nr)
{
	uint32_t first = bounce->next + nr <= bounce->nr ? bounce->next : 0;

	for (uint32_t i = first; i < first + nr; i++)
		bounce->held[i].is_loaded = false;
	bounce->next = first + nr;
	return first;
}

/* Reads only so much as has the object. */
static const unsigned char *read_object(struct quire_space *space,
					struct quire_lane *lane,
					const struct qr_swap_place *place,
					enum quire_status *status)
{
	const struct quire_port *port = space->port;
	size_t first = place->offset & ~(QUIRE_PAGE_BYTES - 1);
	size_t last = (place->offset + place->bytes + QUIRE_PAGE_BYTES - 1) &
		      ~(QUIRE_PAGE_BYTES - 1);
	unsigned char *at = held_bytes(&lane->bounce, make_room(&lane->bounce, 1));

	*status = port->swap_read(port->ctx, place->area,
				  (place->extent << QUIRE_EXTENT_SHIFT) + first,
				  at + first, last - first);
	return *status == QUIRE_OK ? at + place->offset : NULL;
}

/* Reads the extent and those behind it, nr in all; false where one cannot be read. */
static bool read_ahead(struct quire_space *space, struct quire_lane *lane,
		       const struct qr_swap_place *place, uint32_t nr, uint32_t turn)
{
	const struct quire_port *port = space->port;
	struct quire_bounce *bounce = &lane->bounce;
	uint32_t first = make_room(bounce, nr);

	if (port->swap_read(port->ctx, place->area, place->extent << QUIRE_EXTENT_SHIFT,
			    held_bytes(bounce, first),
			    nr * QUIRE_EXTENT_BYTES) != QUIRE_OK)
		return false;
	for (uint32_t i = 0; i < nr; i++) {
		bounce->held[first + i].area = place->area;
		bounce->held[first + i].extent = (uint32_t)place->extent + i;
		bounce->held[first + i].turn = turn;
		bounce->held[first + i].is_loaded = true;
	}
	return true;
}

static enum quire_status expand(const struct quire_space *space,
				const struct qr_swap_place *place, const void *packed,
				uint32_t bytes, void *dst)
{
	const struct quire_codec *codec = space->swap->codec;

	if (codec->checksum(packed, bytes) != place->checksum)
		return QUIRE_CORRUPT;
	if (bytes == QUIRE_PAGE_BYTES)
		memcpy(dst, packed, bytes);
	else if (!codec->expand(packed, bytes, dst, QUIRE_PAGE_BYTES))
		return QUIRE_CORRUPT;
	return QUIRE_OK;
}

/* nr: extents to read at once, 0 for the object alone; turn: the swap's. */
static enum quire_status load_from_device(struct quire_space *space,
					  struct quire_lane *lane,
					  const struct qr_swap_place *place, uint32_t nr,
					  uint32_t turn, void *dst)
{
	enum quire_status status = QUIRE_OK;
	const unsigned char *raw = find_held(&lane->bounce, place);
	const void *packed;
	uint32_t bytes;

	if (raw == NULL && nr > 0 && read_ahead(space, lane, place, nr, turn))
		raw = find_held(&lane->bounce, place);
	raw = raw != NULL ? raw + place->offset
			  : read_object(space, lane, place, &status);
	if (raw == NULL)
		return status;
	packed = qr_swap_object(place, raw, &bytes);
	if (packed == NULL)
		return QUIRE_CORRUPT;
	return expand(space, place, packed, bytes, dst);
}

/* Extents that a stream reads at once: at most half of the bounce, so that those before
 * can still be of use. */
static uint32_t stream_extents(const struct quire_space *space,
			       const struct quire_lane *lane,
			       const struct qr_swap_place *place)
{
	uint32_t max = (lane->bounce.nr + 1) / 2;

	if (max > QUIRE_TRANSFER_EXTENTS)
		max = QUIRE_TRANSFER_EXTENTS;
	return qr_swap_readable(space->swap, place->area, (uint32_t)place->extent, max);
}

enum quire_status qr_space_load(struct quire_space *space, struct quire_lane *lane,
				quire_slot slot, void *dst, bool is_stream)
{
	const struct quire_port *port = space->port;
	const uint32_t turn = space->swap->turn;
	struct qr_swap_place place;
	enum quire_status status;
	uint64_t started = 0;
	uint32_t nr = 0;

	qr_swap_get(space->swap, slot, lane->packed, &place);
	if (place.on_device && is_stream)
		nr = stream_extents(space, lane, &place);
	qr_unlock(space->lock);
	if (place.on_device) {
		started = port->clock(port->ctx);
		status = load_from_device(space, lane, &place, nr, turn, dst);
		started = port->clock(port->ctx) - started;
	} else {
		status = expand(space, &place, lane->packed, place.bytes, dst);
	}
	qr_lock(space->lock);
	space->stats->swap_ns += started;
	space->stats->extents_in += place.on_device;
	return status;
}
