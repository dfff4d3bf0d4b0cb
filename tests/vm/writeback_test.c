/* SPDX-License-Identifier: MIT */
/* writeback_test.c - dirty pages find their way back: by age, by number, by pressure, and in
 * spite of a store that fails. */
#include "tests/vm/rig.h"

#include "core/reclaim/balance.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RW (QUIRE_READ | QUIRE_WRITE)
/* Transfers that fail: every one from then on. */
#define ALL 1000u

static const struct qr_computer_config plain = {
	.soft = {.nr_frames = 2048},
	.vm = {.swap = QUIRE_SWAP_NONE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};
static const struct qr_computer_config swapping = {
	.soft = {.nr_frames = 1024, .nr_disks = 4, .disk_extents = 4096},
	.vm = {.swap = QUIRE_SWAP_FILE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static uint64_t load(struct rig *rig, struct quire_mm *mm, uint64_t va)
{
	uint64_t value = 0;

	assert_int_equal(rig_load(rig, mm, va, &value), QUIRE_OK);
	return value;
}

static void store(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	assert_int_equal(rig_store(rig, mm, va, value), QUIRE_OK);
}

static uint64_t dirty(struct rig *rig)
{
	struct quire_vm_figures figures;

	quire_vm_figures(rig->vm, &figures);
	return figures.dirty;
}

static void break_store(struct rig *rig, enum qr_soft_site site, uint64_t nth,
			uint64_t nr)
{
	qr_soft_fail(qr_computer_soft(rig->computer), site, nth, nr);
}

static void failures_are_reported_once(void **state)
{
	const uint32_t sync = QUIRE_MM_SYNC_SYNC;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 8);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_SHARED);
	store(&rig, mm, at, 1);
	store(&rig, mm, at + 4 * PAGE, 2);
	break_store(&rig, QR_SOFT_FILE_WRITE, 1, 1);
	assert_int_equal(rig_sync(&rig, mm, at, 8 * PAGE, sync), QUIRE_IO);
	/* The page after the one that failed was written. */
	assert_int_equal(rig_stored(&f, 4 * PAGE), 2);
	assert_int_equal(dirty(&rig), 1);
	rig_validate(&rig);
	assert_int_equal(rig_sync(&rig, mm, at, 8 * PAGE, sync), QUIRE_OK);
	assert_int_equal(rig_stored(&f, 0), 1);
	/* One that nobody waited for is told to the next who asks, though by then it was
	 * written; and to nobody after that. */
	store(&rig, mm, at, 3);
	break_store(&rig, QR_SOFT_FILE_WRITE, 1, 1);
	quire_vm_tick(rig.vm, 40000);
	assert_int_equal(dirty(&rig), 1);
	quire_vm_tick(rig.vm, 80000);
	assert_int_equal(dirty(&rig), 0);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_IO);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	/* All of them say so to sync, and then each for itself. */
	store(&rig, mm, at, 4);
	break_store(&rig, QR_SOFT_FILE_WRITE, 1, 1);
	assert_int_equal(quire_vm_sync(rig.vm), QUIRE_IO);
	assert_int_equal(quire_vm_sync(rig.vm), QUIRE_OK);
	assert_int_equal(rig_sync(&rig, mm, at, PAGE, sync), QUIRE_IO);
	assert_int_equal(rig_sync(&rig, mm, at, PAGE, sync), QUIRE_OK);
	assert_int_equal(rig_stored(&f, 0), 4);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void unreadable_pages_are_bus_errors(void **state)
{
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own, value;
	size_t done;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 64);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 64, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 0, 64, RW, QUIRE_MM_PRIVATE);
	/* A window that fails is no harm: the page alone is read. */
	break_store(&rig, QR_SOFT_FILE_READ, 1, 1);
	assert_int_equal(load(&rig, mm, at), RIG_WORD);
	break_store(&rig, QR_SOFT_FILE_READ, 1, ALL);
	assert_int_equal(rig_load(&rig, mm, at + PAGE, &value), QUIRE_IO);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_BUS);
	break_store(&rig, QR_SOFT_FILE_READ, 1, ALL);
	assert_int_equal(rig_store(&rig, mm, own + PAGE, 1), QUIRE_IO);
	break_store(&rig, QR_SOFT_FILE_READ, 1, ALL);
	assert_int_equal(rig_file_read(&rig, f.file, 2 * PAGE, &value, 8, &done),
			 QUIRE_IO);
	break_store(&rig, QR_SOFT_FILE_READ, 1, ALL);
	assert_int_equal(rig_file_write(&rig, f.file, 2 * PAGE, &value, 8, &done),
			 QUIRE_IO);
	break_store(&rig, QR_SOFT_FILE_READ, 0, 0);
	rig_validate(&rig);
	assert_int_equal(load(&rig, mm, at + PAGE), RIG_WORD + 1);
	assert_int_equal(load(&rig, mm, own + PAGE), RIG_WORD + 1);
	assert_int_equal(rig_read(&f, 2 * PAGE), RIG_WORD + 2);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void old_pages_are_written(void **state)
{
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 8);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_SHARED);
	quire_vm_tick(rig.vm, 1000);
	store(&rig, mm, at, 1);
	for (uint64_t ms = 2000; ms < 31000; ms += 1000) {
		quire_vm_tick(rig.vm, ms);
		store(&rig, mm, at + PAGE, ms);
		assert_int_equal(dirty(&rig), 2);
	}
	for (uint64_t ms = 31000; ms <= 36000; ms += 1000)
		quire_vm_tick(rig.vm, ms);
	assert_int_equal(dirty(&rig), 0);
	assert_int_equal(rig_stored(&f, 0), 1);
	assert_int_equal(rig_stored(&f, PAGE), 30000);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

