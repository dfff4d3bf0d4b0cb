/* SPDX-License-Identifier: MIT */
/* stats.c - the account adds up, and the walk meets every block once. */
#include "quire/heap.h"
#include "tests/heap/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR 4000

static unsigned char *blocks[NR];
static size_t asked[NR];

/* Small, large and huge ones, by turns. */
static size_t size_of(size_t i)
{
	if (i == NR / 2)
		return (size_t)40 << 20;
	return i % 100 == 0 ? i * 70 + 1 : i % 1500 + 1;
}

static size_t fill(void)
{
	size_t sum = 0;

	for (size_t i = 0; i < NR; i++) {
		asked[i] = size_of(i);
		blocks[i] = qr_heap_malloc(asked[i]);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, asked[i]);
		sum += asked[i];
	}
	return sum;
}

static void empty(void)
{
	for (size_t i = 0; i < NR; i++)
		qr_heap_free(blocks[i]);
}

static void check_sums(const struct quire_heap_stats *s)
{
	struct qr_heap_account account;

	assert_int_equal(s->asked_bytes + s->rounding_bytes, s->usable_bytes);
	assert_int_equal(s->usable_bytes + s->unused_bytes, s->span_bytes);
	assert_int_equal(s->span_bytes + s->free_bytes + s->returned_bytes +
				 s->record_bytes,
			 s->held_bytes);
	assert_int_equal(s->resident_bytes + s->absent_bytes, s->held_bytes);
	assert_true(s->resident_bytes <= s->held_bytes);
	/* The other way to count, from running totals. */
	qr_heap_account(&account);
	assert_int_equal(s->held_bytes, account.held);
	assert_int_equal(s->nr_blocks, account.blocks);
	assert_int_equal(s->usable_bytes, account.used);
	assert_int_equal(s->free_bytes, account.free_dirty);
}

static void the_account_adds_up(void **state)
{
	size_t before = support_blocks();
	struct quire_heap_stats empty_stats, stats;
	size_t sum, usable = 0;

	(void)state;
	quire_heap_stats(&empty_stats);
	check_sums(&empty_stats);
	sum = fill();
	for (size_t i = 0; i < NR; i++)
		usable += qr_heap_usable(blocks[i]);
	quire_heap_stats(&stats);
	check_sums(&stats);
	assert_int_equal(stats.nr_blocks - empty_stats.nr_blocks, NR);
	assert_int_equal(stats.usable_bytes - empty_stats.usable_bytes, usable);
	/* Sizes that are spread evenly over each class: the mean is near. */
	assert_true(stats.asked_bytes - empty_stats.asked_bytes > sum - sum / 20);
	assert_true(stats.asked_bytes - empty_stats.asked_bytes < sum + sum / 20);
	/* All of it was written to. */
	assert_true(stats.resident_bytes >= sum);
	assert_true(stats.process_bytes >= sum);
	assert_int_equal(stats.nr_huge, 1);
	empty();
	quire_heap_stats(&stats);
	check_sums(&stats);
	support_check(before);
}

/* What is given back is not in RAM. */
static void a_trim_shows(void **state)
{
	size_t before = support_blocks();
	struct quire_heap_stats full, stats;
	size_t sum = fill();

	(void)state;
	quire_heap_stats(&full);
	empty();
	qr_heap_trim(0);
	quire_heap_stats(&stats);
	check_sums(&stats);
	assert_int_equal(stats.free_bytes, 0);
	assert_true(stats.resident_bytes + sum / 2 < full.resident_bytes);
	support_check(before);
}

static void json_says_the_same(void **state)
{
	struct quire_heap_stats stats;
	char text[1024], small[10], want[64];
	size_t length = quire_heap_stats_json(text, sizeof(text));

	(void)state;
	assert_int_equal(length, strlen(text));
	assert_int_equal(text[0], '{');
	assert_int_equal(text[length - 1], '}');
	quire_heap_stats(&stats);
	snprintf(want, sizeof(want), "\"held_bytes\": %zu,", (size_t)stats.held_bytes);
	assert_non_null(strstr(text, want));
	/* As snprintf: cut off, and what it would have been. */
	memset(small, 'x', sizeof(small));
	assert_true(quire_heap_stats_json(small, sizeof(small)) + 64 > length);
	assert_int_equal(strlen(small), sizeof(small) - 1);
	assert_true(quire_heap_stats_json(NULL, 0) + 64 > length);
}

struct met {
	size_t nr, left;
	uintptr_t last;
	bool allocates;
};

static bool meet(void *ctx, void *block, size_t bytes)
{
	struct met *met = ctx;

	if ((uintptr_t)block <= met->last)
		fail_msg("%p is met after 0x%zx", block, (size_t)met->last);
	met->last = (uintptr_t)block;
	for (size_t i = 0; i < NR; i++) {
		if (blocks[i] != block)
			continue;
		assert_true(bytes >= asked[i]);
		met->nr++;
	}
	if (met->allocates)
		qr_heap_free(qr_heap_malloc(bytes));
	return met->left == 0 || --met->left != 0;
}

static void the_walk_meets_each_block_once(void **state)
{
	size_t before = support_blocks();
	struct met met = {.nr = 0}, few = {.left = 10}, busy = {.allocates = true};

	(void)state;
	fill();
	assert_true(quire_heap_walk(meet, &met));
	assert_int_equal(met.nr, NR);
	assert_false(quire_heap_walk(meet, &few));
	assert_int_equal(few.left, 0);
	assert_true(quire_heap_walk(meet, &busy));
	assert_int_equal(busy.nr, NR);
	empty();
	met = (struct met){.nr = 0};
	assert_true(quire_heap_walk(meet, &met));
	assert_int_equal(met.nr, 0);
	support_check(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_account_adds_up),
		cmocka_unit_test(a_trim_shows),
		cmocka_unit_test(json_says_the_same),
		cmocka_unit_test(the_walk_meets_each_block_once),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
