/* SPDX-License-Identifier: MIT */
/* codec.h - how pages are made small: the compressor and the checksum, handed in.
 *
 * The core knows no algorithm.  Hosted builds hand in LZ4 and XXH3 (ports/codec);
 * a kernel hands in its own.  All four are called without the machine's lock, by
 * several callers at a time, and touch nothing but their arguments.
 */
#ifndef QUIRE_CODEC_H
#define QUIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quire_codec {
	const char *name;
	/* State that compress() needs, bytes; at most 32 KiB.  Zero before the first call,
	 * then as compress() left it; used by one caller at a time. */
	size_t state_bytes;
	/* Bytes written to dst, or 0 when the result would exceed cap. */
	size_t (*compress)(void *state, const void *src, size_t bytes, void *dst,
			   size_t cap);
	/* True when src expanded to exactly cap bytes at dst; src may be hostile. */
	bool (*expand)(const void *src, size_t bytes, void *dst, size_t cap);
	uint32_t (*checksum)(const void *src, size_t bytes);
};

#endif
