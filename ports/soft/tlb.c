/* SPDX-License-Identifier: MIT */
/* tlb.c - a CPU's cache of translations: sets of a few ways, replaced in turn.
 *
 * Entries that are absent are not cached, and a flush of a run drops every entry in it:
 * the rules that the x86-64 manuals give for INVLPG.
 */
#include "ports/soft/parts.h"

#include <stdlib.h>

bool qr_soft_tlb_init(struct qr_soft_tlb *tlb, uint32_t sets, uint32_t ways)
{
	*tlb = (struct qr_soft_tlb){.sets = sets, .ways = ways};
	tlb->entries = calloc((size_t)sets * ways, sizeof(*tlb->entries));
	return tlb->entries != NULL;
}

static struct qr_soft_tlb_entry *set_of(struct qr_soft_tlb *tlb, uint64_t page)
{
	uint64_t set = (page >> QUIRE_PAGE_SHIFT) & (tlb->sets - 1);

	return &tlb->entries[set * tlb->ways];
}

struct qr_soft_tlb_entry *qr_soft_tlb_find(struct qr_soft_tlb *tlb, uint64_t page)
{
	struct qr_soft_tlb_entry *set = set_of(tlb, page);

	for (uint32_t way = 0; way < tlb->ways; way++)
		if (set[way].valid && set[way].page == page)
			return &set[way];
	return NULL;
}

void qr_soft_tlb_insert(struct qr_soft_tlb *tlb, uint64_t page,
			struct qr_soft_translation to)
{
	struct qr_soft_tlb_entry *entry = qr_soft_tlb_find(tlb, page);

	if (entry == NULL)
		entry = &set_of(tlb, page)[tlb->next_way++ & (tlb->ways - 1)];
	*entry = (struct qr_soft_tlb_entry){.valid = true, .page = page, .to = to};
}

static void flush_one(struct qr_soft_tlb *tlb, const struct quire_run *runs, uint32_t nr)
{
	for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++) {
		struct qr_soft_tlb_entry *entry = &tlb->entries[i];

		for (uint32_t r = 0; r < nr && entry->valid; r++)
			if (qr_soft_run_has(runs[r], entry->page))
				entry->valid = false;
	}
	tlb->flushes++;
}

void qr_soft_tlb_flush(struct qr_soft *soft, const struct quire_run *runs, uint32_t nr)
{
	for (uint32_t i = 0; i < soft->config.nr_cpus; i++) {
		pthread_mutex_lock(&soft->cpus[i].lock);
		flush_one(&soft->cpus[i].tlb, runs, nr);
		pthread_mutex_unlock(&soft->cpus[i].lock);
	}
}
