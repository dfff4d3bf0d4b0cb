/* SPDX-License-Identifier: MIT */
/* break.c - countdowns in front of the zone and the codec. */
#include "tests/model/break.h"

#include "core/frames/zone.h"
#include "ports/codec/lz4.h"

#include <stdatomic.h>

static _Atomic uint64_t frame_in, expand_in, nr_failures;

/* True when the countdown, 0 where none runs, comes to its end. */
static bool is_due(_Atomic uint64_t *in)
{
	uint64_t left = atomic_load(in);

	while (left != 0 && !atomic_compare_exchange_weak(in, &left, left - 1))
		;
	if (left != 1)
		return false;
	atomic_fetch_add(&nr_failures, 1);
	return true;
}

bool __real_qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use,
			  uint32_t flags, quire_pfn *out);
bool __wrap_qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use,
			  uint32_t flags, quire_pfn *out);

bool __wrap_qr_zone_alloc(struct quire_zone *zone, enum quire_frame_use use,
			  uint32_t flags, quire_pfn *out)
{
	return !is_due(&frame_in) && __real_qr_zone_alloc(zone, use, flags, out);
}

static bool expand(const void *src, size_t bytes, void *dst, size_t cap)
{
	return !is_due(&expand_in) && qr_codec_lz4()->expand(src, bytes, dst, cap);
}

const struct quire_codec *break_codec(void)
{
	static struct quire_codec codec;

	codec = *qr_codec_lz4();
	codec.expand = expand;
	return &codec;
}

void break_disarm(void)
{
	atomic_store(&frame_in, 0);
	atomic_store(&expand_in, 0);
}

void break_reset(void)
{
	break_disarm();
	atomic_store(&nr_failures, 0);
}

void break_frame_at(uint64_t nth)
{
	atomic_store(&frame_in, nth);
}

void break_expand_at(uint64_t nth)
{
	atomic_store(&expand_in, nth);
}

uint64_t break_failures(void)
{
	return atomic_load(&nr_failures);
}
