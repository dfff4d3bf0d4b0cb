/* SPDX-License-Identifier: MIT */
/* buddy_binary.c - the binary buddy system of buddy_binary.h, its lists threaded through
 * the frame table. */
#include "core/frames/buddy_binary.h"

#include "core/base/assert.h"

static uint32_t block_frames(uint32_t order)
{
	return 1u << order;
}

static void list_push(struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	struct quire_frame *frame = &buddy->frames[n];
	uint32_t next = buddy->heads[order];

	frame->use = QUIRE_FRAME_FREE;
	frame->order = (uint8_t)order;
	frame->next = next;
	frame->prev = QUIRE_NO_FRAME;
	if (next != QUIRE_NO_FRAME)
		buddy->frames[next].prev = n;
	buddy->heads[order] = n;
}

static void list_remove(struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	struct quire_frame *frame = &buddy->frames[n];

	if (frame->next != QUIRE_NO_FRAME)
		buddy->frames[frame->next].prev = frame->prev;
	if (frame->prev != QUIRE_NO_FRAME)
		buddy->frames[frame->prev].next = frame->next;
	else
		buddy->heads[order] = frame->next;
	frame->use = QUIRE_FRAME_TAIL;
}

/* The order of the largest block that ends at end and starts no lower than first. */
static uint32_t order_below(uint32_t end, uint32_t first)
{
	uint32_t order = 0;

	while (order < QUIRE_ORDER_MAX && (end & block_frames(order)) == 0 &&
	       end - first >= block_frames(order + 1))
		order++;
	return order;
}

void qr_buddy_init(struct quire_buddy *buddy, struct quire_frame *frames,
		   uint32_t nr_frames, uint32_t first)
{
	QUIRE_ASSERT(first <= nr_frames && nr_frames < QUIRE_NO_FRAME);
	buddy->frames = frames;
	buddy->nr_frames = nr_frames;
	buddy->nr_free = nr_frames - first;
	for (uint32_t order = 0; order <= QUIRE_ORDER_MAX; order++)
		buddy->heads[order] = QUIRE_NO_FRAME;

	/* Downwards, so that the lowest frames stand first on each list and are used
	 * first: the upper part of the frame table then stays untouched for longest. */
	for (uint32_t end = nr_frames; end > first;) {
		uint32_t order = order_below(end, first);

		end -= block_frames(order);
		list_push(buddy, end, order);
	}
}

bool qr_buddy_alloc(struct quire_buddy *buddy, uint32_t order, quire_pfn *out)
{
	uint32_t k = order;
	uint32_t n;

	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX);
	while (k <= QUIRE_ORDER_MAX && buddy->heads[k] == QUIRE_NO_FRAME)
		k++;
	if (k > QUIRE_ORDER_MAX)
		return false;

	n = buddy->heads[k];
	list_remove(buddy, n, k);
	while (k > order) {
		k--;
		list_push(buddy, n + block_frames(k), k);
	}
	buddy->nr_free -= block_frames(order);
	*out = (quire_pfn){n};
	return true;
}

static bool is_free_block(const struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	return n < buddy->nr_frames && buddy->frames[n].use == QUIRE_FRAME_FREE &&
	       buddy->frames[n].order == order;
}

void qr_buddy_free(struct quire_buddy *buddy, quire_pfn pfn, uint32_t order)
{
	uint32_t n = pfn.n;

	QUIRE_ASSERT(order <= QUIRE_ORDER_MAX);
	QUIRE_ASSERT((n & (block_frames(order) - 1)) == 0);
	QUIRE_ASSERT(n < buddy->nr_frames && buddy->nr_frames - n >= block_frames(order));
	QUIRE_ASSERT(buddy->frames[n].use != QUIRE_FRAME_FREE);

	buddy->frames[n].use = QUIRE_FRAME_TAIL;
	buddy->nr_free += block_frames(order);
	while (order < QUIRE_ORDER_MAX) {
		uint32_t other = n ^ block_frames(order);

		if (!is_free_block(buddy, other, order))
			break;
		list_remove(buddy, other, order);
		n &= ~block_frames(order);
		order++;
	}
	list_push(buddy, n, order);
}

/* B1 and B2 for one list; its length is added to *nr_heads, its frames to *nr_free. */
static const char *validate_list(const struct quire_buddy *buddy, uint32_t order,
				 uint32_t *nr_heads, uint32_t *nr_free)
{
	uint32_t prev = QUIRE_NO_FRAME;

	for (uint32_t n = buddy->heads[order]; n != QUIRE_NO_FRAME;) {
		const struct quire_frame *frame;

		if (n >= buddy->nr_frames || *nr_heads >= buddy->nr_frames)
			return "B1: a free list leads out of the zone or is a ring";
		frame = &buddy->frames[n];
		if (!is_free_block(buddy, n, order) || frame->prev != prev)
			return "B1: a block is on the list of another order";
		if ((n & (block_frames(order) - 1)) != 0 ||
		    buddy->nr_frames - n < block_frames(order))
			return "B1: a free block is not aligned or ends past the zone";
		if (order < QUIRE_ORDER_MAX &&
		    is_free_block(buddy, n ^ block_frames(order), order))
			return "B2: two free buddies did not merge";
		++*nr_heads;
		*nr_free += block_frames(order);
		prev = n;
		n = frame->next;
	}
	return NULL;
}

/* F1: heads that no list has reached, and heads inside another's block. */
static const char *validate_table(const struct quire_buddy *buddy, uint32_t nr_heads)
{
	uint32_t end = 0;

	for (uint32_t n = 0; n < buddy->nr_frames; n++) {
		const struct quire_frame *frame = &buddy->frames[n];

		if (n < end && frame->use != QUIRE_FRAME_TAIL)
			return "F1: a frame inside a free block is in use";
		if (frame->use != QUIRE_FRAME_FREE)
			continue;
		if (nr_heads-- == 0)
			return "B1: a free block is on no list";
		end = n + block_frames(frame->order);
	}
	return NULL;
}

const char *qr_buddy_validate(const struct quire_buddy *buddy)
{
	uint32_t nr_heads = 0;
	uint32_t nr_free = 0;

	for (uint32_t order = 0; order <= QUIRE_ORDER_MAX; order++) {
		const char *wrong = validate_list(buddy, order, &nr_heads, &nr_free);

		if (wrong != NULL)
			return wrong;
	}
	if (nr_free != buddy->nr_free)
		return "B3: nr_free is not the sum of the lists";
	return validate_table(buddy, nr_heads);
}
