/* SPDX-License-Identifier: MIT */
/* buddy_fibonacci.c - sizes F(n) = F(n-1) + F(n-lag): the larger part is the left one.
 *
 * With lag 2 these are the Fibonacci numbers, with lag 1 the powers of two, with more the
 * generalised systems, whose sizes lie closer together.  (Hirschberg, CACM 16:615, 1973;
 * Hinds, CACM 18:221, 1975.)  The recurrence starts with lag sizes of one frame: orders
 * of their own, since their buddies differ.
 */
#include "core/frames/buddy_typed.h"

enum { LEFT = 1, RIGHT };

static uint32_t size(const struct quire_buddy *buddy, uint32_t order)
{
	if (order < buddy->lag)
		return 1;
	return buddy->sizes[order - 1] + buddy->sizes[order - buddy->lag];
}

static uint32_t split(const struct quire_buddy *buddy, uint32_t order,
		      struct quire_part parts[QUIRE_PARTS_MAX])
{
	if (order < buddy->lag)
		return 0;
	parts[0] = (struct quire_part){.order = order - 1, .kind = LEFT};
	parts[1] = (struct quire_part){.order = order - buddy->lag, .kind = RIGHT};
	return 2;
}

static uint32_t parent(const struct quire_buddy *buddy, uint32_t order, uint32_t kind)
{
	return kind == LEFT ? order + 1 : order + buddy->lag;
}

const struct quire_buddy_ops qr_buddy_fibonacci = {
	.name = "fibonacci",
	.size = size,
	.split = split,
	.parent = parent,
	.alloc = qr_typed_alloc,
	.free = qr_typed_free,
	.add = qr_typed_add,
	.validate = qr_typed_validate,
};
