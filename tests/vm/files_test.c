/* SPDX-License-Identifier: MIT */
/* files_test.c - files mapped, read and written: everybody sees the same bytes. */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RW     (QUIRE_READ | QUIRE_WRITE)
#define WINDOW 32u

static const struct qr_computer_config plain = {
	.soft = {.nr_frames = 2048},
	.vm = {.swap = QUIRE_SWAP_NONE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static uint64_t load(struct rig *rig, struct quire_mm *mm, uint64_t va)
{
	uint64_t value = 0;

	assert_int_equal(rig_load(rig, mm, va, &value), QUIRE_OK);
	return value;
}

/* A fault that is tried again may be of another kind. */
static void expect_kind(enum quire_fault_kind kind)
{
	if (!rig_is_injected())
		assert_int_equal(rig_fault.kind, kind);
}

/* Nor does it read ahead as far. */
static void expect_count(uint64_t count, uint64_t expected)
{
	if (!rig_is_injected())
		assert_int_equal(count, expected);
}

static void store(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	assert_int_equal(rig_store(rig, mm, va, value), QUIRE_OK);
}

static void is_bus_error(struct rig *rig, struct quire_mm *mm, uint64_t va)
{
	uint64_t value;

	assert_int_equal(rig_load(rig, mm, va, &value), QUIRE_PAST_END);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_BUS);
}

static void everybody_sees_the_same(void **state)
{
	struct quire_mm *a, *b;
	uint64_t shared, other, own;
	struct rig_file f;
	struct rig rig;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 40);
	a = rig_mm(&rig);
	b = rig_mm(&rig);
	shared = rig_map_file(a, &f, 0, 40, RW, QUIRE_MM_SHARED);
	other = rig_map_file(b, &f, 8, 8, QUIRE_READ, QUIRE_MM_SHARED);
	own = rig_map_file(b, &f, 8, 8, RW, QUIRE_MM_PRIVATE);
	assert_int_equal(load(&rig, b, other), RIG_WORD + 8);
	assert_int_equal(load(&rig, b, own + PAGE), RIG_WORD + 9);
	store(&rig, a, shared + 8 * PAGE, 1);
	assert_int_equal(load(&rig, b, other), 1);
	assert_int_equal(load(&rig, b, own), 1);
	assert_int_equal(rig_read(&f, 8 * PAGE), 1);
	rig_validate(&rig);
	/* A copy is nobody else's, and does not follow any more. */
	store(&rig, b, own, 2);
	expect_kind(QUIRE_FAULT_COPY);
	assert_int_equal(rig_read(&f, 8 * PAGE), 1);
	rig_write(&f, 8 * PAGE, 3);
	assert_int_equal(load(&rig, b, own), 2);
	assert_int_equal(load(&rig, a, shared + 8 * PAGE), 3);
	/* A first access that writes copies too. */
	store(&rig, b, own + 7 * PAGE + 8, 4);
	assert_int_equal(load(&rig, b, own + 7 * PAGE), RIG_WORD + 15);
	assert_int_equal(rig_read(&f, 15 * PAGE + 8), 0);
	rig_validate(&rig);
	/* Reclaim, where an allocation failed, writes sooner. */
	if (!rig_is_injected())
		assert_int_equal(rig_stored(&f, 8 * PAGE), RIG_WORD + 8);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	assert_int_equal(rig_stored(&f, 8 * PAGE), 3);
	quire_mm_destroy(a);
	quire_mm_destroy(b);
	rig_file_close(&f);
	rig_close(&rig);
}

/* A page is dirty from the first write on, and again from the first after it was written
 * back; no write is missed. */
