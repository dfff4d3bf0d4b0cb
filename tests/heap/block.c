/* SPDX-License-Identifier: MIT */
/* block.c - the block heap: each policy, over regions and over a break that is counted. */
#include "heap/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE	   ((size_t)4096)
#define BREAK_ROOM ((size_t)64 << 20)

/* The ground: a break in memory of its own, mappings by malloc, and what was asked. */
static struct ground {
	unsigned char *start;
	size_t at, limit;
	unsigned nr_sbrk, nr_map;
	size_t mapped;
	jmp_buf stopped;
	const char *reason;
} ground;

static void *ground_sbrk(void *ctx, intptr_t increment)
{
	struct ground *g = ctx;
	unsigned char *old = g->start + g->at;

	if (increment == 0)
		return old;
	g->nr_sbrk++;
	if (increment > 0 && (size_t)increment > g->limit - g->at)
		return (void *)-1;
	if (increment > 0)
		memset(old, 0, (size_t)increment);
	g->at = (size_t)((intptr_t)g->at + increment);
	return old;
}

static void *ground_map(void *ctx, size_t bytes)
{
	struct ground *g = ctx;

	g->nr_map++;
	if (bytes > BREAK_ROOM)
		return NULL;
	g->mapped += bytes;
	return calloc(1, bytes);
}

static void ground_unmap(void *ctx, void *addr, size_t bytes)
{
	((struct ground *)ctx)->mapped -= bytes;
	free(addr);
}

static void *ground_remap(void *ctx, void *addr, size_t bytes, size_t new_bytes)
{
	struct ground *g = ctx;
	unsigned char *moved = realloc(addr, new_bytes);

	g->mapped += new_bytes - bytes;
	if (new_bytes > bytes)
		memset(moved + bytes, 0, new_bytes - bytes);
	return moved;
}

static void ground_stop(void *ctx, const char *what, const void *block)
{
	struct ground *g = ctx;

	(void)block;
	g->reason = what;
	longjmp(g->stopped, 1);
}

static const struct quire_block_ops ops = {
	.ctx = &ground,
	.sbrk = ground_sbrk,
	.map = ground_map,
	.unmap = ground_unmap,
	.remap = ground_remap,
	.stop = ground_stop,
};

static struct quire_block_heap heap;

static void begin(enum quire_fit fit)
{
	ground.at = 0;
	ground.limit = BREAK_ROOM;
	ground.nr_sbrk = 0;
	ground.nr_map = 0;
	quire_block_init(&heap, fit, &ops, PAGE);
}

static void check(void)
{
	const char *broken = quire_block_validate(&heap);

	if (broken != NULL)
		fail_msg("%s", broken);
}

/* Nothing is used, and what is free is one block for each region. */
static void end(void)
{
	check();
	assert_int_equal(heap.nr_used, 0);
	assert_int_equal(heap.used_bytes, 0);
	assert_int_equal(ground.mapped, 0);
	assert_true(heap.nr_free <= 2);
}

static void for_each_fit(void (*test)(enum quire_fit))
{
	for (unsigned fit = QUIRE_FIT_FIRST; fit <= QUIRE_FIT_SEGREGATED; fit++) {
		begin((enum quire_fit)fit);
		test((enum quire_fit)fit);
		end();
	}
}

static void one_page_serves_two(enum quire_fit fit)
{
	void *first = quire_block_alloc(&heap, 12);
	void *second;

	(void)fit;
	assert_non_null(first);
	assert_int_equal(ground.nr_sbrk, 1);
	assert_int_equal(ground.at, PAGE);
	second = quire_block_alloc(&heap, 20);
	assert_non_null(second);
	assert_int_equal(ground.nr_sbrk, 1);
	assert_true((uintptr_t)second - (uintptr_t)first < PAGE);
	quire_block_free(&heap, first);
	quire_block_free(&heap, second);
}

static void a_page_is_asked_for_once(void **state)
{
	(void)state;
	for_each_fit(one_page_serves_two);
}

/* Three holes of 200, 100 and 150 bytes, in this order; which one serves 90? */
static size_t chosen_hole(enum quire_fit fit)
{
	const size_t size[] = {208, 112, 160};
	void *hole[3], *wall[3], *block;
	size_t chosen = 3;

	for (int i = 0; i < 3; i++) {
		hole[i] = quire_block_alloc(&heap, size[i]);
		wall[i] = quire_block_alloc(&heap, 16);
	}
	/* The next fit goes on behind the last choice, the third hole. */
	quire_block_free(&heap, hole[2]);
	block = quire_block_alloc(&heap, size[2]);
	assert_ptr_equal(block, hole[2]);
	for (int i = 0; i < 3; i++)
		quire_block_free(&heap, hole[i]);
	block = quire_block_alloc(&heap, 96);
	for (size_t i = 0; i < 3; i++) {
		if (block == hole[i])
			chosen = i;
	}
	quire_block_free(&heap, block);
	for (int i = 0; i < 3; i++)
		quire_block_free(&heap, wall[i]);
	(void)fit;
	return chosen;
}

