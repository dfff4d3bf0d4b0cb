/* SPDX-License-Identifier: MIT */
/* buddy_typed.c - splitting and merging by what a system's ops say of orders and kinds.
 *
 * A block of more than one buddy is split as long as one of its parts is large enough;
 * the smallest such part is gone on with.  A system whose parts are uneven can end at a
 * block larger than what was asked for: the tertiary one has no other way to six frames
 * than from sixteen.
 */
#include "core/frames/buddy_typed.h"

#include "core/base/assert.h"
#include "core/frames/buddy_list.h"

/* The part to go on with for a block of at least order; nr: none is large enough. */
static uint32_t best_part(const struct quire_part *parts, uint32_t nr, uint32_t order)
{
	uint32_t best = nr;

	for (uint32_t i = 0; i < nr; i++)
		if (parts[i].order >= order &&
		    (best == nr || parts[i].order < parts[best].order))
			best = i;
	return best;
}

/* Splits a block that is on no list, to a part of at least order, as small as can be had;
 * the others become free.  The part's number; its record has its order and its tag. */
static uint32_t carve(struct quire_buddy *buddy, uint32_t n, uint32_t order)
{
	struct quire_frame *frame = &buddy->frames[n];

	for (;;) {
		struct quire_part parts[QUIRE_PARTS_MAX];
		uint32_t tag = frame->tag;
		uint32_t nr = buddy->ops->split(buddy, frame->order, parts);
		uint32_t best = best_part(parts, nr, order);
		uint32_t at = n;

		if (best == nr)
			return n;
		for (uint32_t i = 0; i < nr; i++) {
			uint32_t part_tag = qr_part_tag(tag, parts, i);

			if (i != best) {
				qr_list_push(buddy, at, parts[i].order, part_tag);
			} else {
				n = at;
				frame = &buddy->frames[n];
				frame->order = parts[i].order & 63u;
				frame->tag = part_tag & 63u;
			}
			at += buddy->sizes[parts[i].order];
		}
		frame->use = QUIRE_FRAME_TAIL;
	}
}

bool qr_typed_alloc(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		    quire_pfn *out)
{
	uint32_t k = qr_list_find(buddy, group, order);
	uint32_t n;

	if (k != QUIRE_NO_ORDER) {
		n = buddy->heads[group][k];
		qr_list_remove(buddy, n, k);
	} else {
		n = qr_buddy_borrow(buddy, order, group);
		if (n == QUIRE_NO_FRAME)
			return false;
	}
	n = carve(buddy, n, order);
	buddy->frames[n].use = QUIRE_FRAME_TAKEN;
	buddy->nr_free -= buddy->sizes[buddy->frames[n].order];
	*out = (quire_pfn){n};
	return true;
}

/* A block and its buddies. */
struct family {
	struct quire_part parts[QUIRE_PARTS_MAX];
	uint32_t starts[QUIRE_PARTS_MAX];
	uint32_t nr, self; /* self: the block's place */
	uint32_t order;	   /* of what they merge into */
};

/* Parts of one kind differ in their order: the weighted system's type 11. */
static bool is_part(const struct quire_part *part, uint32_t order, uint32_t kind)
{
	return part->order == order && part->kind == kind;
}

/* The family of the block at n; false for a root.  A tag that names none: nr is 0. */
static bool find_family(const struct quire_buddy *buddy, uint32_t n, uint32_t order,
			uint32_t kind, struct family *out)
{
	uint32_t at = n;

	if (kind == 0)
		return false;
	out->nr = 0;
	out->self = 0;
	out->order = buddy->ops->parent(buddy, order, kind);
	if (out->order >= buddy->nr_orders)
		return true;
	out->nr = buddy->ops->split(buddy, out->order, out->parts);
	while (out->self < out->nr && !is_part(&out->parts[out->self], order, kind))
		at -= buddy->sizes[out->parts[out->self++].order];
	if (out->self == out->nr)
		out->nr = 0;
	for (uint32_t i = 0; i < out->nr; i++) {
		out->starts[i] = at;
		at += buddy->sizes[out->parts[i].order];
	}
	return true;
}

static bool others_are_free(const struct quire_buddy *buddy, const struct family *family)
{
	for (uint32_t i = 0; i < family->nr; i++)
		if (i != family->self &&
		    !qr_is_free_block(buddy, family->starts[i], family->parts[i].order))
			return false;
	return true;
}

