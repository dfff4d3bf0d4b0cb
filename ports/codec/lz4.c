/* SPDX-License-Identifier: MIT */
/* lz4.c - LZ4 at its default acceleration, and the low half of XXH3's 64 bits. */
#include "ports/codec/lz4.h"

#include <limits.h>

/* For the call that does not clear its 16 KiB of state each time: on a page that is a
 * third of the work. */
#define LZ4_STATIC_LINKING_ONLY
#include <lz4.h>

/* The hash is compiled in: the pager calls it where no symbol may still be unresolved. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#define ACCELERATION 1

static size_t lz4_compress(void *state, const void *src, size_t bytes, void *dst,
			   size_t cap)
{
	int packed;

	if (bytes > LZ4_MAX_INPUT_SIZE || cap > INT_MAX)
		return 0;
	packed = LZ4_compress_fast_extState_fastReset(state, src, dst, (int)bytes,
						      (int)cap, ACCELERATION);
	return packed > 0 ? (size_t)packed : 0;
}

static bool lz4_expand(const void *src, size_t bytes, void *dst, size_t cap)
{
	if (bytes > INT_MAX || cap > INT_MAX)
		return false;
	return LZ4_decompress_safe(src, dst, (int)bytes, (int)cap) == (int)cap;
}

static uint32_t xxh3_checksum(const void *src, size_t bytes)
{
	return (uint32_t)XXH3_64bits(src, bytes);
}

const struct quire_codec *qr_codec_lz4(void)
{
	static const struct quire_codec codec = {
		.name = "lz4",
		.state_bytes = sizeof(LZ4_stream_t),
		.compress = lz4_compress,
		.expand = lz4_expand,
		.checksum = xxh3_checksum,
	};

	return &codec;
}
