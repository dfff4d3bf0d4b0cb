/* SPDX-License-Identifier: MIT */
/* entry.h - one page-table entry, in x86-64's own format.
 *
 * Model.  An entry is *empty* (0: a page never touched, or all zero), *present* (names a
 * frame) or *swapped* (names a slot).  Bits that the processor leaves to software:
 *
 *   9   BUSY    somebody works on the page with the lock not held; nobody else may
 *               change the entry but to set WANTED
 *   10  WANTED  somebody met BUSY and must be woken when it ends
 *   7   SWAPPED in an entry that is not present; LARGE in one that is present and not
 *       of the lowest level: it names a page of 2 MiB or 1 GiB, not a table
 *   11  MOVING  of a small page: it was writable before its bytes went to another frame
 *   52..54      FREQUENCY: how often the page came back soon after it went out
 *   55..62      present: CREDIT, the rounds that the clock's hand still passes it by;
 *               swapped: STAMP, when it went out
 *
 * An entry that is BUSY and otherwise empty is being filled for the first time.
 * (Intel SDM volume 3, 4.5; bits 52..62 are ignored by the processor.)
 */
#ifndef QUIRE_CORE_PAGING_ENTRY_H
#define QUIRE_CORE_PAGING_ENTRY_H

#include "quire/types.h"

#define QUIRE_ENTRY_PRESENT  (1ull << 0)
#define QUIRE_ENTRY_WRITABLE (1ull << 1)
#define QUIRE_ENTRY_USER     (1ull << 2)
#define QUIRE_ENTRY_ACCESSED (1ull << 5)
#define QUIRE_ENTRY_DIRTY    (1ull << 6)
#define QUIRE_ENTRY_SWAPPED  (1ull << 7)
#define QUIRE_ENTRY_LARGE    (1ull << 7)
#define QUIRE_ENTRY_BUSY     (1ull << 9)
#define QUIRE_ENTRY_WANTED   (1ull << 10)
#define QUIRE_ENTRY_MOVING   (1ull << 11)
#define QUIRE_ENTRY_NX	     (1ull << 63)
#define QUIRE_ENTRY_NUMBER   (((1ull << 40) - 1) << 12)

#define QUIRE_FREQUENCY_SHIFT 52
#define QUIRE_FREQUENCY_MAX   7u
#define QUIRE_CREDIT_SHIFT    55
#define QUIRE_CREDIT_MAX      255u

typedef struct {
	uint64_t bits;
} quire_entry;

static inline bool qr_entry_has(quire_entry e, uint64_t flags)
{
	return (e.bits & flags) == flags;
}

static inline bool qr_entry_is_empty(quire_entry e)
{
	return e.bits == 0;
}

static inline bool qr_entry_is_present(quire_entry e)
{
	return (e.bits & QUIRE_ENTRY_PRESENT) != 0;
}

/* Of an entry above the lowest level: whether it names a table.  LARGE is the sign of the
 * lowest byte, so one test asks for both bits. */
static inline bool qr_entry_is_table(quire_entry e)
{
	return (int8_t)(e.bits & (QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_LARGE)) > 0;
}

static inline bool qr_entry_is_large(quire_entry e)
{
	return qr_entry_has(e, QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_LARGE);
}

static inline bool qr_entry_is_swapped(quire_entry e)
{
	return (e.bits & (QUIRE_ENTRY_PRESENT | QUIRE_ENTRY_SWAPPED)) ==
	       QUIRE_ENTRY_SWAPPED;
}

static inline bool qr_entry_is_busy(quire_entry e)
{
	return (e.bits & QUIRE_ENTRY_BUSY) != 0;
}

static inline quire_entry qr_entry_with(quire_entry e, uint64_t flags)
{
	return (quire_entry){e.bits | flags};
}

static inline quire_entry qr_entry_without(quire_entry e, uint64_t flags)
{
	return (quire_entry){e.bits & ~flags};
}

/* Present: the frame's number.  Swapped: the slot's. */
static inline uint32_t qr_entry_number(quire_entry e)
{
	return (uint32_t)((e.bits & QUIRE_ENTRY_NUMBER) >> QUIRE_PAGE_SHIFT);
}

static inline quire_pfn qr_entry_pfn(quire_entry e)
{
	return (quire_pfn){qr_entry_number(e)};
}

static inline uint32_t qr_entry_frequency(quire_entry e)
{
	return (uint32_t)(e.bits >> QUIRE_FREQUENCY_SHIFT) & QUIRE_FREQUENCY_MAX;
}

/* Present: the credit.  Swapped: the stamp. */
static inline uint32_t qr_entry_credit(quire_entry e)
{
	return (uint32_t)(e.bits >> QUIRE_CREDIT_SHIFT) & QUIRE_CREDIT_MAX;
}

static inline quire_entry qr_entry_set_credit(quire_entry e, uint32_t credit)
{
	uint64_t mask = (uint64_t)QUIRE_CREDIT_MAX << QUIRE_CREDIT_SHIFT;

	return (quire_entry){(e.bits & ~mask) | (uint64_t)credit << QUIRE_CREDIT_SHIFT};
}

static inline quire_entry qr_entry_set_frequency(quire_entry e, uint32_t frequency)
{
	uint64_t mask = (uint64_t)QUIRE_FREQUENCY_MAX << QUIRE_FREQUENCY_SHIFT;

	return (quire_entry){(e.bits & ~mask) | (uint64_t)frequency
							<< QUIRE_FREQUENCY_SHIFT};
}

static inline quire_entry qr_entry_present(quire_pfn pfn, uint64_t flags)
{
	return (quire_entry){(uint64_t)pfn.n << QUIRE_PAGE_SHIFT | QUIRE_ENTRY_PRESENT |
			     QUIRE_ENTRY_USER | flags};
}

static inline quire_entry qr_entry_swapped(uint32_t slot, uint32_t frequency,
					   uint32_t stamp)
{
	quire_entry e = {(uint64_t)slot << QUIRE_PAGE_SHIFT | QUIRE_ENTRY_SWAPPED};

	return qr_entry_set_credit(qr_entry_set_frequency(e, frequency), stamp);
}

#endif
