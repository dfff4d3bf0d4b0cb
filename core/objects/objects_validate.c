/* SPDX-License-Identifier: MIT */
/* objects_validate.c - the invariants of cache.h, by a walk that believes nothing. */
#include "core/objects/fast.h"

struct sums {
	uint64_t slabs;	 /* frames by the lists of slabs */
	uint64_t owned;	 /* frames by their records */
	uint64_t large;	 /* frames of large blocks */
	uint64_t rounds; /* of the cache at hand, met in slabs */
};

/* Sets the bits of the rounds that lie in the slab; false where one is set already. */
static bool mark_rounds(const struct qr_slab *slab, void *const *round, uint32_t rounds,
			uint64_t *bits, struct sums *sums)
{
	for (uint32_t i = 1; i <= rounds; i++) {
		const void *object = round[i];
		uint32_t index;

		if (!qr_slab_has_object(slab, object))
			continue;
		index = qr_slab_index(slab, object);
		if ((bits[index / 64] >> (index % 64) & 1) != 0)
			return false;
		bits[index / 64] |= (uint64_t)1 << (index % 64);
		sums->rounds++;
	}
	return true;
}

static bool mark_magazines(const struct qr_slab *slab, uint64_t *bits, struct sums *sums)
{
	const struct quire_kmem_cache *cache = slab->cache;
	bool is_sound = true;

	for (uint32_t cpu = 0; cpu < cache->objects->config.nr_cpus; cpu++) {
		const struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);

		is_sound &= mark_rounds(slab, qr_cpu_bottom(cc), qr_cpu_rounds(cc), bits,
					sums);
		if (cc->previous != NULL)
			is_sound &= mark_rounds(slab, cc->previous->round,
						cc->previous_rounds, bits, sums);
	}
	for (const struct qr_magazine *m = cache->depot_full; m != NULL; m = m->next)
		is_sound &= mark_rounds(slab, m->round, m->rounds, bits, sums);
	return is_sound;
}

static const char *validate_slab(const struct qr_slab *slab, struct sums *sums)
{
	const struct quire_kmem_cache *cache = slab->cache;
	uint64_t bits[QR_SLAB_OBJECTS_MAX / 64] = {0};

	if (!qr_slab_mark_free(slab, bits))
		return "O2: a slab's free list is not its free objects";
	if (!mark_magazines(slab, bits, sums))
		return "O3: an object is free twice";
	for (uint32_t i = 0; i < cache->slab_frames; i++) {
		const struct quire_frame *frame =
			qr_zone_frame(cache->zone, (quire_pfn){slab->pfn.n + i});

		if (frame->use != QUIRE_FRAME_SLAB || qr_frame_slab(frame) != slab ||
		    qr_frame_cache_id(frame) != cache->id)
			return "O4: a frame does not know its slab";
	}
	sums->slabs += qr_slab_frames(slab);
	return NULL;
}

static const char *validate_list(const struct quire_kmem_cache *cache,
				 const struct qr_slab_list *list, uint32_t least,
				 uint32_t most, struct sums *sums)
{
	const struct qr_slab *prev = NULL;
	uint64_t nr = 0;

	for (const struct qr_slab *slab = list->head; slab != NULL; slab = slab->next) {
		const char *wrong;

		if (slab->prev != prev || slab->cache != cache || nr++ >= list->nr)
			return "O1: a list of slabs leads astray";
		if (slab->nr_used < least || slab->nr_used > most)
			return "O1: a slab is not on the list of its count";
		wrong = validate_slab(slab, sums);
		if (wrong != NULL)
			return wrong;
		prev = slab;
	}
	return nr == list->nr ? NULL : "O1: a list of slabs is not as long as it says";
}

static const char *validate_magazines(const struct quire_kmem_cache *cache,
				      const struct sums *sums)
{
	uint64_t rounds = 0;
	uint32_t nr_full = 0, nr_empty = 0;

	for (const struct qr_magazine *m = cache->depot_full; m != NULL; m = m->next) {
		if (m->rounds != m->capacity)
			return "O5: a full magazine in the depot is not";
		rounds += m->rounds;
		nr_full++;
	}
	for (const struct qr_magazine *m = cache->depot_empty; m != NULL; m = m->next)
		nr_empty++;
	if (rounds != cache->depot_rounds || nr_full != cache->nr_depot_full ||
	    nr_empty != cache->nr_depot_empty)
		return "O5: the depot's counts are not what it holds";
	for (uint32_t cpu = 0; cpu < cache->objects->config.nr_cpus; cpu++) {
		const struct qr_cpu_cache *cc = qr_cpu_cache(cache, cpu);

		if (cc->previous_rounds != 0 &&
		    cc->previous_rounds != cc->previous->capacity)
			return "O5: a previous magazine is neither full nor empty";
		rounds += qr_cpu_rounds(cc) + cc->previous_rounds;
	}
	return rounds == sums->rounds ? NULL : "O3: a magazine holds what no slab has";
}

static const char *validate_cache(const struct quire_kmem_cache *cache, struct sums *sums)
{
	uint32_t per_slab = cache->per_slab;
	const char *wrong;

	sums->rounds = 0;
	wrong = validate_list(cache, &cache->full, per_slab, per_slab, sums);
	if (wrong == NULL)
		wrong = validate_list(cache, &cache->partial, 1, per_slab - 1, sums);
	if (wrong == NULL)
		wrong = validate_list(cache, &cache->empty, 0, 0, sums);
	return wrong != NULL ? wrong : validate_magazines(cache, sums);
}

/* Frames of use SLAB in the zone by its count, and those that say whose they are; the
 * large ones are counted apart. */
static bool frames_agree(const struct quire_objects *objects,
			 const struct quire_zone *zone, struct sums *sums)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < zone->buddy.nr_frames; i++) {
		const struct quire_frame *frame =
			qr_zone_frame(zone, (quire_pfn){zone->base + i});

		if (frame->use != QUIRE_FRAME_SLAB)
			continue;
		nr++;
		if (qr_frame_slab(frame) == &objects->large_slab)
			sums->large++;
		else
			sums->owned++;
	}
	return nr == zone->counts[QUIRE_FRAME_SLAB];
}

const char *quire_objects_validate(struct quire_objects *objects)
{
	const struct quire_objects_config *config = &objects->config;
	struct sums sums = {0};
	const char *wrong = validate_cache(objects->boot, &sums);
	bool agree;

	for (const struct quire_kmem_cache *c = objects->caches;
	     wrong == NULL && c != NULL; c = c->next)
		wrong = validate_cache(c, &sums);
	if (wrong != NULL)
		return wrong;
	agree = frames_agree(objects, config->zone, &sums);
	if (config->dma_zone != NULL && config->dma_zone != config->zone)
		agree &= frames_agree(objects, config->dma_zone, &sums);
	if (!agree || sums.owned != sums.slabs)
		return "O4: slabs are not the zone's frames of use SLAB";
	if (sums.large != objects->nr_large_frames)
		return "O4: large blocks are not as many frames as counted";
	return NULL;
}
