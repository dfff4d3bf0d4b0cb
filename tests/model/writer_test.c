/* SPDX-License-Identifier: MIT */
/* writer_test.c - who writes to devices where a machine has a writer: lanes leave it to
 * him, he brings the store down to its share, and he can be told to stop. */
#include "tests/model/rig.h"
#include "tests/model/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define STORE_PAGES 64u
/* More than all frames, so that most are out; to be packed to half. */
#define PAGES 2400u

static void open_full(struct rig *rig, const struct rig_config *config, quire_vaddr *at)
{
	struct source noise = source_seed(1);
	uint64_t words[QUIRE_PAGE_BYTES / sizeof(uint64_t)] = {0};

	assert_true(rig_open(rig, config));
	assert_int_equal(quire_mmap(rig->q, (quire_vaddr){0}, PAGES * QUIRE_PAGE_BYTES,
				    QUIRE_READ | QUIRE_WRITE, 0, 0, at),
			 QUIRE_OK);
	for (uint32_t page = 0; page < PAGES; page++) {
		quire_vaddr va = {at->a + page * QUIRE_PAGE_BYTES};
		size_t done;

		for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]) / 2; i++)
			words[i] = source_next(&noise);
		assert_int_equal(
			ground_store(rig->ground, 0, va, words, sizeof(words), &done),
			QUIRE_OK);
	}
}

static void the_writer_writes(void **state)
{
	const struct rig_config config = {.copies = true,
					  .swap = QUIRE_SWAP_FILE,
					  .frames = 1024,
					  .store = STORE_PAGES,
					  .lanes = 2,
					  .disk = 4096,
					  .fail = RIG_NONE};
	uint64_t had;
	struct rig rig;
	quire_vaddr at;

	(void)state;
	open_full(&rig, &config, &at);
	had = rig.stats.frames_store;
	assert_true(had > STORE_PAGES + QUIRE_TRANSFER_FRAMES);
	assert_int_equal(rig.stats.extents_out, 0);
	assert_true(quire_write_back(rig.q));
	assert_int_equal(rig.stats.extents_out, QUIRE_TRANSFER_EXTENTS);
	assert_true(rig.stats.frames_store < had);
	while (rig.stats.frames_store > STORE_PAGES)
		assert_true(quire_write_back(rig.q));
	rig_validate(&rig);
	quire_stop_writing(rig.q);
	assert_false(quire_write_back(rig.q));
	assert_int_equal(quire_munmap(rig.q, at, PAGES * QUIRE_PAGE_BYTES), QUIRE_OK);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_writer_writes)};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