static void each_policy_chooses_its_hole(void **state)
{
	(void)state;
	begin(QUIRE_FIT_FIRST);
	assert_int_equal(chosen_hole(QUIRE_FIT_FIRST), 0);
	end();
	begin(QUIRE_FIT_NEXT);
	assert_int_not_equal(chosen_hole(QUIRE_FIT_NEXT), 0);
	end();
	begin(QUIRE_FIT_BEST);
	assert_int_equal(chosen_hole(QUIRE_FIT_BEST), 1);
	end();
	begin(QUIRE_FIT_SEGREGATED);
	assert_int_equal(chosen_hole(QUIRE_FIT_SEGREGATED), 1);
	end();
}

static void neighbours_merge(enum quire_fit fit)
{
	void *block[5];

	(void)fit;
	for (int i = 0; i < 5; i++)
		block[i] = quire_block_alloc(&heap, 64);
	quire_block_free(&heap, block[1]);
	quire_block_free(&heap, block[3]);
	assert_int_equal(heap.nr_free, 3);
	quire_block_free(&heap, block[2]);
	assert_int_equal(heap.nr_free, 2);
	check();
	assert_true(quire_block_alloc(&heap, 3 * 64 + 2 * QR_META_BYTES) == block[1]);
	quire_block_free(&heap, block[1]);
	quire_block_free(&heap, block[0]);
	quire_block_free(&heap, block[4]);
	assert_int_equal(heap.nr_free, 1);
}

static void freed_neighbours_are_one(void **state)
{
	(void)state;
	for_each_fit(neighbours_merge);
}

static void grows_in_place(enum quire_fit fit)
{
	unsigned char *block = quire_block_alloc(&heap, 100);
	void *behind = quire_block_alloc(&heap, 1000);
	void *wall = quire_block_alloc(&heap, 16);

	(void)fit;
	memset(block, 7, 100);
	quire_block_free(&heap, behind);
	assert_ptr_equal(quire_block_resize(&heap, block, 900), block);
	check();
	assert_ptr_equal(quire_block_resize(&heap, block, 50), block);
	check();
	assert_int_equal(block[49], 7);
	quire_block_free(&heap, wall);
	/* The last one: the end of the region moves. */
	assert_ptr_equal(quire_block_resize(&heap, block, 100000), block);
	check();
	assert_int_equal(block[49], 7);
	quire_block_free(&heap, block);
}

static void resize_stays_where_it_can(void **state)
{
	(void)state;
	for_each_fit(grows_in_place);
}

static void top_is_given_back(enum quire_fit fit)
{
	void *block[20];

	(void)fit;
	for (int i = 0; i < 20; i++)
		block[i] = quire_block_alloc(&heap, 60000);
	assert_true(ground.at > 20 * 60000);
	for (int i = 19; i >= 0; i--)
		quire_block_free(&heap, block[i]);
	assert_true(ground.at <= heap.trim_threshold + PAGE);
	assert_true(quire_block_trim(&heap, 0) > 0);
	assert_int_equal(ground.at, PAGE);
}

static void trims_the_top(void **state)
{
	(void)state;
	for_each_fit(top_is_given_back);
}

static void large_ones_are_mapped(enum quire_fit fit)
{
	unsigned char *block = quire_block_alloc(&heap, (size_t)128 << 10);

	(void)fit;
	assert_int_equal(ground.nr_map, 1);
	assert_int_equal(ground.nr_sbrk, 0);
	block[0] = 9;
	block = quire_block_resize(&heap, block, (size_t)1 << 20);
	assert_int_equal(block[0], 9);
	check();
	assert_int_equal(heap.nr_mappings, 1);
	quire_block_free(&heap, block);
	/* The threshold followed, and the next one of the size is not mapped. */
	assert_true(heap.mmap_threshold >= (size_t)1 << 20);
	assert_int_equal(heap.trim_threshold, 2 * heap.mmap_threshold);
	block = quire_block_alloc(&heap, (size_t)1 << 20);
	assert_int_equal(ground.nr_map, 1);
	quire_block_free(&heap, block);
	assert_int_equal(quire_block_set(&heap, QUIRE_BLOCK_MMAP_THRESHOLD, 4096),
			 QUIRE_OK);
	block = quire_block_alloc(&heap, 5000);
	assert_int_equal(ground.nr_map, 2);
	quire_block_free(&heap, block);
	assert_int_equal(heap.mmap_threshold, 4096);
	assert_int_equal(quire_block_set(&heap, (enum quire_block_option)77, 1),
			 QUIRE_INVALID);
}

