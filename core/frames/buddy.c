/* SPDX-License-Identifier: MIT */
/* buddy.c - what the four buddy systems of buddy.h do alike. */
#include "core/frames/buddy.h"

#include "core/base/assert.h"
#include "core/frames/buddy_list.h"

static void init_sizes(struct quire_buddy *buddy, uint32_t most)
{
	while (buddy->nr_orders < QUIRE_ORDERS_MAX) {
		uint32_t size = buddy->ops->size(buddy, buddy->nr_orders);

		if (size > most)
			break;
		buddy->sizes[buddy->nr_orders++] = size;
	}
}

void qr_buddy_init(struct quire_buddy *buddy, const struct quire_buddy_config *config,
		   struct quire_frame *frames, uint32_t nr_frames)
{
	QUIRE_ASSERT(nr_frames < QUIRE_NO_FRAME && config->most >= 1);
	*buddy = (struct quire_buddy){
		.ops = config->ops,
		.frames = frames,
		.nr_frames = nr_frames,
		.lag = config->lag,
		.groups = config->groups,
	};
	/* Sizes are sums of sizes: half the range of 32 bits keeps them in it. */
	init_sizes(buddy, config->most < 1u << 30 ? config->most : 1u << 30);
	for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
		for (uint32_t order = 0; order < QUIRE_ORDERS_MAX; order++)
			buddy->heads[group][order] = QUIRE_NO_FRAME;
}

void qr_buddy_add(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	QUIRE_ASSERT(first <= end && end <= buddy->nr_frames);
	buddy->nr_free += end - first;
	buddy->ops->add(buddy, first, end);
}

uint32_t qr_buddy_order(const struct quire_buddy *buddy, uint32_t nr)
{
	uint32_t low = 0;
	uint32_t high = buddy->nr_orders;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (buddy->sizes[middle] < nr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < buddy->nr_orders ? low : QUIRE_NO_ORDER;
}

bool qr_buddy_alloc(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		    quire_pfn *out)
{
	QUIRE_ASSERT(order < buddy->nr_orders);
	return buddy->ops->alloc(buddy, order, group, out);
}

void qr_buddy_free(struct quire_buddy *buddy, quire_pfn pfn)
{
	QUIRE_ASSERT(pfn.n < buddy->nr_frames);
	QUIRE_ASSERT(buddy->frames[pfn.n].use > QUIRE_FRAME_FREE);
	QUIRE_ASSERT(buddy->frames[pfn.n].order < buddy->nr_orders);
	buddy->ops->free(buddy, pfn);
}

static bool is_inside(const struct quire_frame *frame)
{
	return frame->use == QUIRE_FRAME_TAIL ||
	       (frame->use == QUIRE_FRAME_SLAB && frame->order == QUIRE_ORDER_PART);
}

uint32_t qr_buddy_head(const struct quire_buddy *buddy, uint32_t n)
{
	struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);

	while (n > 0 && is_inside(&frame))
		frame = qr_frame_peek(&buddy->frames[--n]);
	return n;
}

/* Splits the free block at n; its parts are free blocks afterwards. */
static void split_free(struct quire_buddy *buddy, uint32_t n)
{
	struct quire_part parts[QUIRE_PARTS_MAX];
	uint32_t order = buddy->frames[n].order;
	uint32_t tag = buddy->frames[n].tag;
	uint32_t nr = buddy->ops->split(buddy, order, parts);

	QUIRE_ASSERT(nr > 0);
	qr_list_remove(buddy, n, order);
	for (uint32_t i = 0; i < nr; i++) {
		qr_list_push(buddy, n, parts[i].order, qr_part_tag(tag, parts, i));
		n += buddy->sizes[parts[i].order];
	}
}

void qr_buddy_take(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	uint32_t n = qr_buddy_head(buddy, first);

	while (n < end) {
		struct quire_frame *frame = &buddy->frames[n];
		uint32_t size;

		QUIRE_ASSERT(frame->use == QUIRE_FRAME_FREE);
		size = buddy->sizes[frame->order];
		if (n >= first && n + size <= end) {
			qr_list_remove(buddy, n, frame->order);
			frame->use = QUIRE_FRAME_TAKEN;
			buddy->nr_free -= size;
			n += size;
		} else if (n + size <= first) {
			n += size;
		} else {
			split_free(buddy, n);
		}
	}
}

static bool is_free(const struct quire_buddy *buddy, uint32_t n)
{
	return qr_frame_peek(&buddy->frames[n]).use == QUIRE_FRAME_FREE;
}

/* Frames from the block's head on to the next head. */
static uint32_t block_frames(const struct quire_buddy *buddy, uint32_t n)
{
	struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);
	bool is_block = frame.use == QUIRE_FRAME_FREE || frame.use == QUIRE_FRAME_TAKEN ||
			qr_frame_is_handed_out(&frame);

	return is_block && frame.order < buddy->nr_orders ? buddy->sizes[frame.order] : 1;
}

