/* SPDX-License-Identifier: MIT */
/* buddy_weighted.c - sizes 2^k and 3 * 2^k: 2^(k+2) splits into 3 * 2^k and 2^k, 3 * 2^k
 * into 2^(k+1) and 2^k.  (Shen and Peterson, CACM 17:558, 1974.)
 *
 * Kinds are the paper's type bits.  Two frames, which its rules leave whole, split into
 * halves, so that every frame can be had alone: halves are order 0, one frame from a
 * split by the rules order 1.
 */
#include "core/frames/buddy_typed.h"

enum {
	LEFT_OF_3 = 1,	/* 01: 2^k, left in 3 * 2^(k-1); also the left half of two */
	RIGHT_OF_3 = 2, /* 10: 2^k, right in 3 * 2^k; also the right half of two */
	OF_4 = 3,	/* 11: 3 * 2^k and 2^k, the parts of 2^(k+2) */
};

/* Order 2m is 2^m and order 2m + 1 is 3 * 2^(m-1), from m = 1; order 1 is one frame. */
static uint32_t size(const struct quire_buddy *buddy, uint32_t order)
{
	(void)buddy;
	if (order <= 1)
		return 1;
	return (order & 1) == 0 ? 1u << order / 2 : 3u << (order / 2 - 1);
}

static uint32_t order_of_power(uint32_t k)
{
	return k == 0 ? 1 : 2 * k;
}

static uint32_t split(const struct quire_buddy *buddy, uint32_t order,
		      struct quire_part parts[QUIRE_PARTS_MAX])
{
	uint32_t m = order / 2;

	(void)buddy;
	if (order < 2)
		return 0;
	if (order == 2) {
		parts[0] = (struct quire_part){.order = 0, .kind = LEFT_OF_3};
		parts[1] = (struct quire_part){.order = 0, .kind = RIGHT_OF_3};
	} else if ((order & 1) == 0) {
		parts[0] = (struct quire_part){order - 1, OF_4};
		parts[1] = (struct quire_part){order_of_power(m - 2), OF_4};
	} else {
		parts[0] = (struct quire_part){order_of_power(m), LEFT_OF_3};
		parts[1] = (struct quire_part){order_of_power(m - 1), RIGHT_OF_3};
	}
	return 2;
}

static uint32_t parent(const struct quire_buddy *buddy, uint32_t order, uint32_t kind)
{
	uint32_t k = order / 2;

	(void)buddy;
	if (order == 0)
		return 2;
	if ((order & 1) != 0 && order > 1)
		return order + 1;
	if (kind == OF_4)
		return order_of_power(k + 2);
	return kind == LEFT_OF_3 ? 2 * k + 1 : 2 * (k + 1) + 1;
}

const struct quire_buddy_ops qr_buddy_weighted = {
	.name = "weighted",
	.size = size,
	.split = split,
	.parent = parent,
	.alloc = qr_typed_alloc,
	.free = qr_typed_free,
	.add = qr_typed_add,
	.validate = qr_typed_validate,
};
