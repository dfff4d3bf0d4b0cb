/* SPDX-License-Identifier: MIT */
/* frames_buddy.c - the four buddy systems against a drawing of their trees.
 *
 * QUIRE_DEPTH=N makes every sequence of N operations of small zones run: 4 by default; 6
 * takes about a minute. */
#include "tests/core/buddy_model.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct model *new_model(void)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	return m;
}

/* One step is a number of frames to take, a frame to pick, or a block to free. */
static const uint32_t step_sizes[] = {1, 2, 3, 5};
#define STEP_SIZES 4u
#define STEP_PICKS 1u
#define STEPS	   (STEP_SIZES + STEP_PICKS + 3)

static bool step(struct model *m, uint32_t choice)
{
	if (choice < STEP_SIZES) {
		if (step_sizes[choice] > m->buddy.sizes[m->buddy.nr_orders - 1])
			return false;
		model_take(m, step_sizes[choice], 0);
		return true;
	}
	choice -= STEP_SIZES;
	if (choice < STEP_PICKS) {
		model_pick(m, m->first + (m->nr_frames - m->first) / 2);
		return true;
	}
	choice -= STEP_PICKS;
	if (choice >= m->nr_blocks)
		return false;
	model_give(m, choice);
	return true;
}

/* Runs the sequence; false when it asks for a block that is not there. */
static bool run_sequence(struct model *m, const uint32_t *steps, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (!step(m, steps[i]))
			return false;
		model_check(m);
	}
	return true;
}

#define DEPTH_MAX 16u

/* The next sequence in order; false after the last. */
static bool next_sequence(uint32_t *steps, uint32_t depth)
{
	for (uint32_t i = depth; i-- > 0;) {
		if (++steps[i] < STEPS)
			return true;
		steps[i] = 0;
	}
	return false;
}

static uint32_t chosen_depth(void)
{
	const char *text = getenv("QUIRE_DEPTH");
	uint32_t depth = text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;

	return depth >= 1 && depth <= DEPTH_MAX ? depth : 4;
}

static void every_sequence(struct model *m, const struct model_system *system,
			   uint32_t nr_frames, uint32_t first, uint32_t depth)
{
	uint32_t steps[DEPTH_MAX] = {0};

	do {
		model_init(m, system, nr_frames, first, false);
		if (run_sequence(m, steps, depth))
			model_give_all(m);
	} while (next_sequence(steps, depth));
}

static void every_short_sequence_on_every_small_zone(void **state)
{
	uint32_t depth = chosen_depth();
	struct model *m = new_model();

	(void)state;
	for (uint32_t s = 0; s < MODEL_SYSTEMS; s++)
		for (uint32_t nr = 1; nr <= 17; nr++)
			for (uint32_t first = 0; first < nr && first < 3; first++)
				every_sequence(m, &model_systems[s], nr, first, depth);
	free(m);
}

static void random_steps(struct model *m, uint64_t *seed, uint32_t nr)
{
	uint32_t most = m->buddy.sizes[m->buddy.nr_orders - 1];
	uint32_t nr_groups = m->buddy.groups != NULL ? 2 : 1;

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t r = testport_random(seed);
		uint32_t pick = (uint32_t)(r >> 8);
		uint32_t span = (r & 64) != 0 && most >= 16 ? most / 16 : most;

		if (m->nr_blocks > 0 && (r & 3) == 0)
			model_give(m, pick % m->nr_blocks);
		else if ((r & 31) == 1)
			model_pick(m, m->first + pick % (m->nr_frames - m->first));
		else
			model_take(m, 1 + pick % span, (uint32_t)(r >> 40) % nr_groups);
		model_check(m);
	}
}

static void long_random_sequences(void **state)
{
	struct model *m = new_model();
	uint64_t seed = testport_seed();

	(void)state;
	for (uint32_t round = 0; round < 21 * MODEL_SYSTEMS; round++) {
		uint32_t nr = 1 + (uint32_t)(testport_random(&seed) % MODEL_FRAMES);

		model_init(m, &model_systems[round % MODEL_SYSTEMS], nr,
			   (uint32_t)(testport_random(&seed) % nr), (round & 1) != 0);
		random_steps(m, &seed, 200);
		model_give_all(m);
	}
	free(m);
}

