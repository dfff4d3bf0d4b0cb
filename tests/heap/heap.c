/* SPDX-License-Identifier: MIT */
/* heap.c - the fast heap's interface, one thread. */
#include "heap/detour.h"
#include "tests/heap/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_small_size_is_served(void **state)
{
	size_t before = support_blocks();

	(void)state;
	for (size_t bytes = 0; bytes <= 2 * QR_SMALL_MAX; bytes += 1 + bytes / 512) {
		unsigned char *block = qr_heap_malloc(bytes);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % QR_QUANTUM, 0);
		assert_true(qr_heap_usable(block) >= bytes);
		memset(block, 0xa5, qr_heap_usable(block));
		qr_heap_free(block);
	}
	support_check(before);
}

/* Whatever its place in a span, a block is told from all others. */
static void every_slot_can_be_freed(void **state)
{
	static void *block[5000];
	size_t before = support_blocks();

	(void)state;
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		size_t bytes = qr_class_bytes(cls);
		size_t nr = bytes <= 1024 ? 4900 * 16 / bytes + 64 : 80;

		for (size_t i = 0; i < nr; i++)
			block[i] = qr_heap_malloc(bytes);
		for (size_t i = 0; i < nr; i++)
			qr_heap_free(block[i]);
	}
	support_check(before);
}

/* Of one byte more than a class: at most an eighth, or a quantum, is rounded up. */
static void classes_are_close(void **state)
{
	(void)state;
	for (unsigned cls = 0; cls + 1 < QR_NR_CLASSES; cls++) {
		uint32_t here = qr_class_bytes(cls);
		uint32_t next = qr_class_bytes(cls + 1);

		assert_true(next - here <= QR_QUANTUM || (next - here) * 8 <= here);
		assert_int_equal(qr_class_of(here), cls);
		assert_int_equal(qr_class_of(here + 1), cls + 1);
	}
	assert_int_equal(qr_class_bytes(QR_NR_CLASSES - 1), QR_SMALL_MAX);
	assert_int_equal(qr_class_of(0), 0);
}

static void alignment_is_kept(void **state)
{
	size_t before = support_blocks();

	(void)state;
	for (size_t align = 1; align <= (size_t)8 << 20; align *= 2) {
		for (size_t bytes = 0; bytes < (size_t)1 << 20; bytes = bytes * 3 + 1) {
			unsigned char *block = qr_heap_aligned(align, bytes);

			assert_non_null(block);
			assert_int_equal((uintptr_t)block % align, 0);
			memset(block, 0x5a, bytes);
			qr_heap_free(block);
		}
	}
	support_check(before);
}

static bool all_zero(const unsigned char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (block[i] != 0)
			return false;
	}
	return true;
}

static void calloc_is_zero_also_in_used_memory(void **state)
{
	size_t before = support_blocks();

	(void)state;
	for (size_t bytes = 1; bytes < (size_t)64 << 20; bytes = bytes * 5 / 3 + 1) {
		for (int round = 0; round < 2; round++) {
			unsigned char *block = qr_heap_calloc(1, bytes);

			assert_non_null(block);
			assert_true(all_zero(block, bytes));
			memset(block, 0xff, bytes);
			qr_heap_free(block);
		}
	}
	assert_null(qr_heap_calloc(SIZE_MAX / 2, 3));
	assert_null(qr_heap_calloc(1, SIZE_MAX));
	support_check(before);
}

static void too_large_is_refused(void **state)
{
	size_t before = support_blocks();
	void *block = qr_heap_malloc(10);

	(void)state;
	assert_null(qr_heap_malloc(SIZE_MAX));
	assert_null(qr_heap_malloc((size_t)PTRDIFF_MAX + 1));
	assert_null(qr_heap_aligned((size_t)1 << 62, 1));
	assert_null(qr_heap_realloc(block, SIZE_MAX - 4096));
	assert_null(qr_heap_realloc(block, PTRDIFF_MAX));
	qr_heap_free(block);
	support_check(before);
}