static void writes_are_noticed(void **state)
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
	assert_int_equal(load(&rig, mm, at), RIG_WORD);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.dirty, 0);
	for (uint64_t turn = 1; turn < 4; turn++) {
		store(&rig, mm, at + 8, turn);
		expect_kind(QUIRE_FAULT_REUSE);
		store(&rig, mm, at + 16, turn);
		quire_vm_figures(rig.vm, &figures);
		assert_int_equal(figures.dirty, 1);
		assert_int_equal(figures.dirtied, turn);
		rig_validate(&rig);
		assert_int_equal(rig_sync(&rig, mm, at, PAGE, QUIRE_MM_SYNC_SYNC),
				 QUIRE_OK);
		assert_int_equal(rig_stored(&f, 8), turn);
		quire_vm_figures(rig.vm, &figures);
		assert_int_equal(figures.dirty, 0);
		assert_int_equal(figures.written, turn);
		rig_validate(&rig);
	}
	/* What lost its right to write by a call gets it back by one. */
	store(&rig, mm, at, 77);
	assert_int_equal(rig_protect(&rig, mm, at, PAGE, QUIRE_READ), QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, at, 78), QUIRE_FAULT);
	assert_int_equal(rig_protect(&rig, mm, at, 2 * PAGE, RW), QUIRE_OK);
	store(&rig, mm, at, 79);
	store(&rig, mm, at + PAGE, 80);
	rig_validate(&rig);
	/* msync of areas that have nothing to write, or ask for nothing. */
	assert_int_equal(rig_sync(&rig, mm, at, PAGE, QUIRE_MM_SYNC_ASYNC), QUIRE_OK);
	assert_int_equal(rig_stored(&f, 0), RIG_WORD);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void sync_reports_holes_and_locks(void **state)
{
	const uint32_t sync = QUIRE_MM_SYNC_SYNC, drop = QUIRE_MM_SYNC_INVALIDATE;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 8);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_SHARED);
	store(&rig, mm, at, 5);
	store(&rig, mm, at + 4 * PAGE, 6);
	assert_int_equal(rig_unmap(&rig, mm, at + 2 * PAGE, PAGE), QUIRE_OK);
	assert_int_equal(rig_sync(&rig, mm, at, 8 * PAGE, sync), QUIRE_NO_MEMORY);
	assert_int_equal(rig_stored(&f, 0), 5);
	assert_int_equal(rig_stored(&f, 4 * PAGE), 6);
	assert_int_equal(rig_sync(&rig, mm, at, 2 * PAGE, sync | QUIRE_MM_SYNC_ASYNC),
			 QUIRE_INVALID);
	assert_int_equal(rig_sync(&rig, mm, at + 1, PAGE, sync), QUIRE_INVALID);
	assert_int_equal(rig_lock(&rig, mm, at, PAGE, 0), QUIRE_OK);
	assert_int_equal(rig_sync(&rig, mm, at, 2 * PAGE, sync | drop), QUIRE_BUSY);
	assert_int_equal(rig_sync(&rig, mm, at + PAGE, PAGE, sync | drop), QUIRE_OK);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void cut_while_mapped(void **state)
{
	struct quire_file_figures figures;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 8);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 10, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 0, 10, RW, QUIRE_MM_PRIVATE);
	is_bus_error(&rig, mm, at + 8 * PAGE);
	for (uint64_t i = 0; i < 8; i++) {
		store(&rig, mm, at + i * PAGE + 1000, i + 1);
		store(&rig, mm, own + i * PAGE + 2000, i + 1);
	}
	assert_int_equal(rig_file_resize(&rig, f.file, 3 * PAGE + 500), QUIRE_OK);
	rig_validate(&rig);
	quire_file_figures(f.file, &figures);
	assert_true(rig_is_injected() || (figures.resident == 4 && figures.dirty == 4));
	is_bus_error(&rig, mm, at + 4 * PAGE);
	is_bus_error(&rig, mm, own + 4 * PAGE);
	/* The rest of the last page is zeros, but not in a copy of it. */
	assert_int_equal(load(&rig, mm, at + 3 * PAGE), RIG_WORD + 3);
	assert_int_equal(load(&rig, mm, at + 3 * PAGE + 1000), 0);
	assert_int_equal(load(&rig, mm, own + 3 * PAGE + 2000), 4);
	/* What is written behind the end is seen there, and never in the file. */
	store(&rig, mm, at + 3 * PAGE + 600, 9);
	assert_int_equal(load(&rig, mm, at + 3 * PAGE + 600), 9);
	assert_int_equal(rig_file_resize(&rig, f.file, 6 * PAGE), QUIRE_OK);
	assert_int_equal(load(&rig, mm, at + 3 * PAGE + 600), 0);
	assert_int_equal(load(&rig, mm, at + 5 * PAGE + 1000), 0);
	assert_int_equal(load(&rig, mm, own + 5 * PAGE + 2000), 0);
	is_bus_error(&rig, mm, at + 6 * PAGE);
	rig_validate(&rig);
	store(&rig, mm, at + 5 * PAGE, 10);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	assert_int_equal(rig_stored(&f, 5 * PAGE), 10);
	assert_int_equal(rig_stored(&f, 2 * PAGE + 1000), 3);
	assert_int_equal(qr_soft_store_bytes(f.store), 6 * PAGE);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void calls_grow_a_file(void **state)
{
	const uint64_t far = 100 * PAGE + 48;
	struct rig_file f;
	struct rig rig;
	uint64_t word;
	size_t done;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 1);
	rig_write(&f, PAGE - 4, 0x1122334455667788);
	assert_int_equal(quire_file_bytes(f.file), PAGE + 4);
	assert_int_equal(rig_read(&f, PAGE - 4), 0x1122334455667788);
	rig_write(&f, far, 7);
	assert_int_equal(quire_file_bytes(f.file), far + 8);
	assert_int_equal(rig_read(&f, 50 * PAGE), 0);
	assert_int_equal(rig_read(&f, PAGE + 4), 0);
	assert_int_equal(rig_file_read(&rig, f.file, far + 4, &word, 8, &done), QUIRE_OK);
	assert_int_equal(done, 4);
	assert_int_equal(rig_file_read(&rig, f.file, far + 8, &word, 8, &done), QUIRE_OK);
	assert_int_equal(done, 0);
	assert_int_equal(rig_file_write(&rig, f.file, 1ull << 60, &word, 8, &done),
			 QUIRE_OVERFLOW);
	assert_int_equal(rig_file_resize(&rig, f.file, 1ull << 60), QUIRE_OVERFLOW);
	rig_validate(&rig);
	rig_file_close(&f);
	rig_close(&rig);
}

