/* SPDX-License-Identifier: MIT */
/* page_data.h - what the workload's pages hold, so that wrong bytes show.
 *
 * Model.  A page is 512 words.  Word 0 is the *header*: its low 48 bits are derived from
 * the page's index, its high 16 bits count the writes.  All other words never change and
 * are a function of (page, word).  A *group* is 16 words: 7 or 8 random ones, then one
 * word of the page's own, repeated; LZ4 thus stores about half of the page.
 *
 * Invariants.
 *   D1  no word is zero by design, so a page that comes back empty is seen;
 *   D2  LZ4 takes a page to 45..55 % of its size, whatever the count in its header.
 */
#ifndef QUIRE_BENCH_PAGING_PAGE_DATA_H
#define QUIRE_BENCH_PAGING_PAGE_DATA_H

#include <stdint.h>

#define BENCH_PAGE_BYTES 4096
#define BENCH_PAGE_WORDS (BENCH_PAGE_BYTES / sizeof(uint64_t))

/* One write, as it is added to a header; it wraps out of the top. */
#define BENCH_ONE_WRITE	  ((uint64_t)1 << 48)
#define BENCH_WRITE_SHIFT 48

/* A bijection on 64 bits with full avalanche (Steele et al., SplitMix, 2014). */
uint64_t qr_bits_mix(uint64_t x);

/* What a word holds after the fill; for word 0, the header with no write counted. */
uint64_t qr_page_word(uint64_t page, unsigned int word);

void qr_page_fill(_Atomic uint64_t *words, uint64_t page);

/* The first word that is not as it must be, or BENCH_PAGE_WORDS; adds all to *sum. */
unsigned int qr_page_verify(const _Atomic uint64_t *words, uint64_t page,
			    uint16_t nr_writes, uint64_t *sum);

#endif
