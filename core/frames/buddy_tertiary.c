/* SPDX-License-Identifier: MIT */
/* buddy_tertiary.c - sizes 2^k and 3 * 2^k with three buddies: 2^k splits into 2^(k-1),
 * 3 * 2^(k-3) and 2^(k-3) (8 = 4 + 3 + 1), 3 * 2^j into 2^(j+1) and 2^j.  (Yadav and
 * Sharma 2008, 2010.)
 *
 * Four and two frames, which the rules leave whole, split into halves, so that every
 * frame can be had alone: halves of two are order 0, one frame from a split by the rules
 * order 1.
 */
#include "core/frames/buddy_typed.h"

enum {
	LEFT = 1,   /* 2^(k-1) in 2^k */
	MIDDLE,	    /* 3 * 2^(k-3) in 2^k */
	RIGHT,	    /* 2^(k-3) in 2^k */
	LEFT_OF_3,  /* 2^(j+1) in 3 * 2^j */
	RIGHT_OF_3, /* 2^j in 3 * 2^j */
	LEFT_HALF,
	RIGHT_HALF,
};

/* The orders are those of the weighted system. */
static uint32_t size(const struct quire_buddy *buddy, uint32_t order)
{
	return qr_buddy_weighted.size(buddy, order);
}

static uint32_t order_of_power(uint32_t k)
{
	return k == 0 ? 1 : 2 * k;
}

/* 3 * 2^j */
static uint32_t order_of_three(uint32_t j)
{
	return 2 * (j + 1) + 1;
}

static uint32_t split(const struct quire_buddy *buddy, uint32_t order,
		      struct quire_part parts[QUIRE_PARTS_MAX])
{
	uint32_t m = order / 2;

	(void)buddy;
	if (order < 2)
		return 0;
	if ((order & 1) != 0) {
		parts[0] = (struct quire_part){order_of_power(m), LEFT_OF_3};
		parts[1] = (struct quire_part){order_of_power(m - 1), RIGHT_OF_3};
		return 2;
	}
	if (m < 3) {
		parts[0] = (struct quire_part){order - 2, LEFT_HALF};
		parts[1] = (struct quire_part){order - 2, RIGHT_HALF};
		return 2;
	}
	parts[0] = (struct quire_part){order_of_power(m - 1), LEFT};
	parts[1] = (struct quire_part){order_of_three(m - 3), MIDDLE};
	parts[2] = (struct quire_part){order_of_power(m - 3), RIGHT};
	return 3;
}

static uint32_t parent(const struct quire_buddy *buddy, uint32_t order, uint32_t kind)
{
	uint32_t k = order / 2;

	(void)buddy;
	switch (kind) {
	case LEFT:
		return order_of_power(k + 1);
	case MIDDLE:
		return order_of_power(k - 1 + 3);
	case RIGHT:
		return order_of_power(k + 3);
	case LEFT_OF_3:
		return order_of_three(k - 1);
	case RIGHT_OF_3:
		return order_of_three(k);
	default:
		return order + 2;
	}
}

const struct quire_buddy_ops qr_buddy_tertiary = {
	.name = "tertiary",
	.size = size,
	.split = split,
	.parent = parent,
	.alloc = qr_typed_alloc,
	.free = qr_typed_free,
	.add = qr_typed_add,
	.validate = qr_typed_validate,
};
