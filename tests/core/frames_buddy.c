/* SPDX-License-Identifier: MIT */
/* frames_buddy.c - the binary buddy system against a bitmap too simple to be wrong.
 *
 * A buddy system that merges all it can has a block of order k exactly when some aligned
 * run of 2^k frames is free: the model looks for that run, frame by frame. */
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_FRAMES 4096u
#define MODEL_BLOCKS 4096u

struct block {
	uint32_t start, order;
};

struct model {
	struct quire_buddy buddy;
	struct quire_frame frames[MODEL_FRAMES];
	bool is_taken[MODEL_FRAMES];
	struct block blocks[MODEL_BLOCKS]; /* taken */
	uint32_t nr_frames, nr_blocks, nr_free, first;
};

static void model_init(struct model *m, uint32_t nr_frames, uint32_t first)
{
	memset(m, 0, sizeof(*m));
	m->nr_frames = nr_frames;
	m->first = first;
	m->nr_free = nr_frames - first;
	for (uint32_t n = 0; n < first; n++) {
		m->is_taken[n] = true;
		m->frames[n].use = QUIRE_FRAME_META;
	}
	qr_buddy_init(&m->buddy, m->frames, nr_frames, first);
}

static bool run_is_free(const struct model *m, uint32_t start, uint32_t order)
{
	for (uint32_t n = start; n < start + (1u << order); n++)
		if (m->is_taken[n])
			return false;
	return true;
}

static bool has_run(const struct model *m, uint32_t order)
{
	uint32_t step = 1u << order;

	for (uint32_t n = 0; n + step <= m->nr_frames; n += step)
		if (run_is_free(m, n, order))
			return true;
	return false;
}

static void mark(struct model *m, uint32_t start, uint32_t order, bool is_taken)
{
	for (uint32_t n = start; n < start + (1u << order); n++)
		m->is_taken[n] = is_taken;
}

static void check(const struct model *m)
{
	assert_int_equal(m->buddy.nr_free, m->nr_free);
	assert_null(qr_buddy_validate(&m->buddy));
}

static void take(struct model *m, uint32_t order)
{
	bool expected = has_run(m, order);
	quire_pfn pfn;

	assert_int_equal(qr_buddy_alloc(&m->buddy, order, &pfn), expected);
	if (!expected)
		return;
	assert_int_equal(pfn.n % (1u << order), 0);
	assert_true(pfn.n + (1u << order) <= m->nr_frames);
	assert_true(run_is_free(m, pfn.n, order));
	mark(m, pfn.n, order, true);
	m->blocks[m->nr_blocks++] = (struct block){pfn.n, order};
	m->nr_free -= 1u << order;
}

static void give(struct model *m, uint32_t i)
{
	struct block block = m->blocks[i];

	m->blocks[i] = m->blocks[--m->nr_blocks];
	mark(m, block.start, block.order, false);
	m->nr_free += 1u << block.order;
	qr_buddy_free(&m->buddy, (quire_pfn){block.start}, block.order);
}

static void give_all(struct model *m)
{
	while (m->nr_blocks > 0)
		give(m, m->nr_blocks - 1);
	check(m);
	assert_int_equal(m->nr_free, m->nr_frames - m->first);
}

/* One step is an order to allocate, or a block to free. */
#define STEP_ORDERS 4u

static bool step(struct model *m, uint32_t choice)
{
	if (choice < STEP_ORDERS) {
		take(m, choice);
		return true;
	}
	if (choice - STEP_ORDERS >= m->nr_blocks)
		return false;
	give(m, choice - STEP_ORDERS);
	return true;
}

/* Runs the sequence; false when it asks for a block that is not there. */
static bool run_sequence(struct model *m, const uint32_t *steps, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (!step(m, steps[i]))
			return false;
		check(m);
	}
	return true;
}

#define SEQUENCE 5u

/* The next sequence in order, with choices below limit; false after the last. */
static bool next_sequence(uint32_t *steps, uint32_t limit)
{
	for (uint32_t i = SEQUENCE; i-- > 0;) {
		if (++steps[i] < limit)
			return true;
		steps[i] = 0;
	}
	return false;
}