/* The byte that belongs at a place of a block, whatever its size. */
static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 131 + (i >> 8) * 7 + 3);
}

static void fill_from(unsigned char *block, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		block[i] = pattern(i);
}

static void check_to(const unsigned char *block, size_t to)
{
	for (size_t i = 0; i < to; i++) {
		if (block[i] != pattern(i))
			fail_msg("byte %zu of %zu is lost", i, to);
	}
}

static void realloc_keeps_contents(void **state)
{
	size_t before = support_blocks();
	uint64_t seed = 7;
	unsigned char *block = NULL;
	size_t bytes = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		unsigned shift = (unsigned)(support_random(&seed) % 23);
		size_t want = 1 + support_random(&seed) % ((size_t)1 << shift);
		unsigned char *moved = qr_heap_realloc(block, want);

		assert_non_null(moved);
		check_to(moved, want < bytes ? want : bytes);
		fill_from(moved, want < bytes ? want : bytes, want);
		block = moved;
		bytes = want;
	}
	qr_heap_free(block);
	support_check(before);
}

static void growing_by_steps(size_t step, size_t end)
{
	unsigned char *block = NULL;
	size_t bytes = 0;

	while (bytes < end) {
		block = qr_heap_realloc(block, bytes + step);
		assert_non_null(block);
		assert_true(qr_heap_usable(block) >= bytes + step);
		fill_from(block, bytes, bytes + step);
		bytes += step;
	}
	check_to(block, bytes);
	qr_heap_free(block);
}

static void growing_keeps_contents(void **state)
{
	size_t before = support_blocks();

	(void)state;
	growing_by_steps(24, 100000);
	growing_by_steps(1000, 1 << 20);
	growing_by_steps(100000, 40 << 20);
	growing_by_steps(5 << 20, 100 << 20);
	support_check(before);
}

static size_t resident_free(void)
{
	struct qr_heap_account account;

	qr_heap_account(&account);
	return account.free_dirty;
}

/* malloc_trim leaves nothing free that is resident. */
static void trim_gives_all_back(void **state)
{
	enum { NR = 20000 };
	size_t before = support_blocks();
	void **block = malloc(NR * sizeof(*block));

	(void)state;
	for (size_t i = 0; i < NR; i++) {
		block[i] = qr_heap_malloc(i % 3000);
		memset(block[i], 1, i % 3000);
	}
	for (size_t i = 0; i < NR; i++)
		qr_heap_free(block[i]);
	free(block);
	qr_heap_trim(0);
	assert_int_equal(resident_free(), 0);
	support_check(before);
}

/* Hardened, freed blocks rest, and some have pages of their own: which ones is random. */
static size_t resting_most(void)
{
	return (qr_detour & QR_DETOUR_HARDENED) != 0 ? (size_t)4 << 20 : 0;
}

/* Once more of the same comes from the pages that are there. */
static void memory_is_used_again(void **state)
{
	enum { NR = 2000 };
	static void *block[NR];
	size_t before = support_blocks();
	size_t mapped = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < NR; i++)
			block[i] = qr_heap_malloc(i * 7 % 5000 + 1);
		if (round == 0)
			mapped = support_mapped();
		/* What rested of earlier tests may go. */
		assert_true(support_mapped() <= mapped + resting_most());
		for (size_t i = 0; i < NR; i++)
			qr_heap_free(block[(i * 7) % NR]);
	}
	support_check(before);
}

static void grow_once(size_t from, size_t to)
{
	void *block = qr_heap_malloc(from);
	void *more = qr_heap_realloc(block, to);

	qr_heap_free(more != NULL ? more : block);
}

static void fill_all(unsigned char **block, size_t nr, size_t least)
{
	for (size_t i = 0; i < nr; i++) {
		size_t bytes = least + i % 700;

		if (block[i] != NULL)
			continue;
		block[i] = qr_heap_malloc(bytes);
		fill_from(block[i], 0, least);
	}
}

