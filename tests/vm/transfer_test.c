/* SPDX-License-Identifier: MIT */
/* transfer_test.c - while pages are written back others go on; who would change one of
 * them waits.  Threads, on a machine without CPUs of its own.
 */
#include "core/space/mm.h"
#include "ports/soft/store.h"
#include "quire/stats.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE  4096ull
#define RW    (QUIRE_READ | QUIRE_WRITE)
#define PAGES 64u

struct bed {
	struct qr_soft *soft;
	struct quire_stats stats;
	struct quire_mmu mmu;
	struct quire_vm *vm;
	struct quire_mm *mm;
	uint64_t frames_free, at;
	struct qr_soft_store *store;
	struct quire_file *file;
	/* The store's own, and a write() that stops half way when it is told to. */
	struct quire_file_ops inner, ops;
	bool stops;
	sem_t has_come, may_go;
};

static void no_tlb(void *ctx, uint32_t asid, struct quire_run run)
{
	(void)ctx;
	(void)asid;
	(void)run;
}

static struct quire_vm_figures figures_of(struct bed *bed)
{
	struct quire_vm_figures figures;

	quire_vm_figures(bed->vm, &figures);
	return figures;
}

/* The store's context is the bed: its ops are called through these. */
static enum quire_status bed_read(void *ctx, uint64_t index, void *const *pages,
				  uint32_t nr)
{
	struct bed *bed = ctx;

	return bed->inner.read(bed->store, index, pages, nr);
}

static enum quire_status bed_write(void *ctx, uint64_t index, const void *const *pages,
				   uint32_t nr)
{
	struct bed *bed = ctx;

	if (bed->stops) {
		bed->stops = false;
		sem_post(&bed->has_come);
		sem_wait(&bed->may_go);
	}
	return bed->inner.write(bed->store, index, pages, nr);
}

static enum quire_status bed_resize(void *ctx, uint64_t bytes)
{
	struct bed *bed = ctx;

	return bed->inner.resize(bed->store, bytes);
}

static enum quire_status bed_punch(void *ctx, uint64_t index, uint64_t nr)
{
	struct bed *bed = ctx;

	return bed->inner.punch(bed->store, index, nr);
}

static void bed_release(void *ctx)
{
	struct bed *bed = ctx;

	bed->inner.release(bed->store);
}

static void open_file(struct bed *bed)
{
	struct quire_file_config config;

	bed->store = qr_soft_store_new(bed->soft, PAGES * PAGE);
	assert_non_null(bed->store);
	config = qr_soft_store_config(bed->store, "/data/file");
	bed->inner = *config.ops;
	bed->ops = (struct quire_file_ops){.read = bed_read,
					   .write = bed_write,
					   .resize = bed_resize,
					   .punch = bed_punch,
					   .release = bed_release};
	config.ops = &bed->ops;
	config.ctx = bed;
	assert_int_equal(quire_file_open(bed->vm, &config, &bed->file), QUIRE_OK);
}

static void open_bed(struct bed *bed, uint32_t nr_frames)
{
	const struct qr_soft_config soft = {
		.nr_frames = nr_frames, .no_discard = true, .nr_cpus = 1};
	struct quire_mm_config space = {
		.window = {{0x100000000}, {0x140000000}},
		.mmap_top = 0x140000000,
		.mmap_bottom = 0x120000000,
		.brk = {0x100000000},
		.limits = {QUIRE_UNLIMITED, QUIRE_UNLIMITED, QUIRE_UNLIMITED,
			   QUIRE_UNLIMITED},
	};
	struct quire_vm_config config = {.swap = QUIRE_SWAP_NONE,
					 .overcommit = QUIRE_OVERCOMMIT_ALWAYS,
					 .thp = QUIRE_THP_MADVISE};

	memset(bed, 0, sizeof(*bed));
	sem_init(&bed->has_come, 0, 0);
	sem_init(&bed->may_go, 0, 0);
	bed->mmu.flush = no_tlb;
	config.mmu = &bed->mmu;
	config.stats = &bed->stats;
	bed->soft = qr_soft_new(&soft);
	assert_non_null(bed->soft);
	assert_int_equal(quire_vm_open(&bed->vm, qr_soft_port(bed->soft), &config),
			 QUIRE_OK);
	bed->frames_free = figures_of(bed).free;
	open_file(bed);
	assert_int_equal(quire_mm_create(bed->vm, &space, &bed->mm), QUIRE_OK);
	assert_int_equal(quire_mm_map_file(bed->mm, bed->file, 0, 0, PAGES * PAGE, RW,
					   QUIRE_MM_SHARED, &bed->at),
			 QUIRE_OK);
}

