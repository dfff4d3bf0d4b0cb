/* SPDX-License-Identifier: MIT */
/* buddy_binary.c - the binary buddy system: a block of order k is 2^k frames whose first
 * frame number is a multiple of 2^k; its buddy differs from it in bit k alone, so that no
 * tag is needed.  (Knowlton, CACM 8:623, 1965.) */
#include "core/base/assert.h"
#include "core/frames/buddy_list.h"

static uint32_t size(const struct quire_buddy *buddy, uint32_t order)
{
	(void)buddy;
	return order < 31 ? 1u << order : UINT32_MAX;
}

static uint32_t split(const struct quire_buddy *buddy, uint32_t order,
		      struct quire_part parts[QUIRE_PARTS_MAX])
{
	(void)buddy;
	if (order == 0)
		return 0;
	parts[0] = (struct quire_part){.order = order - 1};
	parts[1] = (struct quire_part){.order = order - 1};
	return 2;
}

static uint32_t parent(const struct quire_buddy *buddy, uint32_t order, uint32_t kind)
{
	(void)buddy;
	(void)kind;
	return order + 1;
}

/* The block that is split next is the first of that list.  Its upper half gets a record
 * then, far from all others where it is large: the line is on its way until then. */
static inline void foresee_split(const struct quire_buddy *buddy, uint32_t group,
				 uint32_t order)
{
	uint32_t n = buddy->heads[group][order];

	if (n != QUIRE_NO_FRAME)
		__builtin_prefetch(&buddy->frames[n + (1u << (order - 1))], 1);
}

static bool alloc(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		  quire_pfn *out)
{
	uint32_t k = qr_list_find(buddy, group, order);
	uint32_t n;

	if (k != QUIRE_NO_ORDER) {
		n = qr_list_pop(buddy, group, k);
	} else {
		n = qr_buddy_borrow(buddy, order, group);
		if (n == QUIRE_NO_FRAME)
			return false;
		k = buddy->frames[n].order;
	}
	if (k > order)
		foresee_split(buddy, group, k);
	while (k > order) {
		k--;
		qr_list_push(buddy, n + (1u << k), k, 0);
	}
	qr_frame_set_head(&buddy->frames[n], qr_head_of(QUIRE_FRAME_TAKEN, order, 0));
	buddy->nr_free -= 1u << order;
	*out = (quire_pfn){n};
	return true;
}

/* Frees the block at n, whose frames are TAIL. */
static inline void merge(struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	uint32_t highest = buddy->nr_orders - 1;

	while (order < highest && qr_is_free_block(buddy, n ^ (1u << order), order)) {
		qr_list_remove(buddy, n ^ (1u << order), order);
		n &= ~(1u << order);
		order++;
	}
	qr_list_push(buddy, n, order, 0);
}

static void free_block(struct quire_buddy *buddy, quire_pfn pfn)
{
	struct quire_frame *frame = &buddy->frames[pfn.n];
	uint32_t order = qr_head_order(qr_frame_head(frame));

	QUIRE_ASSERT((pfn.n & ((1u << order) - 1)) == 0);
	qr_frame_set_head(frame, qr_head_of(QUIRE_FRAME_TAIL, order, 0));
	buddy->nr_free += 1u << order;
	merge(buddy, pfn.n, order);
}

/* The order of the largest block that ends at end and starts no lower than first. */
static uint32_t order_below(const struct quire_buddy *buddy, uint32_t end, uint32_t first)
{
	uint32_t order = 0;

	while (order + 1 < buddy->nr_orders && (end & (1u << order)) == 0 &&
	       end - first >= 1u << (order + 1))
		order++;
	return order;
}

/* Downwards, so that the lowest frames stand first on each list and are used first: the
 * upper part of the frame table then stays untouched for longest. */
static void add(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	while (end > first) {
		uint32_t order = order_below(buddy, end, first);

		end -= 1u << order;
		merge(buddy, end, order);
	}
}

static const char *validate(const struct quire_buddy *buddy)
{
	for (uint32_t n = 0; n < buddy->nr_frames; n++) {
		const struct quire_frame *frame = &buddy->frames[n];
		uint32_t order = frame->order;

		if (frame->use != QUIRE_FRAME_FREE)
			continue;
		if ((n & ((1u << order) - 1)) != 0)
			return "B1: a free block is not aligned";
		if (order + 1 < buddy->nr_orders &&
		    qr_is_free_block(buddy, n ^ (1u << order), order))
			return "B2: two free buddies did not merge";
	}
	return NULL;
}

const struct quire_buddy_ops qr_buddy_binary = {
	.name = "binary",
	.size = size,
	.split = split,
	.parent = parent,
	.alloc = alloc,
	.free = free_block,
	.add = add,
	.validate = validate,
};
