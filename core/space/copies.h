/* SPDX-License-Identifier: MIT */
/* copies.h - whether a page that is read back keeps its copy in swap.
 *
 * Model.  A copy *saves* the packing of its page when the page goes out again unwritten.
 * It *costs* a fault when the page is written first, since the page must be mapped
 * read-only, and it costs its memory throughout.  Both events are counted, with old ones
 * weighing less and less; while copies do not pay one run in PROBE keeps them all the
 * same, so that a change is noticed.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_SPACE_COPIES_H
#define QUIRE_CORE_SPACE_COPIES_H

#include "quire/types.h"

struct quire_copies {
	uint64_t pack_ns; /* what packing a page costs */
	uint32_t nr_saved, nr_written;
	uint32_t nr_asked;
};

/* nr pages were packed in ns. */
void qr_copies_note_packing(struct quire_copies *copies, uint32_t nr, uint64_t ns);
/* A page went out with its copy still good. */
void qr_copies_note_saved(struct quire_copies *copies);
/* A write found its page read-only because of a copy. */
void qr_copies_note_written(struct quire_copies *copies);
/* Whether pages that come in now should keep theirs; is_run: several at once. */
bool qr_copies_pay(struct quire_copies *copies, bool is_run);

#endif
