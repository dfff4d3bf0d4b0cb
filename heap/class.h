/* SPDX-License-Identifier: MIT */
/* class.h - size classes: the sizes that small blocks are rounded up to.
 *
 * Multiples of 16 up to 128, then eight steps to each doubling, so that neighbours are
 * at most 12.5 % apart.  The last class is QR_SMALL_MAX; above, a block has pages of
 * its own.
 */
#ifndef QUIRE_HEAP_CLASS_H
#define QUIRE_HEAP_CLASS_H

#include <stddef.h>
#include <stdint.h>

#define QR_QUANTUM    16u
#define QR_SMALL_MAX  32768u
#define QR_NR_CLASSES 72u

/* Sizes up to here find their class by one look into a table. */
#define QR_TABLE_MAX 1024u

extern const uint8_t qr_class_table[QR_TABLE_MAX / QR_QUANTUM + 1];

/* For 128 < bytes <= QR_SMALL_MAX: bits below the highest choose the step. */
static inline unsigned qr_class_compute(size_t bytes)
{
	size_t x = bytes - 1;
	unsigned lg = 63u - (unsigned)__builtin_clzl(x);

	return 8 + (lg - 7) * 8 + (unsigned)((x >> (lg - 3)) & 7);
}

/* The class of a request of 0 <= bytes <= QR_SMALL_MAX. */
static inline unsigned qr_class_of(size_t bytes)
{
	if (__builtin_expect(bytes <= QR_TABLE_MAX, 1))
		return qr_class_table[(bytes + QR_QUANTUM - 1) / QR_QUANTUM];
	return qr_class_compute(bytes);
}

/* The request whose class serves bytes at a multiple of align, a power of two up to a
 * page.  A class is a multiple of its step, and a multiple of align that is rounded up to
 * a class stays one, as both are powers of two. */
static inline size_t qr_class_aligned(size_t align, size_t bytes)
{
	return bytes != 0 ? (bytes + align - 1) & ~(align - 1) : align;
}

static inline uint32_t qr_class_bytes(unsigned cls)
{
	if (cls < 8)
		return (cls + 1) * QR_QUANTUM;
	return (9 + (cls & 7)) << ((cls >> 3) + 3);
}

#endif
