/* SPDX-License-Identifier: MIT */
/* block_fit.c - the free blocks on one list by address: first, next and best fit.
 *
 * The list is list[0].  Where a block belongs is found by its neighbours: the nearest
 * free block below it is its predecessor.
 */
#include "heap/block.h"

static struct quire_block *free_below(struct quire_block *block)
{
	do {
		block = block->before;
	} while (block != NULL && block->state != QUIRE_BLOCK_FREE);
	return block;
}

/* Free blocks of other regions lie below as well. */
static struct quire_block *predecessor(const struct quire_block_heap *heap,
				       struct quire_block *block)
{
	struct quire_block *prev = free_below(block);
	struct quire_block *at;

	if (prev != NULL)
		return prev;
	for (at = heap->list[0]; at != NULL && at < block; at = qr_block_links(at)->next)
		prev = at;
	return prev;
}

static void list_insert(struct quire_block_heap *heap, struct quire_block *block)
{
	struct qr_free_links *links = qr_block_links(block);

	links->prev = predecessor(heap, block);
	if (links->prev != NULL) {
		links->next = qr_block_links(links->prev)->next;
		qr_block_links(links->prev)->next = block;
	} else {
		links->next = heap->list[0];
		heap->list[0] = block;
	}
	if (links->next != NULL)
		qr_block_links(links->next)->prev = block;
}

static void list_remove(struct quire_block_heap *heap, struct quire_block *block)
{
	struct qr_free_links *links = qr_block_links(block);

	if (links->prev != NULL)
		qr_block_links(links->prev)->next = links->next;
	else
		heap->list[0] = links->next;
	if (links->next != NULL)
		qr_block_links(links->next)->prev = links->prev;
	if (heap->rover == block)
		heap->rover = links->next;
}

static struct quire_block *first_from(const struct quire_block_heap *heap,
				      struct quire_block *at,
				      const struct quire_block *end, size_t bytes)
{
	for (; at != end; at = qr_block_links(at)->next) {
		qr_block_trust(heap, at);
		if (at->bytes >= bytes)
			return at;
	}
	return NULL;
}

static struct quire_block *next_fit(struct quire_block_heap *heap, size_t bytes)
{
	struct quire_block *found = first_from(heap, heap->rover, NULL, bytes);

	if (found == NULL)
		found = first_from(heap, heap->list[0], heap->rover, bytes);
	if (found != NULL)
		heap->rover = found;
	return found;
}

static struct quire_block *best_fit(const struct quire_block_heap *heap, size_t bytes)
{
	struct quire_block *best = NULL;
	struct quire_block *at = heap->list[0];

	while ((at = first_from(heap, at, NULL, bytes)) != NULL) {
		if (best == NULL || at->bytes < best->bytes)
			best = at;
		at = qr_block_links(at)->next;
	}
	return best;
}

struct quire_block *qr_fit_find(struct quire_block_heap *heap, size_t bytes)
{
	switch (heap->fit) {
	case QUIRE_FIT_NEXT:
		return next_fit(heap, bytes);
	case QUIRE_FIT_BEST:
		return best_fit(heap, bytes);
	case QUIRE_FIT_SEGREGATED:
		return qr_tlsf_find(heap, bytes);
	case QUIRE_FIT_FIRST:
	default:
		return first_from(heap, heap->list[0], NULL, bytes);
	}
}

void qr_fit_insert(struct quire_block_heap *heap, struct quire_block *block)
{
	heap->nr_free++;
	heap->free_bytes += block->bytes;
	if (heap->fit == QUIRE_FIT_SEGREGATED)
		qr_tlsf_insert(heap, block);
	else
		list_insert(heap, block);
}

void qr_fit_remove(struct quire_block_heap *heap, struct quire_block *block)
{
	heap->nr_free--;
	heap->free_bytes -= block->bytes;
	if (heap->fit == QUIRE_FIT_SEGREGATED)
		qr_tlsf_remove(heap, block);
	else
		list_remove(heap, block);
}

static const char *list_validate(const struct quire_block_heap *heap, size_t *nr_free)
{
	struct quire_block *prev = NULL;

	for (struct quire_block *at = heap->list[0]; at != NULL;
	     at = qr_block_links(at)->next) {
		if (at->state != QUIRE_BLOCK_FREE || qr_block_links(at)->prev != prev ||
		    (prev != NULL && prev >= at))
			return "K4: the list of free blocks is out of order";
		prev = at;
		++*nr_free;
	}
	return NULL;
}

const char *qr_fit_validate(const struct quire_block_heap *heap)
{
	size_t nr_free = 0;
	const char *broken;

	if (heap->fit == QUIRE_FIT_SEGREGATED)
		broken = qr_tlsf_validate(heap, &nr_free);
	else
		broken = list_validate(heap, &nr_free);
	if (broken == NULL && nr_free != heap->nr_free)
		broken = "K4: a free block is on no list, or on two";
	return broken;
}
