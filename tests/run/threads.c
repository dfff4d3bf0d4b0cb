/* SPDX-License-Identifier: MIT */
/* Threads that allocate, write and read far more than the bound at once.
 *
 * A page is taken away while another thread may be writing it: no write may be lost.
 */
#define _GNU_SOURCE 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define NR_THREADS 8
#define NR_BLOCKS  128
#define NR_SHORT   400
#define NR_RANDOM  20000
#define ROUNDS	   4

struct worker {
	pthread_t thread;
	size_t index;
	uint64_t random;
};

static void start_workers(struct worker *workers, size_t nr, void *(*run)(void *))
{
	for (size_t i = 0; i < nr; i++) {
		workers[i].index = i;
		workers[i].random = i + 1;
		CHECK(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0);
	}
}

static void join_workers(struct worker *workers, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		CHECK(pthread_join(workers[i].thread, NULL) == 0);
}

/* Counters that all threads add to: the sums say whether a write was lost. */
static _Atomic uint64_t *counters;
static size_t nr_counters;

static void *add_everywhere(void *arg)
{
	struct worker *me = arg;

	for (size_t i = 0; i < nr_counters; i += 8)
		atomic_fetch_add(&counters[i], 1);
	for (size_t i = 0; i < NR_RANDOM; i++) {
		size_t at = qr_random_next(&me->random) % nr_counters;

		atomic_fetch_add(&counters[at], UINT64_C(1) << 32);
	}
	return NULL;
}

static void try_shared_counters(void)
{
	struct worker workers[4];
	uint64_t low = 0, high = 0;
	size_t bytes = 4 * qr_ram_bytes();

	counters = qr_pages_map(bytes);
	nr_counters = bytes / sizeof(*counters);
	start_workers(workers, 4, add_everywhere);
	join_workers(workers, 4);
	qr_pages_push_out((void *)counters, bytes);
	for (size_t i = 0; i < nr_counters; i++) {
		low += (uint32_t)counters[i];
		high += counters[i] >> 32;
		CHECK((uint32_t)counters[i] == (i % 8 ? 0 : 4));
	}
	CHECK(low == nr_counters / 8 * 4 && high == NR_RANDOM * 4);
	qr_pages_unmap((void *)counters, bytes);
}

/* Each thread owns one word in every page and writes it without any lock. */
static volatile uint64_t *pages;
static size_t nr_pages;

static void *count_own_words(void *arg)
{
	struct worker *me = arg;
	size_t words = PAGE_BYTES / sizeof(*pages);

	for (uint64_t round = 1; round <= ROUNDS; round++)
		for (size_t page = 0; page < nr_pages; page++) {
			volatile uint64_t *word = &pages[page * words + me->index * 61];

			CHECK(*word == (round == 1 ? 0 : (round - 1) * 1000 + page));
			*word = round * 1000 + page;
		}
	return NULL;
}

static void try_own_words(void)
{
	struct worker workers[NR_THREADS];
	size_t bytes = 3 * qr_ram_bytes();

	pages = qr_pages_map(bytes);
	nr_pages = bytes / PAGE_BYTES;
	start_workers(workers, NR_THREADS, count_own_words);
	join_workers(workers, NR_THREADS);
	qr_pages_unmap((void *)pages, bytes);
}

/* Blocks of all sizes, each filled by one thread and checked and freed by another. */
struct block {
	uint64_t seed;
	size_t bytes;
	uint64_t words[];
};

static _Atomic(struct block *) exchange[NR_BLOCKS];

static struct block *make_block(struct worker *me)
{
	uint64_t random = qr_random_next(&me->random);
	size_t bytes = random % 16 ? random % 8192 : random % (2 * MIB);
	struct block *block;

	bytes &= ~(size_t)7;
	block = malloc(sizeof(*block) + bytes);
	CHECK(block);
	block->seed = random;
	block->bytes = bytes;
	qr_pages_fill(block->words, bytes, random);
	return block;
}