uint32_t qr_buddy_find_run(const struct quire_buddy *buddy, uint32_t nr, uint32_t align)
{
	uint32_t first = 0;

	QUIRE_ASSERT(align > 0 && (align & (align - 1)) == 0 && nr > 0);
	for (uint32_t n = 0; n < buddy->nr_frames;) {
		uint32_t after = n + block_frames(buddy, n);

		if (!is_free(buddy, n))
			first = (after + align - 1) & ~(align - 1);
		else if (after > first && after - first >= nr)
			return first;
		n = after;
	}
	return QUIRE_NO_FRAME;
}

void qr_buddy_regroup(struct quire_buddy *buddy, uint32_t first, uint32_t end,
		      uint32_t group)
{
	QUIRE_ASSERT(group < QUIRE_GROUPS && buddy->groups != NULL);
	for (uint32_t n = first; n < end; n += QUIRE_GROUP_FRAMES)
		atomic_store_explicit(&buddy->groups[n >> QUIRE_GROUP_SHIFT],
				      (uint8_t)group, memory_order_relaxed);
	for (uint32_t n = first; n < end;) {
		struct quire_frame frame = qr_frame_peek(&buddy->frames[n]);
		uint32_t order = frame.order, tag = frame.tag;

		if (frame.use == QUIRE_FRAME_FREE) {
			qr_list_remove(buddy, n, order);
			qr_list_push(buddy, n, order, tag);
		}
		n += block_frames(buddy, n);
	}
}

static uint32_t free_in(const struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	uint32_t nr = 0;

	for (uint32_t n = first; n < end; n += block_frames(buddy, n))
		if (is_free(buddy, n))
			nr += buddy->sizes[buddy->frames[n].order];
	return nr;
}

/* The runs that the block touches change sides when half of their frames are free: then
 * the borrowing group has room for what comes next, and does not scatter over others. */
static void win_runs(struct quire_buddy *buddy, uint32_t n, uint32_t group)
{
	uint32_t size = buddy->sizes[buddy->frames[n].order];
	uint32_t first = n & ~(QUIRE_GROUP_FRAMES - 1);
	uint32_t end = (n + size + QUIRE_GROUP_FRAMES - 1) & ~(QUIRE_GROUP_FRAMES - 1);

	if (end > buddy->nr_frames)
		end = buddy->nr_frames;
	if (2 * free_in(buddy, first, end) >= end - first)
		qr_buddy_regroup(buddy, first, end, group);
}

uint32_t qr_buddy_borrow(struct quire_buddy *buddy, uint32_t order, uint32_t group)
{
	for (uint32_t other = 0; buddy->groups != NULL && other < QUIRE_GROUPS; other++) {
		uint64_t filled = buddy->filled[other];
		uint32_t k, n;

		if (other == group || filled >> order == 0)
			continue;
		/* The largest: the fewer blocks are borrowed, the fewer are mixed. */
		k = 63u - (uint32_t)__builtin_clzll(filled);
		n = buddy->heads[other][k];
		win_runs(buddy, n, group);
		qr_list_remove(buddy, n, k);
		return n;
	}
	return QUIRE_NO_FRAME;
}

uint32_t qr_buddy_count(const struct quire_buddy *buddy, uint32_t group, uint32_t order)
{
	uint32_t nr = 0;

	for (uint32_t n = buddy->heads[group][order]; n != QUIRE_NO_FRAME;
	     n = buddy->frames[n].next)
		nr++;
	return nr;
}

/* B1 for one list; its length is added to *nr_heads, its frames to *nr_free. */
static const char *validate_list(const struct quire_buddy *buddy, uint32_t group,
				 uint32_t order, uint32_t *nr_heads, uint32_t *nr_free)
{
	uint32_t prev = QUIRE_NO_FRAME;
	bool is_filled = (buddy->filled[group] >> order & 1) != 0;

	if (is_filled != (buddy->heads[group][order] != QUIRE_NO_FRAME))
		return "B1: a list is not what the bits say";
	for (uint32_t n = buddy->heads[group][order]; n != QUIRE_NO_FRAME;) {
		const struct quire_frame *frame;

		if (n >= buddy->nr_frames || *nr_heads >= buddy->nr_frames)
			return "B1: a free list leads out of the zone or is a ring";
		frame = &buddy->frames[n];
		if (!qr_is_free_block(buddy, n, order) || frame->prev != prev)
			return "B1: a block is on the list of another order";
		if (frame->group != group || qr_group_of(buddy, n) != group)
			return "B1: a block is on the list of another group";
		if (buddy->nr_frames - n < buddy->sizes[order])
			return "B1: a free block ends past the zone";
		++*nr_heads;
		*nr_free += buddy->sizes[order];
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
		end = n + buddy->sizes[frame->order];
	}
	return NULL;
}

const char *qr_buddy_validate(const struct quire_buddy *buddy)
{
	const char *wrong = NULL;
	uint32_t nr_heads = 0;
	uint32_t nr_free = 0;

	for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
		for (uint32_t k = 0; k < buddy->nr_orders && wrong == NULL; k++)
			wrong = validate_list(buddy, group, k, &nr_heads, &nr_free);
	if (wrong == NULL && nr_free != buddy->nr_free)
		wrong = "B3: nr_free is not the sum of the lists";
	if (wrong == NULL)
		wrong = validate_table(buddy, nr_heads);
	return wrong != NULL ? wrong : buddy->ops->validate(buddy);
}