static void large_requests_have_mappings(void **state)
{
	(void)state;
	for_each_fit(large_ones_are_mapped);
}

static void others_move_the_break(enum quire_fit fit)
{
	void *first = quire_block_alloc(&heap, 3000);
	void *second;

	(void)fit;
	(void)ground_sbrk(&ground, 3 * (intptr_t)PAGE);
	second = quire_block_alloc(&heap, 3000);
	assert_non_null(second);
	memset(second, 1, 3000);
	check();
	quire_block_free(&heap, first);
	quire_block_free(&heap, second);
	assert_int_equal(heap.nr_free, 2);
}

static void a_foreign_break_is_no_harm(void **state)
{
	(void)state;
	for_each_fit(others_move_the_break);
}

static uint64_t seed;

static size_t pick(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 11) % below;
}

#define NR_PLACES 300

static struct place {
	unsigned char *block;
	size_t bytes;
	unsigned char mark;
} place[NR_PLACES];

static void check_place(const struct place *p)
{
	for (size_t i = 0; i < p->bytes; i++) {
		if (p->block[i] != p->mark)
			fail_msg("byte %zu of %zu was written over", i, p->bytes);
	}
}

static unsigned char *allocate_somehow(size_t *align, size_t bytes)
{
	*align = pick(6) == 0 ? (size_t)16 << pick(9) : 16;
	if (*align == 16 && pick(4) == 0)
		return quire_block_alloc_zeroed(&heap, 1, bytes);
	return quire_block_alloc_aligned(&heap, *align, bytes);
}

static void step(struct place *p)
{
	size_t bytes = pick(pick(20) == 0 ? 300000 : 700);
	unsigned char *block;
	size_t align = 16;

	check_place(p);
	if (p->block != NULL && pick(3) == 0) {
		block = quire_block_resize(&heap, p->block, bytes);
		if (block == NULL)
			return;
		p->block = block;
		p->bytes = bytes < p->bytes ? bytes : p->bytes;
		check_place(p);
	} else {
		quire_block_free(&heap, p->block);
		p->block = allocate_somehow(&align, bytes);
	}
	assert_true((uintptr_t)p->block % align == 0);
	p->bytes = p->block != NULL ? bytes : 0;
	p->mark = (unsigned char)pick(256);
	if (p->block != NULL)
		memset(p->block, p->mark, bytes);
}

static void random_steps(enum quire_fit fit)
{
	seed = 88172645463325252u + fit;
	memset(place, 0, sizeof(place));
	for (int i = 0; i < 30000; i++) {
		step(&place[pick(NR_PLACES)]);
		if (i % 64 == 0)
			check();
	}
	for (int i = 0; i < NR_PLACES; i++)
		quire_block_free(&heap, place[i].block);
}

static void random_steps_keep_all_contents(void **state)
{
	(void)state;
	for_each_fit(random_steps);
}

/* With ever less memory to be had, requests fail, and nothing else does. */
static void runs_short(enum quire_fit fit)
{
	assert_int_equal(quire_block_set(&heap, QUIRE_BLOCK_MMAP_MAX, 0), QUIRE_OK);
	for (size_t limit = 0; limit < 40 * PAGE; limit += PAGE) {
		ground.limit = ground.at > limit ? ground.at : limit;
		seed = limit + fit + 1;
		memset(place, 0, sizeof(place));
		for (int i = 0; i < 400; i++)
			step(&place[pick(NR_PLACES)]);
		check();
		for (int i = 0; i < NR_PLACES; i++)
			quire_block_free(&heap, place[i].block);
		check();
		assert_int_equal(heap.nr_used, 0);
	}
}

static void running_short_loses_nothing(void **state)
{
	(void)state;
	for_each_fit(runs_short);
}

static bool count_used(void *ctx, const void *block, size_t bytes,
		       enum quire_block_state state)
{
	(void)block;
	(void)bytes;
	*(size_t *)ctx += state != QUIRE_BLOCK_FREE;
	return true;
}

