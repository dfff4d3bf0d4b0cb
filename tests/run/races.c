/* SPDX-License-Identifier: MIT */
/* madvise, munmap, mmap, mremap and mprotect racing with eviction, against a model.
 *
 * Model.  A region of pages belongs to one thread, and each of its pages is in one
 * state, kept in statics, which Quire does not page:
 *   ZERO       reads as zero: fresh, or after MADV_DONTNEED;
 *   SET        holds the pattern of its seed;
 *   MAYBE      after MADV_FREE: holds its pattern or is zero, until it is written.
 * Other threads press memory out all the time.  A page that reads otherwise was lost
 * (zero for a pattern) or revived (a pattern for zero).
 *
 * RACES_SEED replays one sequence; it is printed when a check fails.
 */
#define _GNU_SOURCE 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common.h"

#define NR_THREADS   3
#define REGION_PAGES 1536
#define NR_STEPS     1500
#define RUN_MAX	     96

enum page_state { ZERO, SET, MAYBE };

struct region {
	pthread_t thread;
	char *at;
	uint64_t random;
	uint64_t next_seed;
	uint64_t seed[REGION_PAGES];
	enum page_state state[REGION_PAGES];
};

/* A run of pages that a step works on. */
struct run {
	size_t first;
	size_t nr;
};

static struct region regions[NR_THREADS];
static pthread_mutex_t layout_lock = PTHREAD_MUTEX_INITIALIZER;
static char *pressed;
static _Atomic bool pressure_runs;
static uint64_t first_seed;

static struct run random_run(struct region *r)
{
	size_t first = qr_random_next(&r->random) % REGION_PAGES;
	size_t nr = 1 + qr_random_next(&r->random) % RUN_MAX;

	return (struct run){first, nr < REGION_PAGES - first ? nr : REGION_PAGES - first};
}

static char *page_at(const struct region *r, size_t page)
{
	return r->at + page * PAGE_BYTES;
}

static bool page_is_right(const struct region *r, size_t page)
{
	const char *at = page_at(r, page);

	switch (r->state[page]) {
	case ZERO:
		return qr_pages_are_zero(at, PAGE_BYTES);
	case SET:
		return qr_pages_match(at, PAGE_BYTES, r->seed[page]);
	case MAYBE:
		break;
	}
	return qr_pages_are_zero(at, PAGE_BYTES) ||
	       qr_pages_match(at, PAGE_BYTES, r->seed[page]);
}

static void report_wrong_page(const struct region *r, size_t page)
{
	const uint64_t *word = (const uint64_t *)(const void *)page_at(r, page);
	char text[160];

	snprintf(text, sizeof(text),
		 "page %zu of region %zd in state %d is right (it begins %016llx; "
		 "RACES_SEED=%llu)",
		 page, r - regions, (int)r->state[page], (unsigned long long)*word,
		 (unsigned long long)first_seed);
	qr_check_fail(__FILE__, __LINE__, text);
}

static void check_run(struct region *r, struct run run)
{
	for (size_t page = run.first; page < run.first + run.nr; page++)
		if (!page_is_right(r, page))
			report_wrong_page(r, page);
}

static void set_state(struct region *r, struct run run, enum page_state state)
{
	for (size_t page = run.first; page < run.first + run.nr; page++)
		if (state != MAYBE || r->state[page] == SET)
			r->state[page] = state;
}

static void write_run(struct region *r, struct run run)
{
	for (size_t page = run.first; page < run.first + run.nr; page++) {
		r->seed[page] = r->next_seed++;
		r->state[page] = SET;
		qr_pages_fill(page_at(r, page), PAGE_BYTES, r->seed[page]);
	}
}

static void drop_run(struct region *r, struct run run)
{
	CHECK(madvise(page_at(r, run.first), run.nr * PAGE_BYTES, MADV_DONTNEED) == 0);
	set_state(r, run, ZERO);
}

static void free_run(struct region *r, struct run run)
{
	CHECK(madvise(page_at(r, run.first), run.nr * PAGE_BYTES, MADV_FREE) == 0);
	set_state(r, run, MAYBE);
}

/* A write takes the page back: from then on its bytes must stay. */
static void free_and_write(struct region *r, struct run run)
{
	free_run(r, run);
	write_run(r, run);
}

