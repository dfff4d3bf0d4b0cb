/* SPDX-License-Identifier: MIT */
/* page_data.c - the contents of one page, as page_data.h defines them. */
#include "bench/paging/page_data.h"

#include <stdatomic.h>

#define GROUP_WORDS	 16
#define GROUPS_WITH_MORE 17 /* less than this many */
#define GROUP_RANDOM_MIN 7

#define HEADER_TAG_MASK (BENCH_ONE_WRITE - 1)

uint64_t qr_bits_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/*
 * 7 random words in each group compress to 48 %, 8 in each to 57 %.  How many groups have
 * 8 differs from page to page, since a store that sees one size only has no fragmentation
 * to fight; up to 16 of the 32 groups keep every page within D2.
 */
static unsigned int random_words(uint64_t page_key, unsigned int group)
{
	return GROUP_RANDOM_MIN + (group < page_key % GROUPS_WITH_MORE);
}

static uint64_t word_of(uint64_t page_key, unsigned int word)
{
	unsigned int group = word / GROUP_WORDS;

	if (word == 0)
		return (page_key & HEADER_TAG_MASK) | 1;
	if (word % GROUP_WORDS < random_words(page_key, group))
		return qr_bits_mix(page_key + word);
	return page_key | 1;
}

static uint64_t key_of(uint64_t page)
{
	return qr_bits_mix(page);
}

uint64_t qr_page_word(uint64_t page, unsigned int word)
{
	return word_of(key_of(page), word);
}

void qr_page_fill(_Atomic uint64_t *words, uint64_t page)
{
	uint64_t key = key_of(page);

	for (unsigned int i = 0; i < BENCH_PAGE_WORDS; i++)
		atomic_store_explicit(&words[i], word_of(key, i), memory_order_relaxed);
}

unsigned int qr_page_verify(const _Atomic uint64_t *words, uint64_t page,
			    uint16_t nr_writes, uint64_t *sum)
{
	uint64_t key = key_of(page);
	uint64_t header = (uint64_t)nr_writes << BENCH_WRITE_SHIFT;

	for (unsigned int i = 0; i < BENCH_PAGE_WORDS; i++) {
		uint64_t seen = atomic_load_explicit(&words[i], memory_order_relaxed);

		if (seen != word_of(key, i) + (i == 0 ? header : 0))
			return i;
		*sum += seen;
	}
	return BENCH_PAGE_WORDS;
}
