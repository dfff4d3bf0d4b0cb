/* SPDX-License-Identifier: MIT */
/* frame_clock.h - who goes out on a machine with many spaces.
 *
 * Model.  The hand goes round the frames.  A page that some entry has found ACCESSED since
 * the last round gets a second chance; one in a locked area is passed by; the others go,
 * out of all entries at once.  (Corbato's CLOCK.)  A lazily freed page that was not
 * written since just goes.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_RECLAIM_FRAME_CLOCK_H
#define QUIRE_CORE_RECLAIM_FRAME_CLOCK_H

#include "core/space/mm.h"

/* Takes out some pages; false where none can go. */
bool qr_frames_reclaim(struct quire_vm *vm);

#endif