static void validate(struct bed *bed)
{
	const char *wrong = quire_vm_validate(bed->vm);

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

static void close_bed(struct bed *bed)
{
	validate(bed);
	quire_mm_destroy(bed->mm);
	quire_file_close(bed->file);
	assert_true(qr_soft_store_is_released(bed->store));
	assert_int_equal(figures_of(bed).free, bed->frames_free);
	assert_int_equal(figures_of(bed).writeback, 0);
	quire_vm_close(bed->vm);
	qr_soft_store_delete(bed->store);
	qr_soft_destroy(bed->soft);
	sem_destroy(&bed->has_come);
	sem_destroy(&bed->may_go);
}

static void put(struct bed *bed, uint64_t page, uint64_t value)
{
	size_t done;

	assert_int_equal(quire_file_write(bed->file, page * PAGE, &value, 8, &done),
			 QUIRE_OK);
}

static uint64_t get(struct bed *bed, uint64_t page)
{
	uint64_t value;
	size_t done;

	assert_int_equal(quire_file_read(bed->file, page * PAGE, &value, 8, &done),
			 QUIRE_OK);
	return value;
}

static uint64_t stored(struct bed *bed, uint64_t page)
{
	uint64_t value;

	qr_soft_store_peek(bed->store, page * PAGE, &value, sizeof(value));
	return value;
}

static enum quire_status fault(struct bed *bed, uint64_t page, uint32_t code)
{
	struct quire_fault out;

	return quire_mm_fault(bed->mm, bed->at + page * PAGE, code, &out);
}

static void *sync_file(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(quire_file_sync(bed->file), QUIRE_OK);
	return NULL;
}

static void *sync_mapping(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(
		quire_mm_sync(bed->mm, bed->at, PAGES * PAGE, QUIRE_MM_SYNC_SYNC),
		QUIRE_OK);
	return NULL;
}

static void *sync_machine(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(quire_vm_sync(bed->vm), QUIRE_OK);
	return NULL;
}

static void *tick(void *ctx)
{
	struct bed *bed = ctx;

	quire_vm_tick(bed->vm, 1000000);
	return NULL;
}

static void *(*const writers[])(void *ctx) = {sync_file, sync_mapping, sync_machine,
					      tick};
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

/* A writer that has stopped with page 3 on its way. */
static pthread_t stop_writer(struct bed *bed, uint32_t which)
{
	pthread_t thread;

	put(bed, 3, 30);
	bed->stops = true;
	assert_int_equal(pthread_create(&thread, NULL, writers[which], bed), 0);
	sem_wait(&bed->has_come);
	return thread;
}

static void others_go_on(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WRITERS; i++) {
		struct quire_vm_figures f;
		pthread_t writer;
		struct bed bed;

		open_bed(&bed, 1024);
		put(&bed, 9, 90);
		writer = stop_writer(&bed, i);
		f = figures_of(&bed);
		assert_int_equal(f.writeback, 1);
		assert_int_equal(f.dirty, 1);
		validate(&bed);
		/* Pages that are not on their way are written, read, mapped; this one is
		 * read, and stays. */
		assert_int_equal(get(&bed, 3), 30);
		assert_int_equal(fault(&bed, 3, QUIRE_PF_USER), QUIRE_OK);
		put(&bed, 5, 50);
		assert_int_equal(fault(&bed, 6, QUIRE_PF_USER | QUIRE_PF_WRITE),
				 QUIRE_OK);
		assert_int_equal(
			quire_mm_advise(bed.mm, bed.at, PAGES * PAGE, QUIRE_MM_PAGEOUT),
			QUIRE_OK);
		assert_int_equal(figures_of(&bed).writeback, 1);
		validate(&bed);
		sem_post(&bed.may_go);
		pthread_join(writer, NULL);
		assert_int_equal(figures_of(&bed).writeback, 0);
		assert_int_equal(stored(&bed, 3), 30);
		assert_int_equal(get(&bed, 5), 50);
		close_bed(&bed);
	}
}

static void *write_page(void *ctx)
{
	put(ctx, 3, 31);
	return NULL;
}

static void *write_behind(void *ctx)
{
	put(ctx, PAGES + 2, 31);
	return NULL;
}