/* A miss reads the window around it in few transfers; the next faults are minor. */
static void faults_read_ahead(void **state)
{
	struct quire_mm_figures before, after;
	struct qr_soft_store_counts counts;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 200);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 200, QUIRE_READ, QUIRE_MM_SHARED);
	load(&rig, mm, at + 50 * PAGE);
	expect_kind(QUIRE_FAULT_MAJOR);
	counts = qr_soft_store_counts(f.store);
	expect_count(counts.pages_read, WINDOW);
	expect_count(counts.reads, WINDOW / QUIRE_FILE_RUN);
	quire_mm_figures(mm, &before);
	for (uint64_t i = 50 - WINDOW / 2; i < 50 + WINDOW / 2; i++)
		assert_int_equal(load(&rig, mm, at + i * PAGE), RIG_WORD + i);
	quire_mm_figures(mm, &after);
	expect_count(after.major_faults, before.major_faults);
	/* Aligned windows of 16 pages: 34.., 48.., 64... */
	expect_count(after.minor_faults - before.minor_faults, 3);
	/* Who says that accesses are random gets one page. */
	assert_int_equal(rig_advise(&rig, mm, at, 200 * PAGE, QUIRE_MM_RANDOM), QUIRE_OK);
	load(&rig, mm, at + 150 * PAGE);
	expect_count(qr_soft_store_counts(f.store).pages_read, WINDOW + 1);
	/* Who says that they will be needed gets them now. */
	assert_int_equal(
		rig_advise(&rig, mm, at + 100 * PAGE, 20 * PAGE, QUIRE_MM_WILLNEED),
		QUIRE_OK);
	expect_count(qr_soft_store_counts(f.store).pages_read, WINDOW + 21);
	load(&rig, mm, at + 110 * PAGE);
	expect_kind(QUIRE_FAULT_MAPPED);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

/* Who reads a mapping in order, and says so, waits for the first page alone. */
static void mapped_readers_read_ahead(void **state)
{
	struct quire_mm_figures figures;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 256);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 256, QUIRE_READ, QUIRE_MM_SHARED);
	assert_int_equal(rig_advise(&rig, mm, at, 256 * PAGE, QUIRE_MM_SEQUENTIAL),
			 QUIRE_OK);
	for (uint64_t i = 0; i < 256; i++)
		assert_int_equal(load(&rig, mm, at + i * PAGE), RIG_WORD + i);
	quire_mm_figures(mm, &figures);
	expect_count(figures.major_faults, 1);
	expect_count(qr_soft_store_counts(f.store).pages_read, 256);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

