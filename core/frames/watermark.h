/* SPDX-License-Identifier: MIT */
/* watermark.h - how many frames a zone keeps, by Linux's formulas (mm/page_alloc.c:
 * init_per_zone_wmark_min, __setup_per_zone_wmarks, setup_per_zone_lowmem_reserve). */
#ifndef QUIRE_CORE_FRAMES_WATERMARK_H
#define QUIRE_CORE_FRAMES_WATERMARK_H

#include <stdbool.h>
#include <stdint.h>

struct qr_watermarks {
	uint64_t min, low, high; /* frames */
};

/* min_free_kbytes for so much memory below HIGHMEM: the square root of sixteen times as
 * many KiB, 128 to 262144. */
uint64_t qr_min_free_kbytes(uint64_t lowmem_kbytes);

/* A zone of managed frames, of lowmem frames in all zones but HIGHMEM, which together keep
 * pages_min; scale is in 10,000ths of the zone. */
struct qr_watermarks qr_watermarks(uint64_t managed, uint64_t lowmem, uint64_t pages_min,
				   uint32_t scale, bool is_highmem);

/* What zone z keeps back from callers who may use the zones up to j. */
uint64_t qr_lowmem_reserve(const uint64_t *managed, uint32_t z, uint32_t j,
			   uint32_t ratio);

#endif
