/* SPDX-License-Identifier: MIT */
/* cpu_tlb.c - entries placed and flushed. */
#include "ports/soft/cpu_tlb.h"

#include <stdlib.h>

bool qr_tlb_init(struct qr_tlb *tlb, struct qr_tlb_shape shape, uint32_t shift)
{
	*tlb = (struct qr_tlb){.sets = shape.sets, .ways = shape.ways, .shift = shift};
	tlb->entries = calloc((size_t)shape.sets * shape.ways, sizeof(*tlb->entries));
	tlb->next_way = calloc(shape.sets, 1);
	return tlb->entries != NULL && tlb->next_way != NULL;
}

void qr_tlb_destroy(struct qr_tlb *tlb)
{
	free(tlb->entries);
	free(tlb->next_way);
}

struct qr_tlb_entry *qr_tlb_place(struct qr_tlb *tlb, uint32_t asid, uint64_t va)
{
	uint64_t set = va >> tlb->shift & (tlb->sets - 1);
	struct qr_tlb_entry *at = qr_tlb_find(tlb, asid, va);

	if (at == NULL)
		at = &tlb->entries[set * tlb->ways +
				   (tlb->next_way[set]++ & (tlb->ways - 1))];
	at->tag = qr_tlb_tag(tlb, asid, va);
	return at;
}

static uint32_t drop(struct qr_tlb_entry *entry)
{
	entry->tag = 0;
	return 1;
}

/* Every entry is looked at: for long runs. */
static uint32_t flush_all(struct qr_tlb *tlb, uint32_t asid, uint64_t first,
			  uint64_t last)
{
	const uint64_t asids = (1u << QR_TLB_ASID_BITS) - 1;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++) {
		struct qr_tlb_entry *entry = &tlb->entries[i];
		uint64_t page = entry->tag >> QR_TLB_ASID_BITS;

		if ((entry->tag & asids) == asid && page >= first && page <= last)
			nr += drop(entry);
	}
	return nr;
}

uint32_t qr_tlb_flush(struct qr_tlb *tlb, uint32_t asid, struct quire_run run)
{
	uint64_t first = run.start.a >> tlb->shift;
	uint64_t last = (run.start.a + (run.nr << QUIRE_PAGE_SHIFT) - 1) >> tlb->shift;
	uint32_t nr = 0;

	if (run.nr == 0)
		return 0;
	if (last - first >= tlb->sets)
		return flush_all(tlb, asid, first, last);
	for (uint64_t page = first; page <= last; page++) {
		struct qr_tlb_entry *entry = qr_tlb_find(tlb, asid, page << tlb->shift);

		if (entry != NULL)
			nr += drop(entry);
	}
	return nr;
}