/* In order: windows grow, and transfers with them. */
static void readers_read_ahead(void **state)
{
	struct qr_soft_store_counts counts;
	struct rig_file f;
	struct rig rig;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 256);
	for (uint64_t i = 0; i < 256; i++)
		assert_int_equal(rig_read(&f, i * PAGE), RIG_WORD + i);
	counts = qr_soft_store_counts(f.store);
	expect_count(counts.pages_read, 256);
	assert_true(rig_is_injected() || counts.reads < 256 / 8);
	rig_validate(&rig);
	rig_file_close(&f);
	rig_close(&rig);
}

static void fork_and_moves(void **state)
{
	struct quire_mm *mm, *child;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own, moved;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 16);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 16, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 4, 8, RW, QUIRE_MM_PRIVATE);
	load(&rig, mm, own + PAGE);
	store(&rig, mm, own, 1);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	rig_validate(&rig);
	store(&rig, child, own, 2);
	store(&rig, child, at, 3);
	assert_int_equal(load(&rig, mm, own), 1);
	assert_int_equal(load(&rig, mm, at), 3);
	assert_int_equal(load(&rig, child, own + PAGE), RIG_WORD + 5);
	rig_validate(&rig);
	/* Copies go along with the move, and are found there. */
	assert_int_equal(rig_remap(&rig, mm, own, 8 * PAGE, 700 * PAGE,
				   QUIRE_REMAP_MAYMOVE, 0, &moved),
			 QUIRE_OK);
	assert_int_equal(load(&rig, mm, moved), 1);
	assert_int_equal(load(&rig, mm, moved + 3 * PAGE), RIG_WORD + 7);
	is_bus_error(&rig, mm, moved + 12 * PAGE);
	rig_validate(&rig);
	assert_int_equal(rig_protect(&rig, mm, moved + PAGE, 2 * PAGE, QUIRE_READ),
			 QUIRE_OK);
	assert_int_equal(rig_store(&rig, mm, moved + PAGE, 1), QUIRE_FAULT);
	assert_int_equal(load(&rig, mm, moved + PAGE), RIG_WORD + 5);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	assert_int_equal(load(&rig, child, own), 2);
	rig_validate(&rig);
	quire_mm_destroy(child);
	rig_file_close(&f);
	rig_close(&rig);
}

/* A hole takes pages out of the file, dirty or not, and copies stay; the store may know no
 * holes, or fail. */
static void holes_are_punched(void **state)
{
	struct quire_file_ops no_holes;
	struct quire_vm_figures figures;
	struct qr_soft *soft;
	struct quire_mm *mm;
	struct rig_file f;
	uint64_t at, own;
	struct rig rig;

	(void)state;
	rig_open(&rig, plain);
	soft = qr_computer_soft(rig.computer);
	f = rig_file(&rig, 16);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 2, 20, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 0, 16, RW, QUIRE_MM_PRIVATE);
	store(&rig, mm, at, 1);
	store(&rig, mm, own + 3 * PAGE, 2);
	qr_soft_fail(soft, QR_SOFT_FILE_PUNCH, 1, 1);
	assert_int_equal(rig_advise(&rig, mm, at, 4 * PAGE, QUIRE_MM_REMOVE), QUIRE_IO);
	assert_int_equal(load(&rig, mm, at), 1);
	assert_int_equal(load(&rig, mm, at + PAGE), RIG_WORD + 3);
	assert_int_equal(rig_advise(&rig, mm, at, 4 * PAGE, QUIRE_MM_REMOVE), QUIRE_OK);
	rig_validate(&rig);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.dirty, 0);
	for (uint64_t i = 2; i < 6; i++)
		assert_int_equal(rig_stored(&f, i * PAGE), 0);
	assert_int_equal(rig_stored(&f, PAGE), RIG_WORD + 1);
	assert_int_equal(rig_stored(&f, 6 * PAGE), RIG_WORD + 6);
	assert_int_equal(load(&rig, mm, at), 0);
	assert_int_equal(load(&rig, mm, own + 2 * PAGE), 0);
	assert_int_equal(load(&rig, mm, own + 3 * PAGE), 2);
	assert_int_equal(quire_file_bytes(f.file), 16 * PAGE);
	/* Behind the end there is nothing to take out. */
	assert_int_equal(rig_advise(&rig, mm, at + 16 * PAGE, 2 * PAGE, QUIRE_MM_REMOVE),
			 QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, at + 12 * PAGE, 8 * PAGE, QUIRE_MM_REMOVE),
			 QUIRE_OK);
	assert_int_equal(rig_stored(&f, 15 * PAGE), 0);
	no_holes = *f.file->config.ops;
	no_holes.punch = NULL;
	f.file->config.ops = &no_holes;
	assert_int_equal(rig_advise(&rig, mm, at, PAGE, QUIRE_MM_REMOVE),
			 QUIRE_UNSUPPORTED);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

