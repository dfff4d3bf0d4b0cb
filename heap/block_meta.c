/* SPDX-License-Identifier: MIT */
/* block_meta.c - meta blocks: their check, and the trust in them.
 *
 * A block that was written past its end, or freed twice, shows in a check that does not
 * fit; a meta block that merging made away with is wiped, and never fits again.
 */
#include "heap/block.h"

/* An odd constant with no pattern: 2^64 over the golden ratio (Knuth 6.4). */
#define GOLDEN 0x9e3779b97f4a7c15u

static uint32_t check_of(const struct quire_block *block)
{
	uint64_t sum = (uint64_t)(uintptr_t)block;

	sum = (sum ^ block->bytes) * GOLDEN;
	sum = (sum ^ (sum >> 32) ^ block->state) * GOLDEN;
	sum = (sum ^ (sum >> 32) ^ (uintptr_t)block->before) * GOLDEN;
	sum = (sum ^ (sum >> 32) ^ (uintptr_t)block->after) * GOLDEN;
	return (uint32_t)(sum >> 32);
}

void qr_block_seal(struct quire_block *block)
{
	block->check = check_of(block);
}

bool qr_block_is_whole(const struct quire_block *block)
{
	return block->check == check_of(block);
}

void qr_block_stop(const struct quire_block_heap *heap, const char *what,
		   const void *block)
{
	if (heap->ops != NULL && heap->ops->stop != NULL)
		heap->ops->stop(heap->ops->ctx, what, block);
	__builtin_trap();
}

void qr_block_trust(const struct quire_block_heap *heap, const struct quire_block *block)
{
	if (block != NULL && !qr_block_is_whole(block))
		qr_block_stop(heap, "a meta block was written over", block + 1);
}

struct quire_block *qr_block_of(const struct quire_block_heap *heap, const void *memory)
{
	struct quire_block *block = (struct quire_block *)(uintptr_t)memory - 1;

	if ((uintptr_t)memory % QUIRE_BLOCK_ALIGN != 0 || !qr_block_is_whole(block))
		qr_block_stop(heap, "not a block, or one that was freed or written over",
			      memory);
	if (block->state == QUIRE_BLOCK_FREE)
		qr_block_stop(heap, "a block that was freed", memory);
	return block;
}

size_t qr_block_round(size_t bytes)
{
	if (bytes > PTRDIFF_MAX)
		return 0;
	if (bytes < QR_BLOCK_MIN)
		return QR_BLOCK_MIN;
	return (bytes + QUIRE_BLOCK_ALIGN - 1) & ~(size_t)(QUIRE_BLOCK_ALIGN - 1);
}