static void *write_by_fault(void *ctx)
{
	assert_int_equal(fault(ctx, 3, QUIRE_PF_USER | QUIRE_PF_WRITE), QUIRE_OK);
	return NULL;
}

static void *populate(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(
		quire_mm_advise(bed->mm, bed->at, 8 * PAGE, QUIRE_MM_POPULATE_WRITE),
		QUIRE_OK);
	return NULL;
}

static void *cut(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(quire_file_resize(bed->file, 2 * PAGE), QUIRE_OK);
	return NULL;
}

static void *punch(void *ctx)
{
	struct bed *bed = ctx;

	assert_int_equal(
		quire_mm_advise(bed->mm, bed->at + 3 * PAGE, PAGE, QUIRE_MM_REMOVE),
		QUIRE_OK);
	return NULL;
}

static void *(*const waiters[])(void *ctx) = {
	write_page, write_behind, write_by_fault, populate,	cut,
	punch,	    sync_file,	  sync_mapping,	  sync_machine,
};

/* Somebody has come to wait for a transfer: sooner or later. */
static void await_waiter(struct bed *bed)
{
	uint32_t nr = 0;

	while (nr == 0) {
		qr_lock(&bed->vm->turn);
		nr = bed->vm->cache.transferred.nr_waiters;
		qr_unlock(&bed->vm->turn);
	}
}

static void who_changes_a_page_waits(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(waiters) / sizeof(waiters[0]) * WRITERS; i++) {
		pthread_t writer, waiter;
		struct bed bed;

		open_bed(&bed, 1024);
		writer = stop_writer(&bed, i % WRITERS);
		assert_int_equal(
			pthread_create(&waiter, NULL, waiters[i / WRITERS], &bed), 0);
		await_waiter(&bed);
		assert_int_equal(figures_of(&bed).writeback, 1);
		assert_int_equal(get(&bed, 3), 30);
		sem_post(&bed.may_go);
		pthread_join(writer, NULL);
		pthread_join(waiter, NULL);
		validate(&bed);
		assert_int_equal(quire_file_sync(bed.file), QUIRE_OK);
		if (waiters[i / WRITERS] == write_page)
			assert_int_equal(stored(&bed, 3), 31);
		if (waiters[i / WRITERS] == punch || waiters[i / WRITERS] == cut)
			assert_int_equal(stored(&bed, 3), 0);
		close_bed(&bed);
	}
}

/* The last user goes while the file is written back by a tick: the writer lets it go. */
static void the_writer_closes(void **state)
{
	pthread_t writer;
	struct bed bed;

	(void)state;
	open_bed(&bed, 1024);
	writer = stop_writer(&bed, 3);
	quire_mm_destroy(bed.mm);
	quire_file_close(bed.file);
	assert_false(qr_soft_store_is_released(bed.store));
	validate(&bed);
	sem_post(&bed.may_go);
	pthread_join(writer, NULL);
	assert_true(qr_soft_store_is_released(bed.store));
	assert_int_equal(stored(&bed, 3), 30);
	assert_int_equal(figures_of(&bed).free, bed.frames_free);
	quire_vm_close(bed.vm);
	qr_soft_store_delete(bed.store);
	qr_soft_destroy(bed.soft);
	sem_destroy(&bed.has_come);
	sem_destroy(&bed.may_go);
}

/* ---- pages that move */

static uint64_t frame_of(struct bed *bed, uint64_t va)
{
	return quire_report_pagemap(bed->mm, va) & ((1ull << 55) - 1);
}

static uint64_t map_private(struct bed *bed, uint64_t start, uint64_t pages)
{
	uint32_t flags = QUIRE_MM_PRIVATE | (start != 0 ? QUIRE_MM_FIXED : 0);
	uint64_t at;

	assert_int_equal(quire_mm_map(bed->mm, start, pages * PAGE, RW, flags, &at),
			 QUIRE_OK);
	return at;
}

/* They keep page 3 from lying beside the first tables. */
#define FIRST_PAGES 700u

static void touch(struct bed *bed, uint64_t va)
{
	struct quire_fault out;

	assert_int_equal(
		quire_mm_fault(bed->mm, va, QUIRE_PF_USER | QUIRE_PF_WRITE, &out),
		QUIRE_OK);
}

/* The machine is full, but for the run of 512 frames that page 3 lies in, where it is
 * alone, and some frames elsewhere: the cheapest huge page is to be had by moving it. */
