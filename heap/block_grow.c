/* SPDX-License-Identifier: MIT */
/* block_grow.c - where a block heap's memory comes from and goes to.
 *
 * Regions grow at their end by whole pages, only when no free block fits, and shrink
 * when the last block is free and large.  Large requests get mappings of their own; the
 * threshold rises to the size of the largest mapping that was freed, so that a program
 * that allocates and frees large blocks over and over does not map them over and over
 * (mallopt(3), M_MMAP_THRESHOLD).
 */
#include "heap/block.h"

/* mallopt(3): the highest that the threshold rises to by itself. */
#define MMAP_THRESHOLD_MAX ((size_t)32 << 20)

static size_t page_round(const struct quire_block_heap *heap, size_t bytes)
{
	return (bytes + heap->page_bytes - 1) & ~(heap->page_bytes - 1);
}

static void note_held(struct quire_block_heap *heap)
{
	heap->nr_calls++;
	if (heap->held_bytes > heap->peak_bytes)
		heap->peak_bytes = heap->held_bytes;
}

static void write_meta(struct quire_block *block, uint32_t state, size_t bytes,
		       struct quire_block *before, struct quire_block *after)
{
	*block = (struct quire_block){
		.bytes = bytes, .state = state, .before = before, .after = after};
	qr_block_seal(block);
}

static uintptr_t region_end(const struct quire_block_region *region)
{
	return (uintptr_t)(region->fence + 1);
}

/* A block from where the fence is to end, where the fence goes; used, not counted. */
static struct quire_block *move_fence(struct quire_block_region *region, uintptr_t end)
{
	struct quire_block *block = region->fence;
	struct quire_block *fence = (struct quire_block *)(end - QR_META_BYTES);

	write_meta(fence, QR_BLOCK_FENCE, 0, block, NULL);
	write_meta(block, QUIRE_BLOCK_USED, (uintptr_t)fence - (uintptr_t)(block + 1),
		   block->before, fence);
	region->fence = fence;
	return block;
}

/* A region in [start, end), all of it one used block, not counted. */
static struct quire_block *make_region(struct quire_block_heap *heap, uintptr_t start,
				       uintptr_t end, bool at_break)
{
	struct quire_block_region *region = (struct quire_block_region *)start;

	region->first = (struct quire_block *)(region + 1);
	region->fence = region->first;
	region->fence->before = NULL;
	region->at_break = at_break;
	region->next = heap->regions;
	heap->regions = region;
	return move_fence(region, end);
}

#define REGION_MIN (sizeof(struct quire_block_region) + 2 * QR_META_BYTES + QR_BLOCK_MIN)

enum quire_status quire_block_add(struct quire_block_heap *heap, void *start,
				  size_t bytes)
{
	const uintptr_t mask = QUIRE_BLOCK_ALIGN - 1;
	uintptr_t from = ((uintptr_t)start + mask) & ~mask;
	uintptr_t end = ((uintptr_t)start + bytes) & ~mask;

	if (end < from || end - from < REGION_MIN)
		return QUIRE_INVALID;
	heap->held_bytes += end - from;
	note_held(heap);
	(void)qr_block_release(heap, make_region(heap, from, end, false));
	return QUIRE_OK;
}

/* The region whose end the break is. */
static struct quire_block_region *top_region(const struct quire_block_heap *heap)
{
	struct quire_block_region *region = heap->regions;

	while (region != NULL && region->at_break == 0)
		region = region->next;
	return region;
}

static bool can_sbrk(const struct quire_block_heap *heap)
{
	return heap->ops != NULL && heap->ops->sbrk != NULL;
}

/* Moves the break up by bytes, whole pages; where it was, or 0. */
static uintptr_t move_break(struct quire_block_heap *heap, size_t bytes)
{
	void *old;

	if (bytes > PTRDIFF_MAX)
		return 0;
	old = heap->ops->sbrk(heap->ops->ctx, (intptr_t)bytes);
	if (old == (void *)-1)
		return 0;
	heap->held_bytes += bytes;
	note_held(heap);
	return (uintptr_t)old;
}

/* The free block that ends where the region does, or NULL. */
static struct quire_block *free_top(const struct quire_block_region *region)
{
	struct quire_block *last = region != NULL ? region->fence->before : NULL;

	return last != NULL && last->state == QUIRE_BLOCK_FREE ? last : NULL;
}

/* How much a block of bytes needs at the end of the region beyond what is free there. */
static size_t shortage(const struct quire_block_region *region, size_t bytes)
{
	const struct quire_block *last = free_top(region);

	if (region == NULL)
		return bytes + REGION_MIN;
	return last != NULL ? bytes - last->bytes : bytes + QR_META_BYTES;
}

/* Whether the break is still where the region ends; somebody else may have moved it. */
static bool adjoins_break(const struct quire_block_heap *heap,
			  const struct quire_block_region *region)
{
	return region != NULL &&
	       heap->ops->sbrk(heap->ops->ctx, 0) == (void *)region_end(region);
}

struct quire_block *qr_block_grow(struct quire_block_heap *heap, size_t bytes)
{
	struct quire_block_region *region = top_region(heap);
	uintptr_t old;
	size_t more;

	if (!can_sbrk(heap))
		return NULL;
	if (!adjoins_break(heap, region))
		region = NULL;
	/* The search by size may have passed it by. */
	if (free_top(region) != NULL && free_top(region)->bytes >= bytes)
		return free_top(region);
	more = page_round(heap, shortage(region, bytes) + heap->top_pad);
	old = move_break(heap, more);
	if (old == 0)
		return NULL;
	if (region != NULL)
		return qr_block_release(heap, move_fence(region, old + more));
	return qr_block_release(heap, make_region(heap, old, old + more, true));
}