static void every_short_sequence_on_every_small_zone(void **state)
{
	struct model *m = malloc(sizeof(*m));

	(void)state;
	assert_non_null(m);
	for (uint32_t nr_frames = 1; nr_frames <= 11; nr_frames++) {
		for (uint32_t first = 0; first < nr_frames && first < 3; first++) {
			uint32_t steps[SEQUENCE] = {0};

			do {
				memset(m->blocks, 0, SEQUENCE * sizeof(m->blocks[0]));
				memset(m->frames, 0, nr_frames * sizeof(m->frames[0]));
				memset(m->is_taken, 0, nr_frames);
				m->nr_blocks = 0;
				m->nr_frames = nr_frames;
				m->first = first;
				m->nr_free = nr_frames - first;
				for (uint32_t n = 0; n < first; n++)
					m->is_taken[n] = true;
				qr_buddy_init(&m->buddy, m->frames, nr_frames, first);
				if (run_sequence(m, steps, SEQUENCE))
					give_all(m);
			} while (next_sequence(steps, STEP_ORDERS + 3));
		}
	}
	free(m);
}

static void long_random_sequences(void **state)
{
	struct model *m = malloc(sizeof(*m));
	uint64_t seed = testport_seed();

	(void)state;
	assert_non_null(m);
	for (uint32_t round = 0; round < 20; round++) {
		uint32_t nr_frames =
			1 + (uint32_t)(testport_random(&seed) % MODEL_FRAMES);

		model_init(m, nr_frames, (uint32_t)(testport_random(&seed) % nr_frames));
		for (uint32_t i = 0; i < 400; i++) {
			uint64_t r = testport_random(&seed);

			if (m->nr_blocks > 0 && (r & 3) == 0)
				give(m, (uint32_t)(r >> 8) % m->nr_blocks);
			else
				take(m, (uint32_t)(r >> 8) % (QUIRE_ORDER_MAX + 1));
			check(m);
		}
		give_all(m);
	}
	free(m);
}

static void free_twice(void *arg)
{
	struct model *m = arg;

	qr_buddy_free(&m->buddy, (quire_pfn){8}, 0);
	qr_buddy_free(&m->buddy, (quire_pfn){8}, 0);
}

static void free_misaligned(void *arg)
{
	struct model *m = arg;

	qr_buddy_free(&m->buddy, (quire_pfn){9}, 1);
}

static void misuse_is_caught(void **state)
{
	struct model *m = malloc(sizeof(*m));

	(void)state;
	assert_non_null(m);
	model_init(m, 16, 0);
	take(m, 3);
	take(m, 3);
	assert_true(testport_dies(free_misaligned, m));
	assert_true(testport_dies(free_twice, m));
	free(m);
}

static void validate_sees_each_invariant_broken(void **state)
{
	struct model *m = malloc(sizeof(*m));

	(void)state;
	assert_non_null(m);
	model_init(m, 16, 0);
	m->buddy.nr_free--;
	assert_memory_equal(qr_buddy_validate(&m->buddy), "B3", 2);

	model_init(m, 16, 0);
	m->frames[0].order = 3;
	assert_memory_equal(qr_buddy_validate(&m->buddy), "B1", 2);

	model_init(m, 16, 0);
	m->frames[5].use = QUIRE_FRAME_MAPPED;
	assert_memory_equal(qr_buddy_validate(&m->buddy), "F1", 2);

	/* Two blocks of order 0 that lie side by side. */
	model_init(m, 1, 0);
	m->frames[1] = (struct quire_frame){
		.use = QUIRE_FRAME_FREE, .next = QUIRE_NO_FRAME, .prev = 0};
	m->frames[0].next = 1;
	m->buddy.nr_frames = 2;
	m->buddy.nr_free = 2;
	assert_memory_equal(qr_buddy_validate(&m->buddy), "B2", 2);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_on_every_small_zone),
		cmocka_unit_test(long_random_sequences),
		cmocka_unit_test(misuse_is_caught),
		cmocka_unit_test(validate_sees_each_invariant_broken),
	};

	return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
