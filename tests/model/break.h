/* SPDX-License-Identifier: MIT */
/* break.h - failures inside the core: a frame that is not to be had, bytes that do not
 * expand.
 *
 * Frames are taken away by the linker's --wrap of qr_zone_alloc, which every storey
 * above core/frames calls; the codec is LZ4 behind a countdown.
 */
#ifndef QUIRE_TESTS_MODEL_BREAK_H
#define QUIRE_TESTS_MODEL_BREAK_H

#include "quire/codec.h"

const struct quire_codec *break_codec(void);
/* No failures from now on, and none counted. */
void break_reset(void);
void break_disarm(void);
/* The nth from now on, 1 is the next. */
void break_frame_at(uint64_t nth);
void break_expand_at(uint64_t nth);
/* How many have come since the last reset. */
uint64_t break_failures(void);

#endif
