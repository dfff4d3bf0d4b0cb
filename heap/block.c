/* SPDX-License-Identifier: MIT */
/* block.c - the block heap: allocation, splitting, freeing, merging. */
#include "heap/block.h"

static void fill(void *memory, unsigned char byte, size_t bytes)
{
	unsigned char *at = memory;

	for (size_t i = 0; i < bytes; i++)
		at[i] = byte;
}

static void copy(void *to, const void *from, size_t bytes)
{
	unsigned char *restrict out = to;
	const unsigned char *restrict in = from;

	for (size_t i = 0; i < bytes; i++)
		out[i] = in[i];
}

void quire_block_init(struct quire_block_heap *heap, enum quire_fit fit,
		      const struct quire_block_ops *ops, size_t page_bytes)
{
	fill(heap, 0, sizeof(*heap));
	heap->fit = fit;
	heap->ops = ops;
	heap->page_bytes = page_bytes;
	heap->trim_threshold = (size_t)128 << 10;
	heap->mmap_threshold = (size_t)128 << 10;
	heap->mmap_max = 65536;
	heap->dynamic = true;
}

/* The block ends at bytes; what follows is a block of its own, not yet of any state. */
static struct quire_block *split(struct quire_block *block, size_t bytes)
{
	struct quire_block *rest = (struct quire_block *)((uintptr_t)(block + 1) + bytes);

	rest->bytes = block->bytes - bytes - QR_META_BYTES;
	rest->state = QUIRE_BLOCK_USED;
	rest->before = block;
	rest->after = block->after;
	if (rest->after != NULL) {
		rest->after->before = rest;
		qr_block_seal(rest->after);
	}
	qr_block_seal(rest);
	block->bytes = bytes;
	block->after = rest;
	qr_block_seal(block);
	return rest;
}

/* The block takes in the one behind it, whose meta block is no more. */
static void join(struct quire_block *block)
{
	struct quire_block *gone = block->after;

	block->bytes += QR_META_BYTES + gone->bytes;
	block->after = gone->after;
	if (block->after != NULL) {
		block->after->before = block;
		qr_block_seal(block->after);
	}
	qr_block_seal(block);
	gone->check = ~gone->check;
}

static bool is_free(const struct quire_block *block)
{
	return block != NULL && block->state == QUIRE_BLOCK_FREE;
}

struct quire_block *qr_block_release(struct quire_block_heap *heap,
				     struct quire_block *block)
{
	qr_block_trust(heap, block->before);
	qr_block_trust(heap, block->after);
	if (is_free(block->after)) {
		qr_fit_remove(heap, block->after);
		join(block);
	}
	if (is_free(block->before)) {
		block = block->before;
		qr_fit_remove(heap, block);
		join(block);
	}
	block->state = QUIRE_BLOCK_FREE;
	qr_block_seal(block);
	qr_fit_insert(heap, block);
	return block;
}

static void mark_used(struct quire_block_heap *heap, struct quire_block *block)
{
	block->state = QUIRE_BLOCK_USED;
	qr_block_seal(block);
	heap->nr_used++;
	heap->used_bytes += block->bytes;
}

void qr_block_cut(struct quire_block_heap *heap, struct quire_block *block, size_t bytes)
{
	size_t old = block->bytes;

	if (old - bytes < QR_META_BYTES + QR_BLOCK_MIN)
		return;
	qr_block_trust(heap, block->after);
	(void)qr_block_release(heap, split(block, bytes));
	heap->used_bytes -= old - bytes;
}

void qr_block_absorb(struct quire_block_heap *heap, struct quire_block *block)
{
	qr_fit_remove(heap, block->after);
	heap->used_bytes += QR_META_BYTES + block->after->bytes;
	join(block);
}

/* A used block of at least bytes, from what is free or what can be had. */
static struct quire_block *take(struct quire_block_heap *heap, size_t bytes)
{
	struct quire_block *block = qr_fit_find(heap, bytes);

	if (block == NULL)
		block = qr_block_grow(heap, bytes);
	if (block == NULL)
		return NULL;
	qr_fit_remove(heap, block);
	mark_used(heap, block);
	return block;
}

void *quire_block_alloc(struct quire_block_heap *heap, size_t bytes)
{
	size_t rounded = qr_block_round(bytes);
	struct quire_block *block = NULL;

	if (rounded == 0)
		return NULL;
	if (qr_block_maps(heap, rounded))
		block = qr_block_map(heap, rounded);
	if (block != NULL)
		return block + 1;
	block = take(heap, rounded);
	if (block == NULL)
		return NULL;
	qr_block_cut(heap, block, rounded);
	return block + 1;
}

