/* SPDX-License-Identifier: MIT */
/* lz4.h - the codec of hosted builds: LZ4 for packing, XXH3 for checksums. */
#ifndef QUIRE_PORTS_CODEC_LZ4_H
#define QUIRE_PORTS_CODEC_LZ4_H

#include "quire/codec.h"

/* Allocates nothing: the compressor's state is the caller's scratch. */
const struct quire_codec *qr_codec_lz4(void);

#endif