/* However much is written, no more than a fifth of what could be is dirty; and after a
 * tick, no more than a tenth. */
static void dirty_pages_are_bounded(void **state)
{
	struct quire_vm_figures figures;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 1500);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 1500, RW, QUIRE_MM_SHARED);
	for (uint64_t i = 0; i < 1500; i++) {
		i % 3 == 0 ? rig_write(&f, i * PAGE, i)
			   : store(&rig, mm, at + i * PAGE, i);
		quire_vm_figures(rig.vm, &figures);
		assert_true(figures.dirty <= (figures.free + figures.file) / 5 + 1);
	}
	rig_validate(&rig);
	for (uint64_t i = 0; dirty(&rig) <= (figures.free + figures.file) / 10; i++)
		store(&rig, mm, at + i * PAGE, i);
	quire_vm_tick(rig.vm, 5000);
	quire_vm_figures(rig.vm, &figures);
	assert_true(figures.dirty > 0);
	assert_true(figures.dirty <= (figures.free + figures.file) / 10);
	for (uint64_t i = 0; i < 1500; i++)
		assert_int_equal(load(&rig, mm, at + i * PAGE), i);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

/* Three times as much as there is, of files and of anonymous pages. */
static void pressure(struct qr_computer_config config)
{
	const uint64_t pages = 1500;
	struct quire_vm_figures figures;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own, anon;

	rig_open(&rig, config);
	f = rig_file(&rig, pages);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, pages, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 0, pages, RW, QUIRE_MM_PRIVATE);
	assert_int_equal(rig_map(&rig, mm, 0, pages * PAGE, RW, QUIRE_MM_PRIVATE, &anon),
			 QUIRE_OK);
	for (uint64_t i = 0; i < pages; i++) {
		store(&rig, mm, at + i * PAGE + 8, i);
		if (i % 4 == 0)
			store(&rig, mm, own + i * PAGE + 8, ~i);
		if (i % 2 == 0)
			store(&rig, mm, anon + i * PAGE, i);
		if (i % 100 == 0)
			rig_validate(&rig);
	}
	for (uint64_t i = 0; i < pages; i++) {
		assert_int_equal(load(&rig, mm, at + i * PAGE + 8), i);
		assert_int_equal(load(&rig, mm, own + i * PAGE + 8), i % 4 == 0 ? ~i : i);
		assert_int_equal(load(&rig, mm, anon + i * PAGE), i % 2 == 0 ? i : 0);
		if (i % 100 == 0)
			rig_validate(&rig);
	}
	quire_vm_figures(rig.vm, &figures);
	assert_true(figures.file_out > 0 && figures.file_in > pages);
	assert_true(figures.pages_out > 0 && figures.pages_in > 0);
	assert_true(figures.scanned[0] + figures.scanned[1] > figures.stolen[0]);
	/* With a daemon hardly anybody waits. */
	if (config.has_daemon)
		assert_true(figures.stolen[1] > 10 * figures.stolen[0]);
	else
		assert_true(figures.stolen[0] > pages && figures.stolen[1] == 0);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	for (uint64_t i = 0; i < pages; i++)
		assert_int_equal(rig_stored(&f, i * PAGE + 8), i);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void pressure_takes_both_kinds(void **state)
{
	struct qr_computer_config config = swapping;

	(void)state;
	pressure(config);
	config.has_daemon = true;
	pressure(config);
}

