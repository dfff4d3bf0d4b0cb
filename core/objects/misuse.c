/* SPDX-License-Identifier: MIT */
/* misuse.c - the lines of misuse.h. */
#include "core/objects/misuse.h"

#include "core/base/text.h"
#include "core/objects/locate.h"

static const char *const texts[] = {
	[QR_DOUBLE_FREE] = "double free of object ",
	[QR_WRONG_CACHE] = "free into another cache of object ",
	[QR_OVERRUN] = "overrun of object ",
	[QR_UNDERRUN] = "underrun of object ",
	[QR_USE_AFTER_FREE] = "use after free of object ",
	[QR_LEAKED] = "leaked at destroy: object ",
	[QR_INTERIOR] = "free of interior pointer ",
	[QR_FOREIGN] = "free of foreign pointer ",
	[QR_LINK_LOST] = "free list damaged at object ",
};

static void add_detail(struct qr_text *text, enum qr_misuse what, const void *object,
		       uint64_t detail)
{
	const struct quire_kmem_cache *owner;

	switch (what) {
	case QR_WRONG_CACHE:
		owner = (const struct quire_kmem_cache *)(uintptr_t)detail;
		qr_text_string(text, ", which is of cache '", 0);
		qr_text_string(text, owner->name, 0);
		qr_text_string(text, "'", 0);
		break;
	case QR_OVERRUN:
	case QR_USE_AFTER_FREE:
		qr_text_string(text, ", byte ", 0);
		qr_text_number(text, detail, 0);
		qr_text_string(text, " was written", 0);
		break;
	case QR_UNDERRUN:
		qr_text_string(text, ", byte -", 0);
		qr_text_number(text, detail, 0);
		qr_text_string(text, " was written", 0);
		break;
	case QR_INTERIOR:
		qr_text_string(text, ", ", 0);
		qr_text_number(text, (uint64_t)((uintptr_t)object - (uintptr_t)detail),
			       0);
		qr_text_string(text, " bytes into object ", 0);
		qr_text_hex(text, detail);
		break;
	case QR_FOREIGN:
		qr_text_string(text, ", which no cache handed out", 0);
		break;
	default:
		break;
	}
}

static void add_track(struct qr_text *text, const char *verb,
		      const struct qr_track *track)
{
	if (track == NULL || track->site == NULL)
		return;
	qr_text_string(text, verb, 0);
	qr_text_hex(text, (uint64_t)(uintptr_t)track->site);
	qr_text_string(text, " on CPU ", 0);
	qr_text_number(text, track->cpu, 0);
}

/* The cache that remembers who had the object, or NULL where there is no object. */
static const struct quire_kmem_cache *owner_of(const struct quire_kmem_cache *cache,
					       enum qr_misuse what, uint64_t detail)
{
	if (what == QR_FOREIGN || what == QR_INTERIOR)
		return NULL;
	if (what == QR_WRONG_CACHE)
		return (const struct quire_kmem_cache *)(uintptr_t)detail;
	return cache;
}

static void stop(struct quire_objects *objects, const struct quire_kmem_cache *cache,
		 enum qr_misuse what, const void *object, uint64_t detail)
	__attribute__((noreturn));

static void stop(struct quire_objects *objects, const struct quire_kmem_cache *cache,
		 enum qr_misuse what, const void *object, uint64_t detail)
{
	const struct quire_port *port = objects->zone->port;
	const struct quire_kmem_cache *owner = owner_of(cache, what, detail);
	char line[320];
	struct qr_text text;

	qr_text_init(&text, line, sizeof(line));
	qr_text_string(&text, "slab: cache '", 0);
	qr_text_string(&text, cache != NULL ? cache->name : "kmalloc", 0);
	qr_text_string(&text, "': ", 0);
	qr_text_string(&text, texts[what], 0);
	qr_text_hex(&text, (uint64_t)(uintptr_t)object);
	add_detail(&text, what, object, detail);
	if (owner != NULL) {
		add_track(&text, "; allocated from ", qr_debug_track(owner, object, 0));
		add_track(&text, "; freed from ", qr_debug_track(owner, object, 1));
	}
	port->panic(port->ctx, line);
}

void qr_misuse(const struct quire_kmem_cache *cache, enum qr_misuse what,
	       const void *object, uint64_t detail)
{
	stop(cache->objects, cache, what, object, detail);
}

/* The address of the block of frames that the pointer points into. */
static uint64_t large_block_of(const struct quire_objects *objects, const void *pointer)
{
	const struct quire_zone *zone = objects->zone;
	uint64_t offset = (uint64_t)((uintptr_t)pointer - (uintptr_t)zone->port->direct);
	quire_pfn pfn = {(uint32_t)(offset >> QUIRE_PAGE_SHIFT)};
	uint32_t order;

	while (!qr_frame_heads_large(qr_zone_frame(zone, pfn), &order))
		pfn.n--;
	return (uint64_t)(uintptr_t)qr_zone_address(zone, pfn);
}

void qr_misuse_of_pointer(struct quire_objects *objects,
			  const struct quire_kmem_cache *cache, const void *pointer)
{
	const struct quire_frame *frame = qr_frame_at(&objects->direct, pointer);
	const struct qr_slab *slab;
	uint64_t offset;

	if (frame == NULL)
		stop(objects, cache, QR_FOREIGN, pointer, 0);
	slab = qr_frame_slab(frame);
	if (slab == &objects->large_slab) {
		offset = large_block_of(objects, pointer);
		if (offset != (uint64_t)(uintptr_t)pointer)
			stop(objects, slab->cache, QR_INTERIOR, pointer, offset);
		stop(objects, cache, QR_WRONG_CACHE, pointer,
		     (uint64_t)(uintptr_t)slab->cache);
	}
	offset = (uint64_t)((uintptr_t)pointer - (uintptr_t)slab->first);
	if (offset >= slab->cache->span)
		stop(objects, slab->cache, QR_FOREIGN, pointer, 0);
	if (!qr_slab_has_object(slab, pointer))
		stop(objects, slab->cache, QR_INTERIOR, pointer,
		     (uint64_t)(uintptr_t)slab->first +
			     offset / slab->cache->stride * slab->cache->stride);
	stop(objects, cache, QR_WRONG_CACHE, pointer, (uint64_t)(uintptr_t)slab->cache);
}