/* What lies before the aligned address becomes a free block of its own. */
static struct quire_block *cut_front(struct quire_block_heap *heap,
				     struct quire_block *block, size_t align)
{
	uintptr_t start = (uintptr_t)(block + 1);
	uintptr_t at = (start + align - 1) & ~(uintptr_t)(align - 1);
	struct quire_block *rest;

	if (at == start)
		return block;
	if (at - start < QR_META_BYTES + QR_BLOCK_MIN)
		at += align;
	rest = split(block, at - start - QR_META_BYTES);
	heap->used_bytes -= at - start;
	(void)qr_block_release(heap, block);
	return rest;
}

void *quire_block_alloc_aligned(struct quire_block_heap *heap, size_t align, size_t bytes)
{
	size_t rounded = qr_block_round(bytes);
	struct quire_block *block;

	if (align <= QUIRE_BLOCK_ALIGN)
		return quire_block_alloc(heap, bytes);
	/* Wherever it begins, an aligned part of the size lies in it, and before that
	 * nothing or a block. */
	if (rounded == 0 || align > PTRDIFF_MAX / 4 || rounded > PTRDIFF_MAX - 3 * align)
		return NULL;
	block = take(heap, rounded + 2 * align + QR_META_BYTES);
	if (block == NULL)
		return NULL;
	block = cut_front(heap, block, align);
	qr_block_cut(heap, block, rounded);
	return block + 1;
}

void *quire_block_alloc_zeroed(struct quire_block_heap *heap, size_t nr, size_t bytes)
{
	size_t total;
	void *memory;

	if (__builtin_mul_overflow(nr, bytes, &total))
		return NULL;
	memory = quire_block_alloc(heap, total);
	if (memory != NULL &&
	    ((struct quire_block *)memory - 1)->state != QUIRE_BLOCK_MAPPED)
		fill(memory, 0, total);
	return memory;
}

void quire_block_free(struct quire_block_heap *heap, void *memory)
{
	struct quire_block *block;

	if (memory == NULL)
		return;
	block = qr_block_of(heap, memory);
	if (block->state == QUIRE_BLOCK_MAPPED) {
		qr_block_unmap(heap, block);
		return;
	}
	heap->nr_used--;
	heap->used_bytes -= block->bytes;
	(void)qr_block_release(heap, block);
	qr_block_trim_top(heap);
}

size_t quire_block_usable(const struct quire_block_heap *heap, const void *memory)
{
	return memory != NULL ? qr_block_of(heap, memory)->bytes : 0;
}

/* In place; false where that cannot be. */
static bool resize_here(struct quire_block_heap *heap, struct quire_block *block,
			size_t bytes)
{
	struct quire_block *after = block->after;

	qr_block_trust(heap, after);
	/* Also where it is too small, if the end behind it can move. */
	if (bytes > block->bytes && is_free(after) &&
	    (block->bytes + QR_META_BYTES + after->bytes >= bytes ||
	     after->after->state == QR_BLOCK_FENCE))
		qr_block_absorb(heap, block);
	if (bytes > block->bytes && !qr_block_extend(heap, block, bytes))
		return false;
	qr_block_cut(heap, block, bytes);
	return true;
}

void *quire_block_resize(struct quire_block_heap *heap, void *memory, size_t bytes)
{
	size_t rounded = qr_block_round(bytes);
	struct quire_block *block;
	void *moved;

	if (memory == NULL)
		return quire_block_alloc(heap, bytes);
	block = qr_block_of(heap, memory);
	if (rounded == 0)
		return NULL;
	if (block->state == QUIRE_BLOCK_MAPPED) {
		if (rounded >= heap->mmap_threshold / 2)
			block = qr_block_remap(heap, block, rounded);
		else
			block = NULL;
		if (block != NULL)
			return block + 1;
	} else if (resize_here(heap, block, rounded)) {
		qr_block_trim_top(heap);
		return memory;
	}
	moved = quire_block_alloc(heap, bytes);
	if (moved == NULL)
		return NULL;
	block = qr_block_of(heap, memory);
	copy(moved, memory, block->bytes < bytes ? block->bytes : bytes);
	quire_block_free(heap, memory);
	return moved;
}
