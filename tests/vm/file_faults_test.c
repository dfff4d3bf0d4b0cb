/* SPDX-License-Identifier: MIT */
/* file_faults_test.c - whatever fails: the n-th allocation, the k-th transfer of a file.
 *
 * Scenarios that use files in every way; what fails is reported or got over, nothing leaks,
 * and what was written and not refused is in the store at the end.
 */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RW    (QUIRE_READ | QUIRE_WRITE)
#define PAGES 48u

/* What has to be in the file: a word a page, and its length. */
struct expected {
	uint64_t words[PAGES + 8];
	uint64_t bytes;
};

static const struct qr_computer_config plain = {
	.soft = {.nr_frames = 2048},
	.vm = {.swap = QUIRE_SWAP_NONE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};
/* So small that files and their copies have to go out again and again. */
static const struct qr_computer_config tight = {
	.soft = {.nr_frames = 340, .nr_disks = 4, .disk_extents = 4096},
	.vm = {.swap = QUIRE_SWAP_FILE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static void set_bytes(struct expected *e, uint64_t bytes)
{
	for (uint64_t i = 0; i < PAGES + 8; i++)
		if (i * PAGE + 8 > bytes)
			e->words[i] = 0;
	e->bytes = bytes;
}

static void try_store(struct rig *rig, struct quire_mm *mm, uint64_t at, uint64_t page,
		      uint64_t value, struct expected *e)
{
	if (rig_store(rig, mm, at + page * PAGE, value) == QUIRE_OK)
		e->words[page] = value;
}

static void try_write(const struct rig_file *f, uint64_t page, uint64_t value,
		      struct expected *e)
{
	size_t done;

	if (quire_file_write(f->file, page * PAGE, &value, 8, &done) == QUIRE_OK) {
		assert_int_equal(done, 8);
		e->words[page] = value;
	}
	/* A file that grew for a page that then could not be had has grown. */
	if (quire_file_bytes(f->file) > e->bytes)
		e->bytes = quire_file_bytes(f->file);
}

static void try_resize(const struct rig_file *f, uint64_t bytes, struct expected *e)
{
	if (quire_file_resize(f->file, bytes) == QUIRE_OK)
		set_bytes(e, bytes);
	assert_int_equal(quire_file_bytes(f->file), e->bytes);
}

static void use_mappings(struct rig *rig, struct quire_mm *mm, const struct rig_file *f,
			 struct expected *e)
{
	uint64_t at, own, value;

	if (quire_mm_map_file(mm, f->file, 0, 0, PAGES * PAGE, RW, QUIRE_MM_SHARED,
			      &at) != QUIRE_OK)
		return;
	for (uint64_t i = 0; i < PAGES; i += 5)
		try_store(rig, mm, at, i, i + 100, e);
	(void)quire_mm_sync(mm, at, 20 * PAGE, QUIRE_MM_SYNC_SYNC);
	if (quire_mm_map_file(mm, f->file, 0, 0, PAGES * PAGE, RW, QUIRE_MM_PRIVATE,
			      &own) == QUIRE_OK) {
		for (uint64_t i = 0; i < PAGES; i += 3)
			(void)rig_store(rig, mm, own + i * PAGE, i + 200);
		(void)rig_load(rig, mm, own + PAGE, &value);
		(void)quire_mm_advise(mm, own, 9 * PAGE, QUIRE_MM_DONTNEED);
	}
	(void)quire_mm_advise(mm, at, PAGES * PAGE, QUIRE_MM_PAGEOUT);
	(void)quire_mm_remap(mm, own, 10 * PAGE, 600 * PAGE, QUIRE_REMAP_MAYMOVE, 0,
			     &own);
	(void)quire_mm_lock(mm, at, 4 * PAGE, 0);
	(void)quire_mm_protect(mm, at + 2 * PAGE, PAGE, QUIRE_READ);
	try_store(rig, mm, at, 7, 300, e);
}

/* The steps; which of them failed is no matter, but for what the file has then. */
static void scenario(struct rig *rig, struct quire_mm *mm, const struct rig_file *f,
		     struct expected *e)
{
	struct quire_mm *child;
	uint64_t at;

	use_mappings(rig, mm, f, e);
	for (uint64_t i = 0; i < PAGES; i += 11)
		try_write(f, i, i + 400, e);
	if (quire_mm_fork(mm, &child) == QUIRE_OK) {
		if (quire_mm_map_file(child, f->file, 0, 0, PAGE, RW, QUIRE_MM_SHARED,
				      &at) == QUIRE_OK)
			try_store(rig, child, at, 0, 500, e);
		rig_validate(rig);
		quire_mm_destroy(child);
	}
	try_resize(f, 20 * PAGE + 100, e);
	quire_vm_tick(rig->vm, 40000);
	try_write(f, 30, 600, e);
	try_resize(f, 40 * PAGE, e);
	rig_validate(rig);
}

/* The store works again: everything is there. */
static void check_store(struct rig *rig, struct quire_mm *mm, struct rig_file *f,
			const struct expected *e)
{
	if (mm != NULL)
		quire_mm_destroy(mm);
	rig_validate(rig);
	/* What failed may be told once more, not twice. */
	(void)quire_file_sync(f->file);
	assert_int_equal(quire_file_sync(f->file), QUIRE_OK);
	assert_int_equal(qr_soft_store_bytes(f->store), e->bytes);
	for (uint64_t i = 0; i < PAGES + 8; i++)
		assert_int_equal(rig_stored(f, i * PAGE), e->words[i]);
	rig_file_close(f);
}

static struct expected start(void)
{
	struct expected e = {.bytes = PAGES * PAGE};

	for (uint64_t i = 0; i < PAGES; i++)
		e.words[i] = RIG_WORD + i;
	return e;
}

/* Page frames of the machine taken away, so that files have to go out. */
static uint64_t fill(struct rig *rig, struct quire_mm *mm, uint64_t pages)
{
	uint64_t at;

	if (quire_mm_map(mm, 0, pages * PAGE, RW, QUIRE_MM_PRIVATE, &at) != QUIRE_OK)
		return 0;
	for (uint64_t i = 0; i < pages; i++)
		(void)rig_store(rig, mm, at + i * PAGE, i + 1);
	return at;
}

static bool run_short(const struct qr_computer_config *config, uint64_t n, uint64_t load)
{
	struct quire_mm_config space = rig_mm_config();
	struct expected e = start();
	enum quire_status status;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	bool failed;

	rig_open(&rig, *config);
	f = rig_file(&rig, PAGES);
	rig.vm->zone.fail_in = n;
	status = quire_mm_create(rig.vm, &space, &mm);
	assert_true(status == QUIRE_OK || status == QUIRE_NO_MEMORY);
	if (status == QUIRE_OK) {
		(void)fill(&rig, mm, load);
		scenario(&rig, mm, &f, &e);
	}
	failed = rig.vm->zone.fail_in == 0;
	rig.vm->zone.fail_in = 0;
	check_store(&rig, status == QUIRE_OK ? mm : NULL, &f, &e);
	rig_close(&rig);
	return failed;
}

static void every_allocation_may_fail(void **state)
{
	uint64_t n = 1;

	(void)state;
	while (run_short(&plain, n, 4))
		n++;
	assert_true(n > 60);
}

/* Where frames are scarce anyway one that fails is got over. */
static void every_allocation_may_fail_under_pressure(void **state)
{
	uint64_t n = 1;

	(void)state;
	while (run_short(&tight, n, 300))
		n += 7;
	assert_true(n > 350);
}

static bool run_broken(const struct qr_computer_config *config, enum qr_soft_site site,
		       uint64_t k, uint64_t nr)
{
	struct expected e = start();
	struct qr_soft *soft;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	bool failed;

	rig_open(&rig, *config);
	soft = qr_computer_soft(rig.computer);
	f = rig_file(&rig, PAGES);
	mm = rig_mm(&rig);
	(void)fill(&rig, mm, config->soft.nr_disks > 0 ? 100 : 4);
	qr_soft_fail(soft, site, k, nr);
	scenario(&rig, mm, &f, &e);
	failed = qr_soft_failed(soft, site) > 0;
	qr_soft_fail(soft, site, 0, 0);
	check_store(&rig, mm, &f, &e);
	rig_close(&rig);
	return failed;
}

static void every_transfer_may_fail(void **state)
{
	static const enum qr_soft_site sites[] = {QR_SOFT_FILE_READ, QR_SOFT_FILE_WRITE,
						  QR_SOFT_FILE_RESIZE};
	const struct qr_computer_config *configs[] = {&plain, &tight};

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t c = 0; c < 2; c++)
			/* One that fails, three in a row, and all from there on. */
			for (uint64_t nr = 1; nr <= 1000000; nr = nr == 1   ? 3
								  : nr == 3 ? 1000000
									    : nr + 1) {
				uint64_t k = 1;

				while (run_broken(configs[c], sites[i], k, nr))
					k++;
				assert_true(k >
					    (sites[i] == QR_SOFT_FILE_RESIZE ? 3 : 5));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_allocation_may_fail_under_pressure),
		cmocka_unit_test(every_transfer_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
