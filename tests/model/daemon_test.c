/* SPDX-License-Identifier: MIT */
/* daemon_test.c - who evicts where a machine has a page-out daemon: lanes leave it to the
 * daemon while processors are idle and frames are left, it works from the low watermark to
 * the high one, and it can be told to stop. */
#include "core/machine/machine.h"
#include "tests/model/rig.h"
#include "tests/model/source.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FRAMES 1024u
#define PAGES  (2 * FRAMES)

static void open_with_daemon(struct rig *rig, quire_vaddr *at)
{
	const struct rig_config config = {.copies = true,
					  .swap = QUIRE_SWAP_RAM,
					  .frames = FRAMES,
					  .lanes = 2,
					  .daemon = 1,
					  .disk = 1,
					  .fail = RIG_NONE};

	assert_true(rig_open(rig, &config));
	assert_int_equal(quire_mmap(rig->q, (quire_vaddr){0}, PAGES * QUIRE_PAGE_BYTES,
				    QUIRE_READ | QUIRE_WRITE, 0, 0, at),
			 QUIRE_OK);
}

static void close_all(struct rig *rig, quire_vaddr at)
{
	rig_validate(rig);
	assert_int_equal(quire_munmap(rig->q, at, PAGES * QUIRE_PAGE_BYTES), QUIRE_OK);
	rig_close(rig);
}

/* A program's thread writes to the page and goes on. */
static void touch(struct rig *rig, quire_vaddr at, uint32_t page)
{
	quire_vaddr va = {at.a + page * QUIRE_PAGE_BYTES};
	uint64_t word = page + 1;
	size_t done;

	assert_int_equal(ground_store(rig->ground, 0, va, &word, sizeof(word), &done),
			 QUIRE_OK);
	quire_after_fault(rig->q, 0);
}

/* Touches page after page until free frames are below most; returns how many. */
static uint32_t fill_to(struct rig *rig, quire_vaddr at, uint64_t most)
{
	uint32_t page = 0;

	while (page < PAGES && rig->stats.frames_free >= most)
		touch(rig, at, page++);
	assert_true(page < PAGES);
	return page;
}

static void check_words(struct rig *rig, quire_vaddr at, uint32_t nr)
{
	for (uint32_t page = 0; page < nr; page++) {
		quire_vaddr va = {at.a + page * QUIRE_PAGE_BYTES};
		uint64_t word;

		assert_int_equal(ground_load(rig->ground, 0, va, &word, sizeof(word)),
				 QUIRE_OK);
		assert_int_equal(word, page + 1);
	}
}

static void the_daemon_evicts(void **state)
{
	const struct quire_zone *zone;
	uint64_t high;
	uint32_t nr;
	struct rig rig;
	quire_vaddr at;

	(void)state;
	open_with_daemon(&rig, &at);
	zone = qr_machine_zone(rig.q);
	high = zone->high;
	assert_true(zone->min + 1 < zone->low && zone->low < high);
	nr = fill_to(&rig, at, zone->low);
	assert_int_equal(rig.stats.pages_out, 0);
	while (rig.stats.frames_free < high)
		assert_true(quire_page_out(rig.q));
	assert_true(rig.stats.pages_out > 0);
	check_words(&rig, at, nr);
	close_all(&rig, at);
}

/* No frames are left for whoever comes next: the lane does not wait for the daemon. */
static void a_lane_evicts_when_the_daemon_is_late(void **state)
{
	const struct quire_zone *zone;
	uint32_t nr;
	struct rig rig;
	quire_vaddr at;

	(void)state;
	open_with_daemon(&rig, &at);
	zone = qr_machine_zone(rig.q);
	nr = fill_to(&rig, at, zone->low);
	assert_int_equal(rig.stats.pages_out, 0);
	for (; nr < PAGES; nr++)
		touch(&rig, at, nr);
	assert_true(rig.stats.pages_out > 0);
	assert_true(rig.stats.frames_free > zone->min);
	check_words(&rig, at, PAGES);
	close_all(&rig, at);
}

static void lanes_evict_once_it_has_stopped(void **state)
{
	struct rig rig;
	quire_vaddr at;

	(void)state;
	open_with_daemon(&rig, &at);
	quire_stop_paging_out(rig.q);
	assert_false(quire_page_out(rig.q));
	for (uint32_t page = 0; page < PAGES; page++)
		touch(&rig, at, page);
	assert_true(rig.stats.frames_free >= qr_machine_zone(rig.q)->low);
	check_words(&rig, at, PAGES);
	close_all(&rig, at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_daemon_evicts),
		cmocka_unit_test(a_lane_evicts_when_the_daemon_is_late),
		cmocka_unit_test(lanes_evict_once_it_has_stopped),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