static void fill_around(struct bed *bed, uint64_t at, uint64_t frame)
{
	uint64_t nr = FIRST_PAGES, nr_elsewhere = 0;

	for (; figures_of(bed).free > bed->vm->zone.low + 128; nr++)
		touch(bed, at + nr * PAGE);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t va = at + i * PAGE;
		bool is_near =
			frame_of(bed, va) / QUIRE_HUGE_PAGES == frame / QUIRE_HUGE_PAGES;

		if (!is_near && (i % 4 != 0 || nr_elsewhere++ >= 64))
			continue;
		assert_int_equal(quire_mm_advise(bed->mm, va, PAGE, QUIRE_MM_DONTNEED),
				 QUIRE_OK);
	}
}

static void ask_for_huge_page(struct bed *bed)
{
	uint64_t at = map_private(bed, 0x110000000, QUIRE_HUGE_PAGES);
	struct quire_huge_figures figures;

	assert_int_equal(
		quire_mm_advise(bed->mm, at, QUIRE_HUGE_BYTES, QUIRE_MM_HUGEPAGE),
		QUIRE_OK);
	touch(bed, at);
	quire_vm_huge_figures(bed->vm, &figures);
	assert_int_equal(figures.compact_stall, 1);
	assert_true(figures.migrate_success > 0);
	validate(bed);
}

static void what_is_on_its_way_stays(void **state)
{
	(void)state;
	/* The last time round nobody writes back, and the page moves. */
	for (uint32_t i = 0; i <= WRITERS; i++) {
		bool is_written = i < WRITERS;
		pthread_t writer;
		struct bed bed;
		uint64_t at, frame;

		open_bed(&bed, 2048);
		at = map_private(&bed, 0, 4096);
		for (uint64_t k = 0; k < FIRST_PAGES; k++)
			touch(&bed, at + k * PAGE);
		if (is_written)
			writer = stop_writer(&bed, i);
		else
			put(&bed, 3, 30);
		assert_int_equal(fault(&bed, 3, QUIRE_PF_USER), QUIRE_OK);
		frame = frame_of(&bed, bed.at + 3 * PAGE);
		fill_around(&bed, at, frame);
		ask_for_huge_page(&bed);
		assert_int_equal(frame_of(&bed, bed.at + 3 * PAGE) == frame, is_written);
		assert_int_equal(get(&bed, 3), 30);
		if (is_written) {
			sem_post(&bed.may_go);
			pthread_join(writer, NULL);
		}
		assert_int_equal(quire_file_sync(bed.file), QUIRE_OK);
		assert_int_equal(stored(&bed, 3), 30);
		close_bed(&bed);
	}
}

/* ---- many at once */

#define THREADS 3u
#define STEPS	400u

struct worker {
	struct bed *bed;
	uint32_t number;
	uint64_t values[PAGES];
};

/* Each has pages of its own, so it knows what they hold. */
static void *work(void *ctx)
{
	struct worker *w = ctx;
	uint64_t random = w->number + 1;

	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t page;

		random = random * 6364136223846793005u + 1442695040888963407u;
		page = (random >> 33) % (PAGES / THREADS) * THREADS + w->number;
		switch ((random >> 20) % 8) {
		case 0:
			(void)writers[(random >> 50) % (WRITERS - 1)](w->bed);
			break;
		case 1:
			assert_int_equal(
				fault(w->bed, page, QUIRE_PF_USER | QUIRE_PF_WRITE),
				QUIRE_OK);
			break;
		case 2:
			assert_int_equal(quire_mm_advise(w->bed->mm,
							 w->bed->at + page * PAGE, PAGE,
							 QUIRE_MM_PAGEOUT),
					 QUIRE_OK);
			break;
		case 3:
		case 4:
			assert_int_equal(get(w->bed, page), w->values[page]);
			break;
		default:
			w->values[page] = random;
			put(w->bed, page, random);
			break;
		}
	}
	return NULL;
}

static void many_at_once(void **state)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct bed bed;

	(void)state;
	open_bed(&bed, 380);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.bed = &bed, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < 50; i++)
		validate(&bed);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	validate(&bed);
	assert_int_equal(quire_file_sync(bed.file), QUIRE_OK);
	for (uint64_t page = 0; page < PAGES / THREADS * THREADS; page++)
		assert_int_equal(stored(&bed, page),
				 workers[page % THREADS].values[page]);
	close_bed(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_go_on),
		cmocka_unit_test(who_changes_a_page_waits),
		cmocka_unit_test(the_writer_closes),
		cmocka_unit_test(what_is_on_its_way_stays),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