bool qr_block_extend(struct quire_block_heap *heap, struct quire_block *block,
		     size_t bytes)
{
	struct quire_block_region *region = top_region(heap);
	struct quire_block *tail;
	size_t more;
	uintptr_t old;

	if (region == NULL || block->after != region->fence ||
	    !adjoins_break(heap, region))
		return false;
	more = page_round(heap, bytes - block->bytes);
	old = move_break(heap, more);
	if (old == 0)
		return false;
	tail = move_fence(region, old + more);
	tail->state = QUIRE_BLOCK_FREE;
	qr_block_seal(tail);
	qr_fit_insert(heap, tail);
	qr_block_absorb(heap, block);
	return true;
}

size_t quire_block_trim(struct quire_block_heap *heap, size_t pad)
{
	struct quire_block_region *region = top_region(heap);
	struct quire_block *last = free_top(region);
	size_t spare;

	if (last == NULL || last->bytes < pad + QR_BLOCK_MIN)
		return 0;
	spare = (last->bytes - pad - QR_BLOCK_MIN) & ~(heap->page_bytes - 1);
	if (spare == 0 || !adjoins_break(heap, region) ||
	    heap->ops->sbrk(heap->ops->ctx, -(intptr_t)spare) == (void *)-1)
		return 0;
	qr_fit_remove(heap, last);
	region->fence = (struct quire_block *)(qr_block_end(last) - spare);
	write_meta(last, QUIRE_BLOCK_FREE, last->bytes - spare, last->before,
		   region->fence);
	write_meta(region->fence, QR_BLOCK_FENCE, 0, last, NULL);
	qr_fit_insert(heap, last);
	heap->held_bytes -= spare;
	note_held(heap);
	return spare;
}

void qr_block_trim_top(struct quire_block_heap *heap)
{
	const struct quire_block *last = free_top(top_region(heap));

	if (last != NULL && last->bytes >= heap->trim_threshold)
		(void)quire_block_trim(heap, heap->top_pad);
}

bool qr_block_maps(const struct quire_block_heap *heap, size_t bytes)
{
	return heap->ops != NULL && heap->ops->map != NULL && heap->ops->unmap != NULL &&
	       bytes >= heap->mmap_threshold && heap->nr_mappings < heap->mmap_max;
}

static void link_mapping(struct quire_block_heap *heap, struct quire_block *block,
			 size_t mapped)
{
	write_meta(block, QUIRE_BLOCK_MAPPED, mapped - QR_META_BYTES, NULL,
		   heap->mappings);
	if (heap->mappings != NULL) {
		heap->mappings->before = block;
		qr_block_seal(heap->mappings);
	}
	heap->mappings = block;
	heap->nr_mappings++;
	heap->nr_used++;
	heap->used_bytes += block->bytes;
	heap->mapped_bytes += mapped;
	heap->held_bytes += mapped;
	note_held(heap);
}

static void unlink_mapping(struct quire_block_heap *heap, struct quire_block *block)
{
	qr_block_trust(heap, block->before);
	qr_block_trust(heap, block->after);
	if (block->after != NULL) {
		block->after->before = block->before;
		qr_block_seal(block->after);
	}
	if (block->before != NULL) {
		block->before->after = block->after;
		qr_block_seal(block->before);
	} else {
		heap->mappings = block->after;
	}
	heap->nr_mappings--;
	heap->nr_used--;
	heap->used_bytes -= block->bytes;
	heap->mapped_bytes -= QR_META_BYTES + block->bytes;
	heap->held_bytes -= QR_META_BYTES + block->bytes;
}

struct quire_block *qr_block_map(struct quire_block_heap *heap, size_t bytes)
{
	size_t mapped = page_round(heap, bytes + QR_META_BYTES);
	struct quire_block *block = heap->ops->map(heap->ops->ctx, mapped);

	if (block != NULL)
		link_mapping(heap, block, mapped);
	return block;
}

void qr_block_unmap(struct quire_block_heap *heap, struct quire_block *block)
{
	size_t bytes = block->bytes;

	unlink_mapping(heap, block);
	heap->nr_calls++;
	block->check = ~block->check;
	heap->ops->unmap(heap->ops->ctx, block, bytes + QR_META_BYTES);
	if (heap->dynamic && bytes > heap->mmap_threshold &&
	    bytes <= MMAP_THRESHOLD_MAX) {
		heap->mmap_threshold = bytes;
		heap->trim_threshold = 2 * bytes;
	}
}

struct quire_block *qr_block_remap(struct quire_block_heap *heap,
				   struct quire_block *block, size_t bytes)
{
	size_t old = QR_META_BYTES + block->bytes;
	size_t mapped = page_round(heap, bytes + QR_META_BYTES);
	struct quire_block *moved;

	if (mapped == old)
		return block;
	if (heap->ops->remap == NULL)
		return mapped < old ? block : NULL;
	unlink_mapping(heap, block);
	moved = heap->ops->remap(heap->ops->ctx, block, old, mapped);
	link_mapping(heap, moved != NULL ? moved : block, moved != NULL ? mapped : old);
	return moved;
}

enum quire_status quire_block_set(struct quire_block_heap *heap,
				  enum quire_block_option option, size_t value)
{
	switch (option) {
	case QUIRE_BLOCK_TRIM_THRESHOLD:
		heap->trim_threshold = value;
		break;
	case QUIRE_BLOCK_TOP_PAD:
		heap->top_pad = value;
		break;
	case QUIRE_BLOCK_MMAP_THRESHOLD:
		heap->mmap_threshold = value;
		break;
	case QUIRE_BLOCK_MMAP_MAX:
		heap->mmap_max = value;
		break;
	default:
		return QUIRE_INVALID;
	}
	heap->dynamic = false;
	return QUIRE_OK;
}
