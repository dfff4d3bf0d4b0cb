/* SPDX-License-Identifier: MIT */
/* cpu_tlb.h - the TLBs of one CPU, one for each page size.
 *
 * An entry answers for one page of one space.  Its tag is the page's number and the asid
 * in one word: 52 bits and 12.  0 is none, since no space has asid 0.  Replacement goes
 * round the ways.
 */
#ifndef QUIRE_PORTS_SOFT_CPU_TLB_H
#define QUIRE_PORTS_SOFT_CPU_TLB_H

#include "ports/soft/computer.h"

#define QR_TLB_ASID_BITS 12

struct qr_tlb_entry {
	uint64_t tag;
	unsigned char *bytes; /* of the page */
	bool writable, dirty, executable;
};

struct qr_tlb {
	uint32_t sets, ways, shift; /* of the page size */
	uint8_t *next_way;	    /* of each set */
	struct qr_tlb_entry *entries;
};

static inline uint64_t qr_tlb_tag(const struct qr_tlb *tlb, uint32_t asid, uint64_t va)
{
	return va >> tlb->shift << QR_TLB_ASID_BITS | asid;
}

static inline struct qr_tlb_entry *qr_tlb_find(const struct qr_tlb *tlb, uint32_t asid,
					       uint64_t va)
{
	uint64_t set = va >> tlb->shift & (tlb->sets - 1);
	struct qr_tlb_entry *at = &tlb->entries[set * tlb->ways];
	uint64_t tag = qr_tlb_tag(tlb, asid, va);

	for (struct qr_tlb_entry *end = at + tlb->ways; at < end; at++)
		if (at->tag == tag)
			return at;
	return NULL;
}

bool qr_tlb_init(struct qr_tlb *tlb, struct qr_tlb_shape shape, uint32_t shift);
void qr_tlb_destroy(struct qr_tlb *tlb);
/* Room for the page's entry: its own where it has one. */
struct qr_tlb_entry *qr_tlb_place(struct qr_tlb *tlb, uint32_t asid, uint64_t va);
/* Drops what overlaps the run; returns how many. */
uint32_t qr_tlb_flush(struct qr_tlb *tlb, uint32_t asid, struct quire_run run);

#endif
