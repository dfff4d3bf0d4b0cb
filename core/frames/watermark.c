/* SPDX-License-Identifier: MIT */
/* watermark.c - Linux's formulas for what a zone keeps. */
#include "core/frames/watermark.h"

/* The integer square root, by Newton's method from above. */
static uint64_t isqrt(uint64_t n)
{
	uint64_t x = n;
	uint64_t next = x / 2 + 1;

	if (n < 2)
		return n;
	while (next < x) {
		x = next;
		next = (x + n / x) / 2;
	}
	return x;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	if (value < least)
		return least;
	return value < most ? value : most;
}

uint64_t qr_min_free_kbytes(uint64_t lowmem_kbytes)
{
	return clamp(isqrt(16 * lowmem_kbytes), 128, 262144);
}

struct qr_watermarks qr_watermarks(uint64_t managed, uint64_t lowmem, uint64_t pages_min,
				   uint32_t scale, bool is_highmem)
{
	uint64_t share = lowmem == 0 ? 0 : pages_min * managed / lowmem;
	uint64_t min = is_highmem ? clamp(managed / 1024, 32, 128) : share;
	uint64_t by_scale = managed / 10000 * scale + managed % 10000 * scale / 10000;
	uint64_t gap = share / 4 > by_scale ? share / 4 : by_scale;

	return (struct qr_watermarks){min, min + gap, min + 2 * gap};
}

uint64_t qr_lowmem_reserve(const uint64_t *managed, uint32_t z, uint32_t j,
			   uint32_t ratio)
{
	uint64_t above = 0;

	if (ratio == 0 || managed[z] == 0)
		return 0;
	for (uint32_t i = z + 1; i <= j; i++)
		above += managed[i];
	return above / ratio;
}
