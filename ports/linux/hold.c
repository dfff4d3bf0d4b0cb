/* SPDX-License-Identifier: MIT */
/* hold.c - buffers into which a call reads past the page cache right now.
 *
 * A signal's handler may leave a call by a jump, and then nobody ends its hold.  So there
 * are only so many, and the oldest makes room: by then its transfer is long over. */
#include "ports/linux/hold.h"

#include "ports/linux/ground.h"

#define HOLDS 256u

/* An end of 0: not in use. */
static struct {
	_Atomic uint64_t start, end;
} holds[HOLDS];
static _Atomic uint32_t next_hold;

bool qr_hold_is_needed(void)
{
	return atomic_load_explicit(&qr_ground.has_devices, memory_order_relaxed) &&
	       (qr_ground.features & QUIRE_FEATURE_MOVE) == 0 && qr_is_managed();
}

/* The hold is there from the moment that its end is: nothing is pinned before the call
 * that follows. */
uint32_t qr_hold_begin(struct quire_range range)
{
	uint32_t hold = atomic_fetch_add(&next_hold, 1) % HOLDS;

	atomic_store(&holds[hold].start, range.start.a & ~(QUIRE_PAGE_BYTES - 1));
	atomic_store(&holds[hold].end, range.end.a);
	return hold;
}

void qr_hold_end(uint32_t hold)
{
	atomic_store(&holds[hold].end, 0);
}

bool qr_hold_has(quire_vaddr page)
{
	for (uint32_t i = 0; i < HOLDS; i++)
		if (page.a < atomic_load(&holds[i].end) &&
		    page.a >= atomic_load(&holds[i].start))
			return true;
	return false;
}

void qr_hold_reset(void)
{
	for (uint32_t i = 0; i < HOLDS; i++)
		atomic_store(&holds[i].end, 0);
}
