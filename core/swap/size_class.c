/* SPDX-License-Identifier: MIT */
/* size_class.c - the table of size classes.
 *
 * Up to n = 30 every number of objects is a class; above, numbers are a fifteenth apart,
 * so that an object is at most 6 to 7 % larger than what it was chosen for, as it must be
 * at n = 15 and 16 anyway.  Above 200 objects (164 bytes) a coarser step costs nothing
 * that counts.  Sizes are even: the two-byte length and the free list's links, which
 * stand at an object's start, then never straddle a frame's end.
 */
#include "core/swap/size_class.h"

#include "core/base/assert.h"
#include "core/swap/swap.h"

struct size_class {
	uint16_t nr, bytes;
};

#define CLASS(n)                                                                         \
	{                                                                                \
		.nr = (n), .bytes = (QUIRE_EXTENT_BYTES / (n)) & ~1u                     \
	}

static const struct size_class classes[] = {
	CLASS(8),   CLASS(9),	CLASS(10),  CLASS(11),	CLASS(12),  CLASS(13),
	CLASS(14),  CLASS(15),	CLASS(16),  CLASS(17),	CLASS(18),  CLASS(19),
	CLASS(20),  CLASS(21),	CLASS(22),  CLASS(23),	CLASS(24),  CLASS(25),
	CLASS(26),  CLASS(27),	CLASS(28),  CLASS(29),	CLASS(30),  CLASS(32),
	CLASS(34),  CLASS(36),	CLASS(38),  CLASS(40),	CLASS(42),  CLASS(45),
	CLASS(48),  CLASS(51),	CLASS(54),  CLASS(58),	CLASS(62),  CLASS(66),
	CLASS(71),  CLASS(76),	CLASS(81),  CLASS(87),	CLASS(93),  CLASS(100),
	CLASS(107), CLASS(115), CLASS(123), CLASS(132), CLASS(141), CLASS(151),
	CLASS(162), CLASS(174), CLASS(186), CLASS(199), CLASS(213), CLASS(234),
	CLASS(256), CLASS(292), CLASS(341), CLASS(409), CLASS(512),
};

#define NR_CLASSES (sizeof(classes) / sizeof(classes[0]))

_Static_assert(NR_CLASSES <= QUIRE_SWAP_CLASSES, "swap.h has a list for each");

uint32_t qr_class_count(void)
{
	return NR_CLASSES;
}

uint32_t qr_class_for(uint32_t bytes)
{
	uint32_t low = QUIRE_CLASS_RAW + 1; /* holds bytes */
	uint32_t high = NR_CLASSES;	    /* does not */

	QUIRE_ASSERT(bytes <= classes[low].bytes);
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (classes[middle].bytes >= bytes)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint32_t qr_class_objects(uint32_t size_class)
{
	return classes[size_class].nr;
}

uint32_t qr_class_bytes(uint32_t size_class)
{
	return classes[size_class].bytes;
}