/* Takes the buddies off their lists; the tag of what they merge into. */
static uint32_t unite(struct quire_buddy *buddy, const struct family *family,
		      uint32_t own_tag)
{
	uint32_t tags[QUIRE_PARTS_MAX];

	for (uint32_t i = 0; i < family->nr; i++) {
		if (i == family->self) {
			tags[i] = own_tag;
			continue;
		}
		tags[i] = buddy->frames[family->starts[i]].tag;
		qr_list_remove(buddy, family->starts[i], family->parts[i].order);
	}
	return qr_merged_tag(tags[0], tags[1]);
}

void qr_typed_free(struct quire_buddy *buddy, quire_pfn pfn)
{
	uint32_t n = pfn.n;
	uint32_t order = buddy->frames[n].order;
	uint32_t tag = buddy->frames[n].tag;
	struct family family;

	buddy->frames[n].use = QUIRE_FRAME_TAIL;
	buddy->nr_free += buddy->sizes[order];
	while (find_family(buddy, n, order, qr_tag_kind(tag), &family) &&
	       others_are_free(buddy, &family)) {
		tag = unite(buddy, &family, tag);
		n = family.starts[0];
		order = family.order;
	}
	qr_list_push(buddy, n, order, tag);
}

/* The largest blocks that fit are roots, the lowest of a size first on its list. */
void qr_typed_add(struct quire_buddy *buddy, uint32_t first, uint32_t end)
{
	uint32_t order = buddy->nr_orders;

	while (end > first) {
		while (order == buddy->nr_orders || buddy->sizes[order] > end - first)
			order--;
		end -= buddy->sizes[order];
		qr_list_push(buddy, end, order, 0);
	}
}

/* Blocks that wait for their buddies: each order at most twice on the way up. */
#define STACK_MAX (2 * QUIRE_ORDERS_MAX)

struct block {
	uint32_t start, order, tag;
	bool is_free; /* all of it, on one list or on several */
};

struct stack {
	struct block blocks[STACK_MAX];
	uint32_t nr;
};

/* Merges the blocks on top of the stack when they are all the parts of another.  The
 * parts are free only when each is; then they should have been one block. */
static const char *reduce(const struct quire_buddy *buddy, struct stack *stack,
			  bool *merged)
{
	const struct block *top = &stack->blocks[stack->nr - 1];
	struct family family;
	struct block *first;
	bool is_free = true;

	*merged = false;
	if (!find_family(buddy, top->start, top->order, qr_tag_kind(top->tag), &family))
		return NULL;
	if (family.nr == 0)
		return "B4: a block's tag names no buddy";
	if (family.self != family.nr - 1)
		return NULL;
	if (stack->nr < family.nr)
		return "B4: a block's buddies are not there";
	first = &stack->blocks[stack->nr - family.nr];
	for (uint32_t i = 0; i < family.nr; i++) {
		if (first[i].start != family.starts[i] ||
		    first[i].order != family.parts[i].order ||
		    qr_tag_kind(first[i].tag) != family.parts[i].kind)
			return "B4: a block's buddies are of another kind";
		is_free = is_free && first[i].is_free;
	}
	if (is_free)
		return "B2: free buddies did not merge";
	first->order = family.order;
	first->tag = qr_merged_tag(first[0].tag, first[1].tag);
	first->is_free = false;
	stack->nr -= family.nr - 1;
	*merged = true;
	return NULL;
}

static const char *push_block(const struct quire_buddy *buddy, struct stack *stack,
			      uint32_t n)
{
	const struct quire_frame *frame = &buddy->frames[n];
	const char *wrong = NULL;
	bool merged = true;

	if (stack->nr == STACK_MAX)
		return "B4: blocks of one tree do not end";
	stack->blocks[stack->nr++] = (struct block){
		.start = n,
		.order = frame->order,
		.tag = frame->tag,
		.is_free = frame->use == QUIRE_FRAME_FREE,
	};
	while (merged && wrong == NULL)
		wrong = reduce(buddy, stack, &merged);
	if (wrong == NULL && stack->nr == 1 && qr_tag_kind(stack->blocks[0].tag) == 0)
		stack->nr = 0;
	return wrong;
}

const char *qr_typed_validate(const struct quire_buddy *buddy)
{
	struct stack stack = {.nr = 0};

	for (uint32_t n = 0; n < buddy->nr_frames;) {
		const struct quire_frame *frame = &buddy->frames[n];
		const char *wrong;

		if (frame->use == QUIRE_FRAME_META ||
		    frame->use == QUIRE_FRAME_RESERVED) {
			n++;
			continue;
		}
		if (frame->use == QUIRE_FRAME_TAIL || frame->order >= buddy->nr_orders)
			return "F1: a frame is in no block";
		wrong = push_block(buddy, &stack, n);
		if (wrong != NULL)
			return wrong;
		n += buddy->sizes[frame->order];
	}
	return stack.nr == 0 ? NULL : "B4: a block's buddies are not there";
}
