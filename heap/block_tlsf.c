/* SPDX-License-Identifier: MIT */
/* block_tlsf.c - the free blocks on lists by size, in two levels.
 *
 * Model.  The first level is the highest bit of the size, the second the four bits that
 * follow: sixteen lists to a doubling.  Below 256 bytes the lists are one size each.  A
 * search looks only at lists whose every block is large enough, so the first block
 * found does; the price is that a request may pass by a block of its own list.
 */
#include "heap/block.h"

#define SECOND_SHIFT 4u
#define SECOND	     (1u << SECOND_SHIFT)
#define FIRST	     (QUIRE_BLOCK_SIZE_LISTS / SECOND)
/* Sizes below have a list each. */
#define LINEAR_SHIFT 8u

static unsigned list_of(size_t bytes)
{
	unsigned log, list;

	if (bytes < (size_t)1 << LINEAR_SHIFT)
		return (unsigned)(bytes / QUIRE_BLOCK_ALIGN);
	log = 63u - (unsigned)__builtin_clzll(bytes);
	list = (log - LINEAR_SHIFT + 1) * SECOND +
	       ((unsigned)(bytes >> (log - SECOND_SHIFT)) & (SECOND - 1));
	return list < QUIRE_BLOCK_SIZE_LISTS ? list : QUIRE_BLOCK_SIZE_LISTS - 1;
}

void qr_tlsf_insert(struct quire_block_heap *heap, struct quire_block *block)
{
	struct qr_free_links *links = qr_block_links(block);
	unsigned list = list_of(block->bytes);

	links->prev = NULL;
	links->next = heap->list[list];
	if (links->next != NULL)
		qr_block_links(links->next)->prev = block;
	heap->list[list] = block;
	heap->filled_second[list / SECOND] |= (uint16_t)(1u << (list % SECOND));
	heap->filled_first |= (uint64_t)1 << (list / SECOND);
}

void qr_tlsf_remove(struct quire_block_heap *heap, struct quire_block *block)
{
	struct qr_free_links *links = qr_block_links(block);
	unsigned list = list_of(block->bytes);

	if (links->next != NULL)
		qr_block_links(links->next)->prev = links->prev;
	if (links->prev != NULL)
		qr_block_links(links->prev)->next = links->next;
	else
		heap->list[list] = links->next;
	if (heap->list[list] != NULL)
		return;
	heap->filled_second[list / SECOND] &= (uint16_t) ~(1u << (list % SECOND));
	if (heap->filled_second[list / SECOND] == 0)
		heap->filled_first &= ~((uint64_t)1 << (list / SECOND));
}

/* The first list that is not empty from list on; QUIRE_BLOCK_SIZE_LISTS if none is. */
static unsigned first_filled(const struct quire_block_heap *heap, unsigned list)
{
	unsigned first = list / SECOND;
	unsigned second = heap->filled_second[first] & (~0u << (list % SECOND));
	uint64_t above;

	if (second != 0)
		return first * SECOND + (unsigned)__builtin_ctz(second);
	above = heap->filled_first & ~(((uint64_t)2 << first) - 1);
	if (above == 0)
		return QUIRE_BLOCK_SIZE_LISTS;
	first = (unsigned)__builtin_ctzll(above);
	return first * SECOND + (unsigned)__builtin_ctz(heap->filled_second[first]);
}

/* The size rounded up to where its list begins, so that all of the list will do. */
static size_t list_start(size_t bytes)
{
	unsigned log;

	if (bytes < (size_t)1 << LINEAR_SHIFT)
		return bytes;
	log = 63u - (unsigned)__builtin_clzll(bytes);
	return bytes + ((size_t)1 << (log - SECOND_SHIFT)) - 1;
}

struct quire_block *qr_tlsf_find(struct quire_block_heap *heap, size_t bytes)
{
	unsigned list = first_filled(heap, list_of(list_start(bytes)));
	struct quire_block *block;

	/* Before giving up, the one that lies first where some may be too small. */
	if (list == QUIRE_BLOCK_SIZE_LISTS)
		list = list_of(bytes);
	block = heap->list[list];
	if (block == NULL)
		return NULL;
	qr_block_trust(heap, block);
	return block->bytes >= bytes ? block : NULL;
}

static const char *validate_list(const struct quire_block_heap *heap, unsigned list,
				 size_t *nr_free)
{
	bool filled = (heap->filled_second[list / SECOND] >> (list % SECOND) & 1) != 0;
	struct quire_block *prev = NULL;

	if (filled != (heap->list[list] != NULL))
		return "K4: the map of the lists is wrong";
	for (struct quire_block *at = heap->list[list]; at != NULL;
	     at = qr_block_links(at)->next) {
		if (at->state != QUIRE_BLOCK_FREE || list_of(at->bytes) != list ||
		    qr_block_links(at)->prev != prev)
			return "K4: a free block is on the wrong list";
		prev = at;
		++*nr_free;
	}
	return NULL;
}

const char *qr_tlsf_validate(const struct quire_block_heap *heap, size_t *nr_free)
{
	for (unsigned first = 0; first < FIRST; first++) {
		if ((heap->filled_second[first] != 0) !=
		    ((heap->filled_first >> first & 1) != 0))
			return "K4: the map of the maps is wrong";
	}
	for (unsigned list = 0; list < QUIRE_BLOCK_SIZE_LISTS; list++) {
		const char *broken = validate_list(heap, list, nr_free);

		if (broken != NULL)
			return broken;
	}
	return NULL;
}