/* Pages of files in memory are charged when they come to be, as those of shared memory
 * without a reservation are. */
static void memory_is_charged_by_page(void **state)
{
	struct qr_computer_config config = plain;
	struct quire_file_config memory = {.bytes = 64 * PAGE, .name = "/memfd:m"};
	struct quire_vm_figures figures;
	struct quire_file *file;
	struct quire_mm *mm;
	uint64_t at, value = 1, nr = 0;
	struct rig rig;
	size_t done;

	(void)state;
	config.vm.overcommit = QUIRE_OVERCOMMIT_NEVER;
	config.vm.overcommit_ratio = 1;
	rig_open(&rig, config);
	assert_int_equal(rig_file_open(&rig, &memory, &file), QUIRE_OK);
	mm = rig_mm(&rig);
	assert_int_equal(
		rig_map_at(&rig, mm, file, 0, 0, 64 * PAGE, RW, QUIRE_MM_SHARED, &at),
		QUIRE_OK);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.committed, 0);
	assert_int_equal(figures.commit_limit, 20);
	while (nr < 64 && rig_store(&rig, mm, at + nr * PAGE, nr) == QUIRE_OK)
		nr++;
	assert_int_equal(nr, 20);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_BUS);
	rig_validate(&rig);
	assert_int_equal(rig_file_write(&rig, file, 40 * PAGE, &value, 8, &done),
			 QUIRE_NO_SPACE);
	assert_int_equal(
		rig_advise(&rig, mm, at + 30 * PAGE, PAGE, QUIRE_MM_POPULATE_READ),
		QUIRE_FAULT);
	assert_int_equal(rig_advise(&rig, mm, at, 5 * PAGE, QUIRE_MM_REMOVE), QUIRE_OK);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.committed, 15);
	assert_int_equal(rig_file_write(&rig, file, 40 * PAGE, &value, 8, &done),
			 QUIRE_OK);
	assert_int_equal(rig_file_resize(&rig, file, 10 * PAGE), QUIRE_OK);
	quire_vm_figures(rig.vm, &figures);
	assert_int_equal(figures.committed, 5);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	quire_file_close(file);
	rig_close(&rig);
}