/* One kind of page in use, the other only once: swappiness decides at the extremes. */
static void swappiness_is_heard(void **state)
{
	static const uint32_t settings[] = {QUIRE_SWAPPINESS_NONE, 60, 200};
	uint64_t swapped[3];

	(void)state;
	for (uint32_t n = 0; n < 3; n++) {
		struct qr_computer_config config = swapping;
		struct quire_vm_figures figures;
		struct quire_mm *mm;
		struct rig_file f;
		struct rig rig;
		uint64_t anon;

		config.vm.swappiness = settings[n];
		rig_open(&rig, config);
		f = rig_file(&rig, 3000);
		mm = rig_mm(&rig);
		assert_int_equal(
			rig_map(&rig, mm, 0, 500 * PAGE, RW, QUIRE_MM_PRIVATE, &anon),
			QUIRE_OK);
		for (uint64_t i = 0; i < 500; i++)
			store(&rig, mm, anon + i * PAGE, i);
		for (uint64_t i = 0; i < 3000; i++)
			assert_int_equal(rig_read(&f, i * PAGE), RIG_WORD + i);
		quire_vm_figures(rig.vm, &figures);
		swapped[n] = figures.pages_out;
		rig_validate(&rig);
		quire_mm_destroy(mm);
		rig_file_close(&f);
		rig_close(&rig);
	}
	assert_int_equal(swapped[0], 0);
	assert_true(swapped[1] < swapped[2]);
}

/* A working set that would fit, beside idle anonymous pages and a stream that will not come
 * back: what went too early is noticed, and stays from then on. */
static void refaults_activate(void **state)
{
	const uint64_t idle = 450, hot = 200, stream = 8000;
	struct qr_computer_config config = swapping;
	struct quire_vm_figures figures;
	struct qr_soft_store_counts warm = {0}, counts;
	struct rig_file f, g;
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at, anon;

	(void)state;
	config.vm.swappiness = 1;
	rig_open(&rig, config);
	f = rig_file(&rig, hot);
	g = rig_file(&rig, stream);
	mm = rig_mm(&rig);
	assert_int_equal(rig_map(&rig, mm, 0, idle * PAGE, RW, QUIRE_MM_PRIVATE, &anon),
			 QUIRE_OK);
	for (uint64_t i = 0; i < idle; i++)
		store(&rig, mm, anon + i * PAGE, i);
	at = rig_map_file(mm, &f, 0, hot, QUIRE_READ, QUIRE_MM_SHARED);
	assert_int_equal(rig_advise(&rig, mm, at, hot * PAGE, QUIRE_MM_RANDOM), QUIRE_OK);
	for (uint64_t i = 0; i < stream; i++) {
		if (i == stream / 2)
			warm = qr_soft_store_counts(f.store);
		rig_read(&g, i * PAGE);
		if (i % 4 == 0)
			assert_int_equal(load(&rig, mm, at + i / 4 % hot * PAGE),
					 RIG_WORD + i / 4 % hot);
	}
	quire_vm_figures(rig.vm, &figures);
	counts = qr_soft_store_counts(f.store);
	assert_true(figures.refaults[QR_FILE] > 0);
	assert_true(figures.activated[QR_FILE] > 0);
	assert_true(figures.active_file > hot / 2);
	/* Five rounds of the hot pages: without this each would have been read five times. */
	assert_true(counts.pages_read - warm.pages_read <= hot);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_file_close(&g);
	rig_close(&rig);
}