static void drop_block(struct block *block)
{
	if (!block)
		return;
	CHECK(qr_pages_match(block->words, block->bytes, block->seed));
	free(block);
}

static void *pass_blocks(void *arg)
{
	struct worker *me = arg;

	for (size_t i = 0; i < 400; i++) {
		size_t slot = qr_random_next(&me->random) % NR_BLOCKS;

		drop_block(atomic_exchange(&exchange[slot], make_block(me)));
	}
	return NULL;
}

static void try_blocks(void)
{
	struct worker workers[NR_THREADS];

	start_workers(workers, NR_THREADS, pass_blocks);
	join_workers(workers, NR_THREADS);
	for (size_t i = 0; i < NR_BLOCKS; i++)
		drop_block(atomic_exchange(&exchange[i], NULL));
}

/* Threads that live for a moment, with a stack in use and memory of their own. */
static void *live_shortly(void *arg)
{
	struct worker *me = arg;
	volatile char stack[64 * 1024];
	size_t bytes = 1 + me->index * 97 % 300000;
	char *block = malloc(bytes);

	CHECK(block);
	memset(block, (int)me->index, bytes);
	for (size_t i = 0; i < sizeof(stack); i += 1000)
		stack[i] = (char)(me->index + i);
	for (size_t i = 0; i < bytes; i += 1000)
		CHECK(block[i] == (char)me->index);
	for (size_t i = 0; i < sizeof(stack); i += 1000)
		CHECK(stack[i] == (char)(me->index + i));
	free(block);
	return NULL;
}

static void try_short_lives(void)
{
	static struct worker workers[NR_SHORT];
	size_t held_bytes = 2 * qr_ram_bytes();
	char *held = qr_pages_map(held_bytes);

	qr_pages_fill(held, held_bytes, 31);
	for (size_t i = 0; i < NR_SHORT; i += 16) {
		start_workers(workers + i, 16, live_shortly);
		join_workers(workers + i, 16);
	}
	CHECK(qr_pages_match(held, held_bytes, 31));
	qr_pages_unmap(held, held_bytes);
}

/* A mutex, a condition and a barrier that live in pages that go out. */
struct meeting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_barrier_t barrier;
	uint64_t turn;
};

static struct meeting *meeting;

static void *take_turns(void *arg)
{
	struct worker *me = arg;

	for (uint64_t round = 0; round < 50; round++) {
		pthread_mutex_lock(&meeting->lock);
		while (meeting->turn % 4 != me->index)
			pthread_cond_wait(&meeting->changed, &meeting->lock);
		if (meeting->turn % 50 == 0)
			qr_pages_push_out(meeting, PAGE_BYTES);
		meeting->turn++;
		pthread_cond_broadcast(&meeting->changed);
		pthread_mutex_unlock(&meeting->lock);
		pthread_barrier_wait(&meeting->barrier);
	}
	return NULL;
}

static void try_locks(void)
{
	struct worker workers[4];

	meeting = qr_pages_map(PAGE_BYTES);
	CHECK(pthread_mutex_init(&meeting->lock, NULL) == 0);
	CHECK(pthread_cond_init(&meeting->changed, NULL) == 0);
	CHECK(pthread_barrier_init(&meeting->barrier, NULL, 4) == 0);
	start_workers(workers, 4, take_turns);
	join_workers(workers, 4);
	CHECK(meeting->turn == 200);
	pthread_barrier_destroy(&meeting->barrier);
	pthread_cond_destroy(&meeting->changed);
	pthread_mutex_destroy(&meeting->lock);
	qr_pages_unmap(meeting, PAGE_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"shared-counters", try_shared_counters},
		{"own-words", try_own_words},
		{"blocks", try_blocks},
		{"short-lives", try_short_lives},
		{"locks", try_locks},
	};

	return TRIALS_RUN(trials, argc, argv);
}