static void advice_about_files(void **state)
{
	struct quire_file_figures figures;
	unsigned char vec[8];
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, own;

	(void)state;
	rig_open(&rig, plain);
	f = rig_file(&rig, 64);
	mm = rig_mm(&rig);
	at = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_SHARED);
	own = rig_map_file(mm, &f, 0, 8, RW, QUIRE_MM_PRIVATE);
	store(&rig, mm, at, 1);
	store(&rig, mm, own, 2);
	assert_int_equal(rig_advise(&rig, mm, at, PAGE, QUIRE_MM_FREE), QUIRE_INVALID);
	assert_int_equal(rig_advise(&rig, mm, own, PAGE, QUIRE_MM_FREE), QUIRE_INVALID);
	assert_int_equal(rig_advise(&rig, mm, own, PAGE, QUIRE_MM_REMOVE), QUIRE_REFUSED);
	/* Only the copy is lost: what is in the file is in the file. */
	assert_int_equal(rig_advise(&rig, mm, at, 8 * PAGE, QUIRE_MM_DONTNEED), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, own, 8 * PAGE, QUIRE_MM_DONTNEED),
			 QUIRE_OK);
	assert_int_equal(load(&rig, mm, own), 1);
	assert_int_equal(quire_mm_incore(mm, at, 8 * PAGE, vec), QUIRE_OK);
	expect_count(vec[0] + vec[7], 2);
	assert_int_equal(rig_advise(&rig, mm, at, 8 * PAGE, QUIRE_MM_COLD), QUIRE_OK);
	/* Dirty pages are written before they go; page 0 is mapped twice and stays. */
	load(&rig, mm, at + 3 * PAGE);
	store(&rig, mm, at + 3 * PAGE, 4);
	assert_int_equal(rig_advise(&rig, mm, own, 8 * PAGE, QUIRE_MM_DONTNEED),
			 QUIRE_OK);
	load(&rig, mm, at);
	assert_int_equal(rig_advise(&rig, mm, at, 8 * PAGE, QUIRE_MM_PAGEOUT), QUIRE_OK);
	rig_validate(&rig);
	assert_int_equal(rig_stored(&f, 3 * PAGE), 4);
	assert_int_equal(quire_mm_incore(mm, at, 8 * PAGE, vec), QUIRE_OK);
	for (uint32_t i = 0; i < 8; i++)
		expect_count(vec[i], 0);
	assert_int_equal(load(&rig, mm, at + 3 * PAGE), 4);
	expect_kind(QUIRE_FAULT_MAJOR);
	/* What is locked stays. */
	assert_int_equal(rig_lock(&rig, mm, at, 8 * PAGE, 0), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, at, 8 * PAGE, QUIRE_MM_PAGEOUT),
			 QUIRE_INVALID);
	assert_int_equal(rig_advise(&rig, mm, at, 8 * PAGE, QUIRE_MM_DONTNEED),
			 QUIRE_INVALID);
	assert_int_equal(rig_lock(&rig, mm,
				  rig_map_file(mm, &f, 60, 8, RW, QUIRE_MM_SHARED),
				  8 * PAGE, 0),
			 QUIRE_NO_MEMORY);
	quire_file_figures(f.file, &figures);
	assert_int_equal(figures.areas, 3);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_file_close(&f);
	rig_close(&rig);
}

static void rights_of_a_file(void **state)
{
	struct quire_file_config config;
	struct quire_mm *mm;
	struct rig_file f;
	struct rig rig;
	uint64_t at, value = 1;
	size_t done;

	(void)state;
	rig_open(&rig, plain);
	f.rig = &rig;
	f.store = qr_soft_store_new(qr_computer_soft(rig.computer), 4 * PAGE);
	config = qr_soft_store_config(f.store, "/data/constant");
	config.is_readonly = true;
	assert_int_equal(rig_file_open(&rig, &config, &f.file), QUIRE_OK);
	mm = rig_mm(&rig);
	assert_int_equal(
		rig_map_at(&rig, mm, f.file, 0, 0, PAGE, RW, QUIRE_MM_SHARED, &at),
		QUIRE_REFUSED);
	assert_int_equal(
		rig_map_at(&rig, mm, f.file, 1, 0, PAGE, RW, QUIRE_MM_SHARED, &at),
		QUIRE_INVALID);
	assert_int_equal(rig_map_at(&rig, mm, f.file, 1ull << 60, 0, PAGE, QUIRE_READ,
				    QUIRE_MM_SHARED, &at),
			 QUIRE_OVERFLOW);
	assert_int_equal(rig_map_at(&rig, mm, f.file, 0, 0, PAGE, QUIRE_READ,
				    QUIRE_MM_PRIVATE | QUIRE_MM_GROWSDOWN, &at),
			 QUIRE_INVALID);
	at = rig_map_file(mm, &f, 0, 4, QUIRE_READ, QUIRE_MM_SHARED);
	assert_int_equal(rig_protect(&rig, mm, at, PAGE, RW), QUIRE_REFUSED);
	at = rig_map_file(mm, &f, 0, 4, RW, QUIRE_MM_PRIVATE);
	store(&rig, mm, at, 1);
	assert_int_equal(rig_file_write(&rig, f.file, 0, &value, 8, &done),
			 QUIRE_NO_FILE);
	assert_int_equal(rig_file_resize(&rig, f.file, 0), QUIRE_INVALID);
	/* The file lives as long as it is mapped. */
	quire_file_close(f.file);
	assert_int_equal(load(&rig, mm, at + PAGE), 0);
	rig_validate(&rig);
	assert_false(qr_soft_store_is_released(f.store));
	quire_mm_destroy(mm);
	assert_true(qr_soft_store_is_released(f.store));
	qr_soft_store_delete(f.store);
	rig_close(&rig);
}

