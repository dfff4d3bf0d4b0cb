/* SPDX-License-Identifier: MIT */
/* block.h - what the block heap's files share.
 *
 * Invariants.  quire_block_validate() names the first that does not hold.
 *   K1  a meta block's check is that of its fields and its address;
 *   K2  the blocks of a region lie side by side, from its first to its end, and each
 *       names its neighbours;
 *   K3  no two free blocks are neighbours;
 *   K4  each free block is on the list that its size or address calls for, and on no
 *       other;
 *   K5  held = used + free + meta blocks + regions' headers.
 */
#ifndef QUIRE_HEAP_BLOCK_H
#define QUIRE_HEAP_BLOCK_H

#include "quire/heap.h"

#define QR_META_BYTES sizeof(struct quire_block)
/* Room for the two links that a free block holds. */
#define QR_BLOCK_MIN ((size_t)16)

/* At a region's start.  At its end lies the fence: a meta block without a block, which is
 * the last block's neighbour behind. */
struct quire_block_region {
	struct quire_block_region *next;
	struct quire_block *first, *fence;
	size_t at_break; /* 1: made by sbrk, and grows by it */
};

/* A fence's state; no fence is seen from outside. */
#define QR_BLOCK_FENCE 3u

/* In a free block, behind its meta block. */
struct qr_free_links {
	struct quire_block *prev, *next;
};

static inline struct qr_free_links *qr_block_links(struct quire_block *block)
{
	return (struct qr_free_links *)(block + 1);
}

static inline uintptr_t qr_block_end(const struct quire_block *block)
{
	return (uintptr_t)(block + 1) + block->bytes;
}

/* block_meta.c: meta blocks. */
/* Writes the check; after every change. */
void qr_block_seal(struct quire_block *block);
bool qr_block_is_whole(const struct quire_block *block);
/* Stops the program where the block's meta block, which may be NULL, is not whole. */
void qr_block_trust(const struct quire_block_heap *heap, const struct quire_block *block);
__attribute__((noreturn)) void qr_block_stop(const struct quire_block_heap *heap,
					     const char *what, const void *block);
/* The meta block of a used block; stops the program if it is none. */
struct quire_block *qr_block_of(const struct quire_block_heap *heap, const void *memory);
/* A multiple of QUIRE_BLOCK_ALIGN, QR_BLOCK_MIN at least; 0 where that overflows. */
size_t qr_block_round(size_t bytes);

/* block_fit.c and block_tlsf.c: the free blocks, by policy. */
void qr_fit_insert(struct quire_block_heap *heap, struct quire_block *block);
void qr_fit_remove(struct quire_block_heap *heap, struct quire_block *block);
/* A free block of at least bytes; NULL if there is none. */
struct quire_block *qr_fit_find(struct quire_block_heap *heap, size_t bytes);
const char *qr_fit_validate(const struct quire_block_heap *heap);
void qr_tlsf_insert(struct quire_block_heap *heap, struct quire_block *block);
void qr_tlsf_remove(struct quire_block_heap *heap, struct quire_block *block);
struct quire_block *qr_tlsf_find(struct quire_block_heap *heap, size_t bytes);
const char *qr_tlsf_validate(const struct quire_block_heap *heap, size_t *nr_free);

/* block.c: splitting and merging. */
/* The block is free from now on, merged with its neighbours; what it became. */
struct quire_block *qr_block_release(struct quire_block_heap *heap,
				     struct quire_block *block);
/* What a used block has beyond bytes becomes free, if it is enough for a block. */
void qr_block_cut(struct quire_block_heap *heap, struct quire_block *block, size_t bytes);
/* A used block takes in the free one behind it. */
void qr_block_absorb(struct quire_block_heap *heap, struct quire_block *block);

/* block_grow.c: regions and mappings. */
/* A free block of at least bytes at the end of a region; NULL without memory. */
struct quire_block *qr_block_grow(struct quire_block_heap *heap, size_t bytes);
/* Moves the end so that the last block, which is used, has bytes. */
bool qr_block_extend(struct quire_block_heap *heap, struct quire_block *block,
		     size_t bytes);
void qr_block_trim_top(struct quire_block_heap *heap);
struct quire_block *qr_block_map(struct quire_block_heap *heap, size_t bytes);
void qr_block_unmap(struct quire_block_heap *heap, struct quire_block *block);
struct quire_block *qr_block_remap(struct quire_block_heap *heap,
				   struct quire_block *block, size_t bytes);
bool qr_block_maps(const struct quire_block_heap *heap, size_t bytes);

#endif