static void regions_alone(enum quire_fit fit)
{
	static _Alignas(16) unsigned char memory[2][5000];
	size_t nr = 0, walked = 0;
	void *block, *chain = NULL;

	quire_block_init(&heap, fit, NULL, PAGE);
	assert_int_equal(quire_block_add(&heap, memory[0], 20), QUIRE_INVALID);
	assert_null(quire_block_alloc(&heap, 1));
	for (int i = 0; i < 2; i++)
		assert_int_equal(quire_block_add(&heap, memory[i] + i, 4990), QUIRE_OK);
	while ((block = quire_block_alloc(&heap, 100)) != NULL) {
		*(void **)block = chain;
		chain = block;
		nr++;
	}
	assert_true(nr >= 66);
	quire_block_walk(&heap, count_used, &walked);
	assert_int_equal(walked, nr);
	check();
	while (chain != NULL) {
		block = *(void **)chain;
		quire_block_free(&heap, chain);
		chain = block;
	}
	assert_null(quire_block_alloc(&heap, 6000));
}

static void regions_need_no_ground(void **state)
{
	(void)state;
	for_each_fit(regions_alone);
}

static void sizes_that_cannot_be(enum quire_fit fit)
{
	void *block = quire_block_alloc(&heap, 0);

	(void)fit;
	assert_non_null(block);
	assert_null(quire_block_alloc(&heap, SIZE_MAX));
	assert_null(quire_block_alloc(&heap, PTRDIFF_MAX));
	assert_null(quire_block_alloc_zeroed(&heap, SIZE_MAX / 2, 3));
	assert_null(quire_block_alloc_aligned(&heap, (size_t)1 << 62, 1));
	assert_null(quire_block_resize(&heap, block, SIZE_MAX - 5));
	assert_int_equal(quire_block_usable(&heap, NULL), 0);
	quire_block_free(&heap, NULL);
	quire_block_free(&heap, block);
}

static void wrong_sizes_are_refused(void **state)
{
	(void)state;
	for_each_fit(sizes_that_cannot_be);
}

/* The misuse is stopped, and says so. */
static void expect_stop(void (*misuse)(void))
{
	begin(QUIRE_FIT_FIRST);
	ground.reason = NULL;
	if (setjmp(ground.stopped) == 0) {
		misuse();
		fail_msg("not stopped");
	}
	assert_non_null(ground.reason);
}

static void free_twice(void)
{
	void *block = quire_block_alloc(&heap, 40);

	(void)quire_block_alloc(&heap, 40);
	quire_block_free(&heap, block);
	quire_block_free(&heap, block);
}

static void free_twice_merged(void)
{
	void *block = quire_block_alloc(&heap, 40), *other = quire_block_alloc(&heap, 40);

	quire_block_free(&heap, block);
	quire_block_free(&heap, other);
	quire_block_free(&heap, other);
}

static void free_inside(void)
{
	unsigned char *block = quire_block_alloc(&heap, 400);

	memset(block, 0, 400);
	quire_block_free(&heap, block + 64);
}

static void write_past_the_end(void)
{
	unsigned char *block = quire_block_alloc(&heap, 48);
	void *next = quire_block_alloc(&heap, 48);

	memset(block, 0x41, 49);
	quire_block_free(&heap, next);
}

static void write_past_the_end_unnoticed_neighbour(void)
{
	unsigned char *block = quire_block_alloc(&heap, 48);

	(void)quire_block_alloc(&heap, 48);
	memset(block, 0x41, 56);
	quire_block_free(&heap, block);
}

static void misuse_is_stopped(void **state)
{
	(void)state;
	expect_stop(free_twice);
	expect_stop(free_twice_merged);
	expect_stop(free_inside);
	expect_stop(write_past_the_end);
	expect_stop(write_past_the_end_unnoticed_neighbour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_asked_for_once),
		cmocka_unit_test(each_policy_chooses_its_hole),
		cmocka_unit_test(freed_neighbours_are_one),
		cmocka_unit_test(resize_stays_where_it_can),
		cmocka_unit_test(trims_the_top),
		cmocka_unit_test(large_requests_have_mappings),
		cmocka_unit_test(a_foreign_break_is_no_harm),
		cmocka_unit_test(random_steps_keep_all_contents),
		cmocka_unit_test(running_short_loses_nothing),
		cmocka_unit_test(regions_need_no_ground),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(misuse_is_stopped),
	};
	int failed;

	ground.start = aligned_alloc(PAGE, BREAK_ROOM);
	if (ground.start == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(ground.start);
	return failed;
}
