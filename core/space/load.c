/* SPDX-License-Identifier: MIT */
/* load.c - a page's bytes, back from where its slot says they are. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/space.h"

/* Reads so much of the extent that the object is in bounce; a stream reads all of it,
 * since its next pages were packed next to this one.  Returns the object's first byte,
 * or NULL. */
static const unsigned char *read_object(struct quire_swap *swap, struct quire_lane *lane,
					const struct qr_swap_place *place, bool is_stream,
					enum quire_status *status)
{
	const struct quire_port *port = swap->port;
	size_t first = place->offset & ~(QUIRE_PAGE_BYTES - 1);
	size_t last = (place->offset + place->bytes + QUIRE_PAGE_BYTES - 1) &
		      ~(QUIRE_PAGE_BYTES - 1);

	if (is_stream) {
		first = 0;
		last = QUIRE_EXTENT_BYTES;
	}
	*status = port->swap_read(port->ctx, place->area,
				  (place->extent << QUIRE_EXTENT_SHIFT) + first,
				  lane->bounce + first, last - first);
	return *status == QUIRE_OK ? lane->bounce + place->offset : NULL;
}

/* Which extent, and since when: one written meanwhile must be read anew. */
static uint64_t bounce_key(const struct quire_swap *swap,
			   const struct qr_swap_place *place)
{
	uint64_t turn = swap->stats->extents_out;

	return 1 + place->area + QUIRE_SWAP_AREAS * (place->extent + (turn << 32));
}

static enum quire_status expand(const struct quire_swap *swap,
				const struct qr_swap_place *place, const void *packed,
				uint32_t bytes, void *dst)
{
	const struct quire_codec *codec = swap->codec;

	if (codec->checksum(packed, bytes) != place->checksum)
		return QUIRE_CORRUPT;
	if (bytes == QUIRE_PAGE_BYTES)
		memcpy(dst, packed, bytes);
	else if (!codec->expand(packed, bytes, dst, QUIRE_PAGE_BYTES))
		return QUIRE_CORRUPT;
	return QUIRE_OK;
}

static enum quire_status load_from_device(struct quire_swap *swap,
					  struct quire_lane *lane,
					  const struct qr_swap_place *place, uint64_t key,
					  bool is_stream, void *dst)
{
	enum quire_status status = QUIRE_OK;
	const unsigned char *raw = lane->bounce + place->offset;
	const void *packed;
	uint32_t bytes;

	if (lane->bounce_key != key)
		raw = read_object(swap, lane, place, is_stream, &status);
	lane->bounce_key = is_stream && status == QUIRE_OK ? key : 0;
	if (raw == NULL)
		return status;
	packed = qr_swap_object(place, raw, &bytes);
	if (packed == NULL)
		return QUIRE_CORRUPT;
	return expand(swap, place, packed, bytes, dst);
}

enum quire_status qr_space_load(struct quire_swap *swap, struct quire_lane *lane,
				quire_slot slot, void *dst, bool is_stream)
{
	const struct quire_port *port = swap->port;
	struct qr_swap_place place;
	enum quire_status status;
	uint64_t key, started = 0;

	qr_swap_get(swap, slot, lane->packed, &place);
	key = bounce_key(swap, &place);
	qr_unlock(swap->lock);
	if (place.on_device) {
		started = port->clock(port->ctx);
		status = load_from_device(swap, lane, &place, key, is_stream, dst);
		started = port->clock(port->ctx) - started;
	} else {
		status = expand(swap, &place, lane->packed, place.bytes, dst);
	}
	qr_lock(swap->lock);
	swap->stats->swap_ns += started;
	swap->stats->extents_in += place.on_device;
	return status;
}
