/* SPDX-License-Identifier: MIT */
/* copies.c - what copies save against what they cost. */
#include "core/space/copies.h"

/* What a fault costs beside what it does, on a ground where packing matters. */
#define FAULT_NS 8000u

/* A copy of a page of half its size takes the memory of half another page.  On uniform
 * and on Zipf's accesses dropping the copies pays as long as packing costs less than
 * about half of what a fault costs. */
#define PACKING_DEAR_NS (FAULT_NS / 2)

/* A batch during which the packer had to let others run says nothing about packing, so
 * the cost follows what is lower at once, and what is higher by one part in so many. */
#define RISE 32u

/* Events that are remembered, about. */
#define MEMORY 1024u

#define PROBE 32u

void qr_copies_note_packing(struct quire_copies *copies, uint32_t nr, uint64_t ns)
{
	uint64_t each, risen = copies->pack_ns + copies->pack_ns / RISE + 1;

	if (nr == 0)
		return;
	each = ns / nr;
	if (copies->pack_ns == 0 || each < risen)
		copies->pack_ns = each;
	else
		copies->pack_ns = risen;
}

static void fade(struct quire_copies *copies)
{
	if (copies->nr_saved + copies->nr_written < MEMORY)
		return;
	copies->nr_saved /= 2;
	copies->nr_written /= 2;
}

void qr_copies_note_saved(struct quire_copies *copies)
{
	copies->nr_saved++;
	fade(copies);
}

void qr_copies_note_written(struct quire_copies *copies)
{
	copies->nr_written++;
	fade(copies);
}

bool qr_copies_pay(struct quire_copies *copies, bool is_run)
{
	if (is_run && copies->nr_asked++ % PROBE == 0)
		return true;
	if (!is_run && copies->pack_ns < PACKING_DEAR_NS)
		return false;
	return copies->nr_saved * copies->pack_ns >=
	       (uint64_t)copies->nr_written * FAULT_NS;
}