/* The hole between the two calls must not be given to another thread's mapping. */
static void remap_run(struct region *r, struct run run)
{
	char *at = page_at(r, run.first);
	size_t bytes = run.nr * PAGE_BYTES;

	pthread_mutex_lock(&layout_lock);
	CHECK(munmap(at, bytes) == 0);
	CHECK(mmap(at, bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	pthread_mutex_unlock(&layout_lock);
	set_state(r, run, ZERO);
}

static void map_over_run(struct region *r, struct run run)
{
	char *at = page_at(r, run.first);

	CHECK(mmap(at, run.nr * PAGE_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	set_state(r, run, ZERO);
}

/* Out of its place and back: bytes must travel with the pages. */
static void move_run(struct region *r, struct run run)
{
	size_t bytes = run.nr * PAGE_BYTES;
	char *at = page_at(r, run.first), *away;

	pthread_mutex_lock(&layout_lock);
	away = mremap(at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		      qr_pages_map(bytes));
	CHECK(away != MAP_FAILED);
	CHECK(mremap(away, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	pthread_mutex_unlock(&layout_lock);
}

static void protect_run(struct region *r, struct run run)
{
	char *at = page_at(r, run.first);

	CHECK(mprotect(at, run.nr * PAGE_BYTES, PROT_NONE) == 0);
	CHECK(mprotect(at, run.nr * PAGE_BYTES, PROT_READ) == 0);
	check_run(r, run);
	CHECK(mprotect(at, run.nr * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
}

static void *take_steps(void *arg)
{
	static void (*const step[])(struct region *, struct run) = {
		write_run,    write_run, write_run, write_run,	 check_run,
		check_run,    drop_run,	 free_run,  free_run,	 remap_run,
		map_over_run, move_run,	 move_run,  protect_run, free_and_write,
	};
	struct region *r = arg;
	const struct run all = {0, REGION_PAGES};

	for (size_t i = 0; i < NR_STEPS; i++) {
		size_t which =
			qr_random_next(&r->random) % (sizeof(step) / sizeof(step[0]));

		step[which](r, random_run(r));
		if (i % 100 == 0)
			check_run(r, all);
	}
	check_run(r, all);
	return NULL;
}

static void *press(void *arg)
{
	size_t bytes = qr_ram_bytes();

	for (uint64_t seed = 1; atomic_load(&pressure_runs); seed++) {
		qr_pages_fill(pressed, bytes, seed);
		CHECK(qr_pages_match(pressed, bytes, seed));
	}
	return arg;
}

static void make_region(struct region *r, size_t index)
{
	r->at = qr_pages_map(REGION_PAGES * PAGE_BYTES);
	r->random = first_seed * 1000 + index + 1;
	r->next_seed = (index + 1) << 32;
}

static void end_region(struct region *r)
{
	qr_pages_push_out(r->at, REGION_PAGES * PAGE_BYTES);
	check_run(r, (struct run){0, REGION_PAGES});
	qr_pages_unmap(r->at, REGION_PAGES * PAGE_BYTES);
}

static void try_races(void)
{
	pthread_t presser;

	pressed = qr_pages_map(qr_ram_bytes());
	for (size_t i = 0; i < NR_THREADS; i++)
		make_region(&regions[i], i);
	atomic_store(&pressure_runs, true);
	CHECK(pthread_create(&presser, NULL, press, NULL) == 0);
	for (size_t i = 0; i < NR_THREADS; i++)
		CHECK(pthread_create(&regions[i].thread, NULL, take_steps, &regions[i]) ==
		      0);
	for (size_t i = 0; i < NR_THREADS; i++)
		CHECK(pthread_join(regions[i].thread, NULL) == 0);
	atomic_store(&pressure_runs, false);
	CHECK(pthread_join(presser, NULL) == 0);
	for (size_t i = 0; i < NR_THREADS; i++)
		end_region(&regions[i]);
	qr_pages_unmap(pressed, qr_ram_bytes());
}

/* Readers of pages that another thread drops: each word is the old one or zero. */
static uint64_t *victim;
static size_t nr_victim_words;
static _Atomic bool readers_run;

static void *read_old_or_zero(void *arg)
{
	volatile uint64_t *words = victim;

	while (atomic_load(&readers_run))
		for (size_t i = 0; i < nr_victim_words; i += 97) {
			uint64_t word = words[i];

			CHECK(word == 0 || word == i + 1);
		}
	return arg;
}

static void try_drop_under_readers(void)
{
	size_t bytes = qr_ram_bytes();
	pthread_t readers[2];

	victim = qr_pages_map(bytes);
	nr_victim_words = bytes / sizeof(*victim);
	atomic_store(&readers_run, true);
	for (size_t i = 0; i < 2; i++)
		CHECK(pthread_create(&readers[i], NULL, read_old_or_zero, NULL) == 0);
	for (size_t round = 0; round < 4; round++) {
		for (size_t i = 0; i < nr_victim_words; i++)
			victim[i] = i + 1;
		qr_pressure_apply();
		for (size_t at = 0; at < bytes; at += 64 * PAGE_BYTES)
			CHECK(madvise((char *)victim + at, 32 * PAGE_BYTES,
				      MADV_DONTNEED) == 0);
		for (size_t i = 0; i < nr_victim_words; i++)
			CHECK(victim[i] ==
			      (i * 8 / PAGE_BYTES % 64 < 32 ? 0 : (uint64_t)(i + 1)));
	}
	atomic_store(&readers_run, false);
	for (size_t i = 0; i < 2; i++)
		CHECK(pthread_join(readers[i], NULL) == 0);
	qr_pages_unmap(victim, bytes);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"races", try_races},
		{"drop-under-readers", try_drop_under_readers},
	};
	const char *text = getenv("RACES_SEED");

	first_seed = text ? strtoull(text, NULL, 10) : 1;
	return TRIALS_RUN(trials, argc, argv);
}
