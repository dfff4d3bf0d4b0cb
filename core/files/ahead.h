/* SPDX-License-Identifier: MIT */
/* ahead.h - how many pages a fault brings back from swap, and which.
 *
 * Model.  Who was used together was mapped together: a window of pages round the faulting
 * one, in order of address (of an object, in order of place), is read into the swap cache
 * as far as it is out.  Slots say less here: the store puts pages of like size side by
 * side, and the hands go by frame, so neighbouring slots are neither neighbours in the
 * program nor on the device.  What lies in an extent that was just read costs no transfer
 * either way.
 *
 * The window follows what became of the last one.  Pages of it that were used are *hits*:
 * so many and two more, rounded up to a power of two, are read next time.  No hit: two
 * pages where the fault is next to the last one, else one; but never less than half as
 * many as the time before.  It lies in the direction in which faults go.  (Linux,
 * mm/swap_state.c, __swapin_nr_pages() and swap_vma_readahead().)  Other than Linux's it
 * heeds advice: RANDOM reads one page, SEQUENTIAL all that a window may have, upwards.
 *
 * Locking.  The machine's lock.
 */
#ifndef QUIRE_CORE_FILES_AHEAD_H
#define QUIRE_CORE_FILES_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define QR_AHEAD_LAST_BITS 22
#define QR_AHEAD_HITS_MAX  15u
/* As Linux's SWAP_RA_ORDER_CEILING. */
#define QR_AHEAD_ORDER_MAX 5u

/* What an area, or an object, remembers of its last fault on a page that was out. */
struct qr_ahead {
	uint32_t last : QR_AHEAD_LAST_BITS; /* the page number's low bits */
	uint32_t window : 6;		    /* pages; 0: there was none */
	uint32_t hits : 4;		    /* since */
};

_Static_assert(sizeof(struct qr_ahead) == 4, "an area has room for so much");

enum qr_ahead_how {
	QR_AHEAD_NONE,	 /* MADV_RANDOM */
	QR_AHEAD_AROUND, /* as the last window fared */
	QR_AHEAD_FAR,	 /* MADV_SEQUENTIAL */
};

/* Pages [first, first + nr), of which the one that was asked for is one. */
struct qr_window {
	uint64_t first;
	uint32_t nr;
};

/* page had to be read: the window to read with it, of at most max pages. */
struct qr_window qr_ahead_plan(struct qr_ahead *ahead, uint64_t page, uint32_t max,
			       enum qr_ahead_how how);
/* page was in the cache; is_hit: because it was read ahead. */
void qr_ahead_note(struct qr_ahead *ahead, uint64_t page, bool is_hit);

#endif