/* A file without a store: swap is behind it. */
static void files_in_memory(void **state)
{
	const struct qr_computer_config config = {
		.soft = {.nr_frames = 700, .nr_disks = 4, .disk_extents = 4096},
		.vm = {.swap = QUIRE_SWAP_FILE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
	};
	const struct quire_file_config memory = {.name = "/memfd:test (deleted)"};
	struct quire_file_figures figures;
	struct rig rig;
	struct rig_file f = {.rig = &rig};
	struct quire_mm *mm;
	uint64_t at;

	(void)state;
	rig_open(&rig, config);
	assert_int_equal(rig_file_open(&rig, &memory, &f.file), QUIRE_OK);
	mm = rig_mm(&rig);
	assert_int_equal(rig_file_resize(&rig, f.file, 900 * PAGE), QUIRE_OK);
	at = rig_map_file(mm, &f, 0, 1000, RW, QUIRE_MM_SHARED);
	for (uint64_t i = 0; i < 900; i++)
		i % 2 == 0 ? store(&rig, mm, at + i * PAGE, i + 1)
			   : rig_write(&f, i * PAGE, i + 1);
	rig_validate(&rig);
	quire_file_figures(f.file, &figures);
	assert_true(figures.swapped > 0);
	assert_int_equal(figures.swapped + figures.resident, 900);
	for (uint64_t i = 0; i < 900; i++)
		assert_int_equal(i % 2 == 1 ? load(&rig, mm, at + i * PAGE)
					    : rig_read(&f, i * PAGE),
				 i + 1);
	is_bus_error(&rig, mm, at + 900 * PAGE);
	/* A tail that is out comes in to be cut. */
	assert_int_equal(rig_advise(&rig, mm, at, 1000 * PAGE, QUIRE_MM_PAGEOUT),
			 QUIRE_OK);
	assert_int_equal(rig_file_resize(&rig, f.file, 5 * PAGE + 4), QUIRE_OK);
	quire_file_figures(f.file, &figures);
	assert_true(figures.resident > 0 && figures.resident + figures.swapped == 6);
	assert_int_equal(rig_file_resize(&rig, f.file, 6 * PAGE), QUIRE_OK);
	assert_int_equal(load(&rig, mm, at + 5 * PAGE), 6);
	assert_int_equal(rig_file_sync(&rig, f.file), QUIRE_OK);
	assert_int_equal(rig_advise(&rig, mm, at, PAGE, QUIRE_MM_REMOVE), QUIRE_OK);
	assert_int_equal(rig_read(&f, 0), 0);
	rig_validate(&rig);
	quire_file_close(f.file);
	assert_int_equal(load(&rig, mm, at + PAGE), 2);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		everybody_sees_the_same,
		writes_are_noticed,
		sync_reports_holes_and_locks,
		cut_while_mapped,
		calls_grow_a_file,
		faults_read_ahead,
		readers_read_ahead,
		fork_and_moves,
		advice_about_files,
		rights_of_a_file,
		mapped_readers_read_ahead,
		holes_are_punched,
		memory_is_charged_by_page,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
	rig_in_some_ways(files_in_memory, state, 97);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_sees_the_same),
		cmocka_unit_test(writes_are_noticed),
		cmocka_unit_test(sync_reports_holes_and_locks),
		cmocka_unit_test(cut_while_mapped),
		cmocka_unit_test(calls_grow_a_file),
		cmocka_unit_test(faults_read_ahead),
		cmocka_unit_test(readers_read_ahead),
		cmocka_unit_test(mapped_readers_read_ahead),
		cmocka_unit_test(fork_and_moves),
		cmocka_unit_test(advice_about_files),
		cmocka_unit_test(holes_are_punched),
		cmocka_unit_test(memory_is_charged_by_page),
		cmocka_unit_test(rights_of_a_file),
		cmocka_unit_test(files_in_memory),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