static void free_most(unsigned char **block, size_t nr, size_t kept)
{
	size_t freed = 0;
	uint64_t seed = 3;

	while (freed < nr - kept) {
		size_t i = support_random(&seed) % nr;

		freed += block[i] != NULL;
		qr_heap_free(block[i]);
		block[i] = NULL;
	}
}

/* Of spans that keep a few blocks, the pages between them go back; what is kept there,
 * and what is put there later, stays whole. */
static void pages_between_blocks_go_back(void **state)
{
	enum { NR = 60000 };
	static unsigned char *block[NR];
	size_t before = support_blocks();
	size_t purged;

	(void)state;
	fill_all(block, NR, 300);
	purged = support_purged();
	free_most(block, NR, NR / 10);
	assert_true(support_purged() - purged > (size_t)NR * 300 / 10);
	assert_null(qr_heap_validate());
	fill_all(block, NR, 300);
	for (size_t i = 0; i < NR; i++) {
		check_to(block[i], 300);
		qr_heap_free(block[i]);
		block[i] = NULL;
	}
	support_check(before);
}

/* A bit of everything, where any request may fail; what is had is freed. */
static void all_kinds(void)
{
	enum { NR = 1200 };
	static unsigned char *block[NR];

	for (size_t i = 0; i < NR; i++) {
		size_t bytes = i % 100 == 0 ? i << 12 : i * 5;

		block[i] = i % 3 == 0 ? qr_heap_calloc(1, bytes) : qr_heap_malloc(bytes);
		if (i % 7 == 0) {
			void *more = qr_heap_realloc(block[i], 3 * bytes + 1);

			if (more != NULL)
				block[i] = more;
		}
		if (block[i] != NULL)
			memset(block[i], 0x11, bytes);
	}
	for (size_t i = 0; i < NR; i++)
		qr_heap_free(block[i]);
	grow_once((size_t)40 << 20, (size_t)50 << 20);
	qr_heap_free(qr_heap_aligned((size_t)1 << 21, 1 << 16));
}

/* After the n-th page request everything is refused; for each n until none is. */
static void any_page_request_may_fail(void **state)
{
	size_t before = support_blocks();
	unsigned n = 0;

	(void)state;
	do {
		support_fail_from(++n);
		all_kinds();
		support_check(before);
	} while (support_requests() >= n);
	support_fail_from(0);
	all_kinds();
	support_check(before);
}

/* Blocks from before the source was set go back to where they came from. */
static void two_sources(void **state)
{
	size_t before = support_blocks();
	size_t mapped = support_mapped();
	void *small, *large, *huge;

	(void)state;
	qr_heap_set_pages(&qr_heap_pages_host);
	small = qr_heap_malloc(24000);
	large = qr_heap_malloc(900000);
	huge = qr_heap_malloc((size_t)48 << 20);
	support_init();
	assert_true(support_mapped() == mapped);
	qr_heap_free(small);
	qr_heap_free(huge);
	large = qr_heap_realloc(large, (size_t)20 << 20);
	assert_non_null(large);
	qr_heap_free(large);
	support_check(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_page_request_may_fail),
		cmocka_unit_test(every_small_size_is_served),
		cmocka_unit_test(every_slot_can_be_freed),
		cmocka_unit_test(classes_are_close),
		cmocka_unit_test(alignment_is_kept),
		cmocka_unit_test(calloc_is_zero_also_in_used_memory),
		cmocka_unit_test(too_large_is_refused),
		cmocka_unit_test(realloc_keeps_contents),
		cmocka_unit_test(growing_keeps_contents),
		cmocka_unit_test(trim_gives_all_back),
		cmocka_unit_test(pages_between_blocks_go_back),
		cmocka_unit_test(memory_is_used_again),
		cmocka_unit_test(two_sources),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