static void groups_keep_to_themselves(void **state)
{
	struct model *m = new_model();

	(void)state;
	for (uint32_t s = 0; s < MODEL_SYSTEMS; s++) {
		uint32_t nr_here[QUIRE_GROUPS] = {0};

		model_init(m, &model_systems[s], MODEL_FRAMES, 0, true);
		qr_buddy_regroup(&m->buddy, QUIRE_GROUP_FRAMES, MODEL_FRAMES, 1);
		for (uint32_t i = 0; i < 400; i++)
			model_take(m, 1, i % 2);
		for (uint32_t i = 0; i < 400; i++)
			nr_here[i % 2] += m->blocks[i] / QUIRE_GROUP_FRAMES == i % 2;
		/* A system whose one block spans both runs has to borrow. */
		if (model_systems[s].ops == &qr_buddy_binary) {
			assert_int_equal(nr_here[0], 200);
			assert_int_equal(nr_here[1], 200);
		}
		model_check(m);
		model_give_all(m);
	}
	free(m);
}

static void free_twice(void *arg)
{
	struct model *m = arg;

	qr_buddy_free(&m->buddy, (quire_pfn){m->blocks[0]});
	qr_buddy_free(&m->buddy, (quire_pfn){m->blocks[0]});
}

static void free_inside(void *arg)
{
	struct model *m = arg;

	qr_buddy_free(&m->buddy, (quire_pfn){m->blocks[0] + 1});
}

static void free_beyond(void *arg)
{
	struct model *m = arg;

	qr_buddy_free(&m->buddy, (quire_pfn){m->nr_frames});
}

static void misuse_is_caught(void **state)
{
	struct model *m = new_model();

	(void)state;
	for (uint32_t s = 0; s < MODEL_SYSTEMS; s++) {
		model_init(m, &model_systems[s], 16, 0, false);
		model_take(m, 5, 0);
		assert_true(testport_dies(free_inside, m));
		assert_true(testport_dies(free_beyond, m));
		assert_true(testport_dies(free_twice, m));
	}
	free(m);
}

static void expect(const struct model *m, const char *name)
{
	const char *wrong = qr_buddy_validate(&m->buddy);

	assert_non_null(wrong);
	assert_memory_equal(wrong, name, 2);
}

static void validate_sees_each_invariant_broken(void **state)
{
	struct model *m = new_model();

	(void)state;
	for (uint32_t s = 0; s < MODEL_SYSTEMS; s++) {
		model_init(m, &model_systems[s], 16, 0, false);
		m->buddy.nr_free--;
		expect(m, "B3");

		model_init(m, &model_systems[s], 16, 0, false);
		m->buddy.filled[0] ^= 1;
		expect(m, "B1");

		model_init(m, &model_systems[s], 16, 0, false);
		m->frames[5].use = QUIRE_FRAME_MAPPED;
		expect(m, "F1");
	}
	model_init(m, &model_systems[0], 16, 0, false);
	m->frames[0].order = 3;
	expect(m, "B1");

	/* A buddy that is free, and tags that name another one. */
	for (uint32_t s = 1; s < MODEL_SYSTEMS; s++) {
		struct quire_frame *frame;

		model_init(m, &model_systems[s], 13, 0, false);
		model_take(m, 1, 0);
		frame = &m->frames[m->blocks[0]];
		frame->tag ^= 3;
		expect(m, "B4");
	}
	free(m);
}

static void buddies_that_did_not_merge_are_seen(void **state)
{
	struct model *m = new_model();

	(void)state;
	for (uint32_t s = 0; s < MODEL_SYSTEMS; s++) {
		uint32_t n;

		/* A block of two is picked apart; then one of its frames is freed while
		 * the other hides, so that they cannot merge. */
		model_init(m, &model_systems[s], 2, 0, false);
		model_pick(m, 0);
		model_pick(m, 1);
		n = m->blocks[1];
		qr_buddy_free(&m->buddy, (quire_pfn){m->blocks[0]});
		m->frames[n].use = QUIRE_FRAME_FREE;
		m->frames[n].next = QUIRE_NO_FRAME;
		m->frames[n].prev = m->blocks[0];
		m->frames[n].group = 0;
		m->buddy.nr_free++;
		m->frames[n].order = m->frames[m->blocks[0]].order;
		m->frames[m->blocks[0]].next = n;
		if (model_systems[s].lag == 0)
			expect(m, "B2");
	}
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_on_every_small_zone),
		cmocka_unit_test(long_random_sequences),
		cmocka_unit_test(groups_keep_to_themselves),
		cmocka_unit_test(misuse_is_caught),
		cmocka_unit_test(validate_sees_each_invariant_broken),
		cmocka_unit_test(buddies_that_did_not_merge_are_seen),
	};

	return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