/* What Linux's get_scan_count() gives. */
static void shares_follow_the_formula(void **state)
{
	struct qr_balance b = {.pages = {8192, 8192}, .swappiness = 60, .has_swap = true};
	uint64_t scan[QR_KINDS];

	(void)state;
	/* No cost yet: 60 to 140. */
	qr_balance_shares(&b, 0, scan);
	assert_int_equal(scan[QR_ANON], 8192);
	assert_int_equal(scan[QR_FILE], 8192);
	qr_balance_shares(&b, 1, scan);
	assert_int_equal(scan[QR_ANON], 4096 * 60 / 200);
	assert_int_equal(scan[QR_FILE], 4096 * 140 / 200);
	/* a = 100 + 0, f = 200, T = 300: 60 * 301 / 101 = 178, 140 * 301 / 201 = 209. */
	b.cost[QR_FILE] = 100;
	qr_balance_shares(&b, 1, scan);
	assert_int_equal(scan[QR_ANON], 4096 * 178 / (178 + 209));
	assert_int_equal(scan[QR_FILE], 4096 * 209 / (178 + 209));
	b.swappiness = 0;
	qr_balance_shares(&b, 1, scan);
	assert_int_equal(scan[QR_ANON], 0);
	assert_int_equal(scan[QR_FILE], 4096);
	qr_balance_shares(&b, 0, scan);
	assert_int_equal(scan[QR_ANON], 8192);
	b = (struct qr_balance){.pages = {8192, 20}, .swappiness = 200};
	qr_balance_shares(&b, 12, scan);
	assert_int_equal(scan[QR_ANON], 0);
	assert_int_equal(scan[QR_FILE], 20);
	/* r is 1 below a GiB, 3 at one, 10 at ten. */
	assert_false(qr_inactive_is_low(1000, 1000));
	assert_true(qr_inactive_is_low(999, 1000));
	assert_true(qr_inactive_is_low(65535, 196609));
	assert_false(qr_inactive_is_low(65537, 196608));
	assert_true(qr_inactive_is_low(238312, 2383128));
	assert_false(qr_inactive_is_low(238313, 2383128));
}

/* The store is broken when the file is closed: its pages wait until it works again. */
static void nothing_is_lost_at_the_end(void **state)
{
	struct quire_vm_figures figures;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 8);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_SHARED);
	store(&rig, mm, at, 1);
	store(&rig, mm, at + 5 * PAGE, 2);
	break_store(&rig, QR_SOFT_FILE_WRITE, 1, ALL);
	quire_file_close(f.file);
	quire_mm_destroy(mm);
	rig_validate(&rig);
	assert_false(qr_soft_store_is_released(f.store));
	quire_vm_tick(rig.vm, 40000);
	assert_int_equal(dirty(&rig), 2);
	break_store(&rig, QR_SOFT_FILE_WRITE, 0, 0);
	quire_vm_tick(rig.vm, 80000);
	assert_true(qr_soft_store_is_released(f.store));
	assert_int_equal(rig_stored(&f, 0), 1);
	assert_int_equal(rig_stored(&f, 5 * PAGE), 2);
	qr_soft_store_delete(f.store);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.dirty, 0);
	rig_close(&rig);
}

/* Not those of transfers that cannot be read: which one is the k-th would be another. */
static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		failures_are_reported_once,
		old_pages_are_written,
		nothing_is_lost_at_the_end,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
	rig_in_some_ways(dirty_pages_are_bounded, state, 97);
	rig_in_some_ways(pressure_takes_both_kinds, state, 997);
	rig_in_some_ways(swappiness_is_heard, state, 997);
	rig_in_some_ways(refaults_activate, state, 997);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_reported_once),
		cmocka_unit_test(unreadable_pages_are_bus_errors),
		cmocka_unit_test(old_pages_are_written),
		cmocka_unit_test(dirty_pages_are_bounded),
		cmocka_unit_test(pressure_takes_both_kinds),
		cmocka_unit_test(swappiness_is_heard),
		cmocka_unit_test(refaults_activate),
		cmocka_unit_test(shares_follow_the_formula),
		cmocka_unit_test(nothing_is_lost_at_the_end),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
