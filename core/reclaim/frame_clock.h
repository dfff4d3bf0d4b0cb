/* SPDX-License-Identifier: MIT */
/* frame_clock.h - who goes out on a machine with many spaces.
 *
 * Model.  Two hands go round the frames, one for anonymous pages and shared memory, which go
 * to swap, one for pages of files, which go to their stores; balance.h says how far each
 * goes.  An inactive page that some entry has found ACCESSED gets a second chance, and is
 * active from the next time on; one in a locked area is passed by; the others go, out of
 * all entries at once.  Active pages are passed by until the inactive ones are few; then
 * the hand makes them inactive.  (Corbato's CLOCK; the two lists are Linux's.)  A lazily
 * freed page that was not written since just goes.
 *
 * The page-out daemon (quire_vm_balance) works from the low to the high watermark between
 * what the processes do, so that they need not wait; a fault that lacks a frame all the
 * same reclaims by itself.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_RECLAIM_FRAME_CLOCK_H
#define QUIRE_CORE_RECLAIM_FRAME_CLOCK_H

#include "core/space/mm.h"

/* Takes out some pages; false where none can go. */
bool qr_frames_reclaim(struct quire_vm *vm);
/* Takes out this page, in use or not; false where it cannot go. */
bool qr_frames_evict(struct quire_vm *vm, quire_pfn pfn);

#endif
