/* SPDX-License-Identifier: MIT */
/* purge.c - when free pages go back to the source.
 *
 * Model.  Dirty free pages serve the next request without a fault, but count as
 * resident.  Three rules give them back, the oldest first; all are looked at when
 * pages change hands, there is no thread for it:
 *   age     a run that nobody wanted for decay_ms goes;
 *   bound   no more than allowance = floor + used / 8 + regret pages stay dirty, so that
 *           a program that frees all it has and then sleeps does not keep it;
 *   order   malloc_trim and a page request that failed purge all.
 * Regret is twice the number of pages that were taken from purged memory within
 * REGRET_MS of a purge: pages that should have stayed, and as many that would be next.
 * It halves with each REGRET_MS that passes, so a program whose use swings keeps what it
 * swings by, and one that is done does not.
 *
 * Locking.  qr_heap_lock.
 */
#include "heap/heap.h"

#include <time.h>

/* 256 KiB: below this nothing is worth a system call. */
#define FLOOR_PAGES 64u
#define REGRET_MS   1000u
/* Page transfers between two looks at the clock. */
#define LOOK_PAGES 256u

static size_t regret;
static size_t purged; /* clean pages that were purged, not taken since */
static size_t moved;  /* pages since the last look at the clock */
static uint32_t now_ms, purge_ms, regret_ms;

uint32_t qr_purge_now(void)
{
	return now_ms;
}

static void look_at_clock(void)
{
	struct timespec t;

	moved = 0;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now_ms = (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
	while (regret != 0 && now_ms - regret_ms >= REGRET_MS) {
		regret /= 2;
		regret_ms += REGRET_MS;
	}
}

static size_t purge_one(void)
{
	size_t nr_pages = qr_runs_purge_oldest();

	purged += nr_pages;
	purge_ms = now_ms;
	return nr_pages;
}

/* Pages that the source cannot take back (locked ones) end each of these loops. */
static void purge_old(void)
{
	uint32_t stamp;

	while (qr_runs_oldest_stamp(&stamp) && now_ms - stamp >= qr_heap_conf.decay_ms &&
	       purge_one() != 0) {
	}
}

static void purge_excess(void)
{
	size_t allowance = FLOOR_PAGES + qr_runs_count.used / 8 + regret;

	if (qr_runs_count.dirty <= allowance)
		return;
	/* Somewhat below, so that the next free is not the next purge. */
	while (qr_runs_count.dirty > allowance - allowance / 4 && purge_one() != 0) {
	}
}

static void note(size_t nr_pages)
{
	moved += nr_pages;
	if (moved >= LOOK_PAGES) {
		look_at_clock();
		purge_old();
	}
}

void qr_purge_note_give(size_t nr_pages)
{
	note(nr_pages);
	purge_excess();
}

void qr_purge_note_take(size_t nr_pages, size_t nr_clean)
{
	note(nr_pages);
	if (nr_clean > purged)
		nr_clean = purged;
	if (nr_clean == 0)
		return;
	purged -= nr_clean;
	if (now_ms - purge_ms < REGRET_MS) {
		if (regret == 0)
			regret_ms = now_ms;
		regret += 2 * nr_clean;
	}
}

size_t qr_purge_all(size_t keep_pages)
{
	size_t total = 0;
	size_t nr_pages = 1;

	look_at_clock();
	while (qr_runs_count.dirty > keep_pages && nr_pages != 0) {
		nr_pages = purge_one();
		total += nr_pages;
	}
	return total;
}
