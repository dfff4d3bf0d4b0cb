/* SPDX-License-Identifier: MIT */
/* block_check.c - a block heap from end to end: the walk, and the validation. */
#include "heap/block.h"

static bool walk_chain(const struct quire_block *block,
		       bool (*visit)(void *, const void *, size_t,
				     enum quire_block_state),
		       void *ctx)
{
	for (; block != NULL && block->state != QR_BLOCK_FENCE; block = block->after) {
		if (!visit(ctx, block + 1, block->bytes,
			   (enum quire_block_state)block->state))
			return false;
	}
	return true;
}

void quire_block_walk(const struct quire_block_heap *heap,
		      bool (*visit)(void *ctx, const void *block, size_t bytes,
				    enum quire_block_state state),
		      void *ctx)
{
	for (const struct quire_block_region *region = heap->regions; region != NULL;
	     region = region->next) {
		if (!walk_chain(region->first, visit, ctx))
			return;
	}
	(void)walk_chain(heap->mappings, visit, ctx);
}

/* What a heap's blocks add up to. */
struct sums {
	size_t used, nr_used, free, nr_free, meta;
};

static void add(struct sums *sums, const struct quire_block *block)
{
	sums->meta += QR_META_BYTES;
	if (block->state == QUIRE_BLOCK_FREE) {
		sums->free += block->bytes;
		sums->nr_free++;
	} else if (block->state != QR_BLOCK_FENCE) {
		sums->used += block->bytes;
		sums->nr_used++;
	}
}

static const char *check_pair(const struct quire_block *block)
{
	const struct quire_block *after = block->after;

	if (after == NULL)
		return "K2: a region's last block has no neighbour behind";
	if ((uintptr_t)after != qr_block_end(block) || after->before != block)
		return "K2: neighbours do not name each other";
	if (block->state == QUIRE_BLOCK_FREE && after->state == QUIRE_BLOCK_FREE)
		return "K3: two free blocks are neighbours";
	return NULL;
}

static const char *check_region(const struct quire_block_region *region,
				struct sums *sums)
{
	const struct quire_block *block = region->first;
	const char *broken = NULL;

	for (; broken == NULL && block != region->fence; block = block->after) {
		if (!qr_block_is_whole(block))
			return "K1: a meta block was written over";
		if (block->state > QUIRE_BLOCK_USED)
			return "K2: a block of a region has a state that is not one";
		broken = check_pair(block);
		add(sums, block);
	}
	if (broken == NULL && !qr_block_is_whole(region->fence))
		broken = "K1: a fence was written over";
	sums->meta += sizeof(*region) + QR_META_BYTES;
	return broken;
}

static const char *check_mappings(const struct quire_block_heap *heap, struct sums *sums)
{
	const struct quire_block *before = NULL;
	size_t nr = 0;

	for (const struct quire_block *block = heap->mappings; block != NULL;
	     block = block->after) {
		if (!qr_block_is_whole(block))
			return "K1: a mapping's meta block was written over";
		if (block->state != QUIRE_BLOCK_MAPPED || block->before != before)
			return "K2: the mappings do not name each other";
		add(sums, block);
		before = block;
		nr++;
	}
	return nr == heap->nr_mappings ? NULL : "K5: mappings do not add up";
}

const char *quire_block_validate(const struct quire_block_heap *heap)
{
	struct sums sums = {.used = 0};
	const char *broken = check_mappings(heap, &sums);

	for (const struct quire_block_region *region = heap->regions;
	     region != NULL && broken == NULL; region = region->next)
		broken = check_region(region, &sums);
	if (broken == NULL)
		broken = qr_fit_validate(heap);
	if (broken == NULL &&
	    (sums.used != heap->used_bytes || sums.nr_used != heap->nr_used ||
	     sums.free != heap->free_bytes || sums.nr_free != heap->nr_free ||
	     sums.used + sums.free + sums.meta != heap->held_bytes))
		broken = "K5: bytes do not add up";
	return broken;
}
