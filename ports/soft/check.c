/* SPDX-License-Identifier: MIT */
/* check.c - MMU, shadow and the core's tables held against each other, while nobody is
 * at work.
 *
 *   V1  no two pages name one frame;
 *   V2  a page that is present lies in an area; plain: it can be written only where the
 *       area can;
 *   V3  copies: a page is in the shadow exactly when the tables have it present;
 *   V4  a TLB entry says what tables or shadow say, and is dirty only where D is set;
 *   V5  nobody waits;
 *   V6  copies: a page is protected exactly when its entry cannot be written.
 */
#include "ports/soft/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY_DIRTY (1ull << 6)

struct check {
	char *buf;
	size_t bytes;
	bool failed;
	unsigned char *named; /* per frame: an entry names it */
	uint64_t nr_present;
};

static void fail(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fail(struct check *check, const char *format, ...)
{
	va_list args;

	if (check->failed)
		return;
	check->failed = true;
	va_start(args, format);
	vsnprintf(check->buf, check->bytes, format, args);
	va_end(args);
}

static bool visit_entry(struct qr_soft *soft, void *ctx, uint64_t page,
			const struct qr_soft_entry *entry)
{
	const struct qr_soft_area *area = qr_soft_areas_find(&soft->areas, page);
	const struct qr_soft_shadow_page *shadow;
	struct check *check = ctx;
	unsigned long long at = page;

	check->nr_present++;
	if (check->named[entry->pfn.n]++ != 0)
		fail(check, "V1: frame %u is named twice, by %#llx too", entry->pfn.n,
		     at);
	if (area == NULL)
		fail(check, "V2: page %#llx is present and in no area", at);
	else if (!soft->config.copies && entry->writable &&
		 (area->prot & QUIRE_WRITE) == 0)
		fail(check, "V2: page %#llx is writable in an area of protection %u", at,
		     area->prot);
	if (!soft->config.copies)
		return !check->failed;
	shadow = qr_soft_shadow_find(&soft->shadow, page);
	if (shadow == NULL)
		fail(check, "V3: page %#llx is present, and not in the shadow", at);
	else if (shadow->protected == entry->writable)
		fail(check, "V6: page %#llx is %sprotected, and %swritable", at,
		     shadow->protected ? "" : "not ", entry->writable ? "" : "not ");
	return !check->failed;
}

static void check_tlb_entry(struct qr_soft *soft, const struct qr_soft_tlb_entry *tlb,
			    struct check *check)
{
	unsigned long long at = tlb->page;
	struct qr_soft_shadow_page *shadow;
	struct qr_soft_entry entry;
	unsigned char *bytes;

	if (soft->config.copies) {
		shadow = qr_soft_shadow_find(&soft->shadow, tlb->page);
		if (shadow == NULL || shadow->bytes != tlb->to.bytes ||
		    (tlb->to.writable && shadow->protected))
			fail(check, "V4: the TLB has old news of page %#llx", at);
		return;
	}
	if (!qr_soft_walk(soft, tlb->page, &entry)) {
		fail(check, "V4: the TLB has page %#llx, the tables do not", at);
		return;
	}
	bytes = soft->port.direct + ((size_t)entry.pfn.n << QUIRE_PAGE_SHIFT);
	if (bytes != tlb->to.bytes || (tlb->to.writable && !entry.writable))
		fail(check, "V4: the TLB has old news of page %#llx", at);
	if (tlb->to.dirty && (atomic_load(entry.leaf) & ENTRY_DIRTY) == 0)
		fail(check, "V4: D was taken from page %#llx with no flush", at);
}

static void check_tlbs(struct qr_soft *soft, struct check *check)
{
	for (uint32_t i = 0; i < soft->config.nr_cpus; i++) {
		const struct qr_soft_tlb *tlb = &soft->cpus[i].tlb;

		for (uint32_t k = 0; k < tlb->sets * tlb->ways; k++)
			if (tlb->entries[k].valid)
				check_tlb_entry(soft, &tlb->entries[k], check);
	}
}

const char *qr_soft_validate(struct qr_soft *soft, char *buf, size_t bytes)
{
	struct check check = {.buf = buf, .bytes = bytes};

	check.named = calloc(soft->config.nr_frames, 1);
	if (check.named == NULL)
		return "the host has no memory for the check";
	pthread_mutex_lock(&soft->lock);
	qr_soft_walk_all(soft, visit_entry, &check);
	if (soft->config.copies && !check.failed &&
	    check.nr_present != soft->shadow.nr_pages)
		fail(&check, "V3: %llu pages in the shadow, %llu present",
		     (unsigned long long)soft->shadow.nr_pages,
		     (unsigned long long)check.nr_present);
	check_tlbs(soft, &check);
	if (soft->waiters != NULL)
		fail(&check, "V5: somebody waits for page %#llx",
		     (unsigned long long)soft->waiters->page);
	pthread_mutex_unlock(&soft->lock);
	free(check.named);
	return check.failed ? buf : NULL;
}

static bool count_entry(struct qr_soft *soft, void *ctx, uint64_t page,
			const struct qr_soft_entry *entry)
{
	uint64_t *nr = ctx;

	(void)soft;
	(void)page;
	(void)entry;
	++*nr;
	return true;
}

uint64_t qr_soft_mapped(struct qr_soft *soft)
{
	uint64_t nr = 0;

	if (soft->config.copies)
		return soft->shadow.nr_pages;
	qr_soft_walk_all(soft, count_entry, &nr);
	return nr;
}

struct qr_soft_counts qr_soft_counts(struct qr_soft *soft)
{
	struct qr_soft_counts counts;

	pthread_mutex_lock(&soft->lock);
	counts = soft->counts;
	counts.areas = soft->areas.nr;
	counts.pins = soft->nr_pins;
	for (uint32_t i = 0; i < soft->config.nr_disks; i++)
		counts.disk_extents += soft->disks[i].nr_written;
	pthread_mutex_unlock(&soft->lock);
	for (uint32_t i = 0; i < soft->config.nr_cpus; i++) {
		struct qr_soft_cpu *cpu = &soft->cpus[i];

		pthread_mutex_lock(&cpu->lock);
		counts.loads += cpu->loads;
		counts.stores += cpu->stores;
		counts.faults += cpu->faults;
		counts.waits += cpu->waits;
		counts.tlb_hits += cpu->tlb.hits;
		counts.tlb_misses += cpu->tlb.misses;
		counts.tlb_flushes += cpu->tlb.flushes;
		pthread_mutex_unlock(&cpu->lock);
	}
	return counts;
}
