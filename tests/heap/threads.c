/* SPDX-License-Identifier: MIT */
/* threads.c - several threads, each block checked against what was written into it.
 *
 * QUIRE_SEED=n repeats a run's choices; the threads' timing is not repeated.
 */
#include "heap/detour.h"
#include "tests/heap/support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NR_THREADS 4
#define NR_SLOTS   4096
#define NR_STEPS   200000

/* What is in a place of the table: the block's size and a mark in all of its bytes. */
struct place {
	pthread_mutex_t lock;
	unsigned char *block;
	size_t bytes;
	unsigned char mark;
};

static struct place table[NR_SLOTS];
static uint64_t first_seed = 1;
static _Atomic unsigned nr_wrong;

static void check(const struct place *place)
{
	for (size_t i = 0; i < place->bytes; i++) {
		if (place->block[i] != place->mark) {
			nr_wrong++;
			return;
		}
	}
}

static size_t some_size(uint64_t *seed)
{
	uint64_t r = support_random(seed);

	if (r % 500 == 0)
		return (r >> 20) % 300000;
	return (r >> 20) % (r % 16 == 0 ? 9000 : 300);
}

static void renew(struct place *place, uint64_t *seed)
{
	size_t bytes = some_size(seed);
	size_t align = (size_t)1 << (support_random(seed) % 10);

	if (place->block != NULL && support_random(seed) % 4 == 0) {
		size_t kept = bytes < place->bytes ? bytes : place->bytes;

		place->block = qr_heap_realloc(place->block, bytes + 1);
		place->bytes = kept;
		check(place);
		align = 1;
	} else {
		qr_heap_free(place->block);
		if (support_random(seed) % 8 != 0)
			align = 1;
		place->block =
			align > 1 ? qr_heap_aligned(align, bytes) : qr_heap_malloc(bytes);
	}
	if (((uintptr_t)place->block & (align - 1)) != 0)
		nr_wrong++;
	place->bytes = bytes;
	place->mark = (unsigned char)support_random(seed);
	memset(place->block, place->mark, bytes);
}

/* Any thread frees what any other allocated: two blocks at one address, or one that is
 * not whole, show as a mark that is not the place's. */
static void *churn(void *argument)
{
	uint64_t seed = first_seed * 7919 + (uintptr_t)argument;

	for (int i = 0; i < NR_STEPS; i++) {
		struct place *place = &table[support_random(&seed) % NR_SLOTS];

		pthread_mutex_lock(&place->lock);
		check(place);
		renew(place, &seed);
		pthread_mutex_unlock(&place->lock);
	}
	return NULL;
}

static void run_threads(void *(*body)(void *), uintptr_t nr)
{
	pthread_t thread[NR_THREADS];

	for (uintptr_t i = 0; i < nr; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, body, (void *)(i + 1)),
				 0);
	for (uintptr_t i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
}

static void clear_table(void)
{
	for (size_t i = 0; i < NR_SLOTS; i++) {
		check(&table[i]);
		qr_heap_free(table[i].block);
		table[i].block = NULL;
		table[i].bytes = 0;
	}
}

/* Takes over what threads that are gone left behind, and what they freed. */
static void gather_all(void)
{
	while (qr_cache_adopt(qr_cache_mine())) {
	}
}

static void blocks_never_overlap(void **state)
{
	size_t before;

	(void)state;
	qr_heap_free(qr_heap_malloc(1));
	before = support_blocks();
	run_threads(churn, NR_THREADS);
	clear_table();
	gather_all();
	assert_int_equal(nr_wrong, 0);
	support_check(before);
}

static void *allocate_and_leave(void *argument)
{
	for (int i = 0; i < 1000; i++) {
		struct place *place = &table[i];

		place->block = qr_heap_malloc(100);
		place->bytes = 100;
		place->mark = (unsigned char)((uintptr_t)i + (uintptr_t)argument);
		memset(place->block, place->mark, 100);
	}
	return NULL;
}

/* Short-lived threads do not add up. */
static void memory_of_dead_threads_is_taken_over(void **state)
{
	size_t before = support_blocks();
	size_t mapped = 0;

	(void)state;
	for (int round = 0; round < 300; round++) {
		run_threads(allocate_and_leave, 1);
		clear_table();
		if (round == 10)
			mapped = support_mapped();
	}
	assert_int_equal(support_mapped(), mapped);
	gather_all();
	assert_int_equal(nr_wrong, 0);
	support_check(before);
}

static void *take_many(void *argument)
{
	void **list = argument;

	for (int i = 0; i < NR_SLOTS; i++)
		list[i] = qr_heap_malloc(64);
	return NULL;
}

/* A thread that lives takes over from one that is gone. */
static void the_living_take_from_the_dead(void **state)
{
	static void *list[NR_SLOTS], *mine[NR_SLOTS];
	size_t before = support_blocks();
	size_t mapped;
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, take_many, list);
	pthread_join(thread, NULL);
	for (int i = 0; i < NR_SLOTS; i++)
		qr_heap_free(list[i]);
	mapped = support_mapped();
	take_many(mine);
	assert_int_equal(support_mapped(), mapped);
	for (int i = 0; i < NR_SLOTS; i++)
		qr_heap_free(mine[i]);
	gather_all();
	support_check(before);
}

static pthread_key_t late_key;

/* A destructor that runs after the heap's own still allocates and frees. */
static void use_heap_late(void *block)
{
	void *more = qr_heap_malloc(50);

	memset(more, 1, 50);
	qr_heap_free(block);
	qr_heap_free(more);
	qr_heap_free(qr_heap_malloc(200000));
}

static void *leave_late(void *argument)
{
	(void)argument;
	pthread_setspecific(late_key, qr_heap_malloc(30));
	return NULL;
}

static void destructors_may_allocate(void **state)
{
	size_t before = support_blocks();

	(void)state;
	assert_int_equal(pthread_key_create(&late_key, use_heap_late), 0);
	for (int round = 0; round < 50; round++)
		run_threads(leave_late, NR_THREADS);
	gather_all();
	qr_late_lock();
	qr_cache_flush(&qr_cache_late);
	qr_late_unlock();
	assert_int_equal(pthread_key_delete(late_key), 0);
	support_check(before);
}

static _Atomic bool stop;

static void *churn_until_stopped(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	struct place mine[64] = {{.block = NULL}};

	while (!stop)
		renew(&mine[support_random(&seed) % 64], &seed);
	for (int i = 0; i < 64; i++)
		qr_heap_free(mine[i].block);
	return NULL;
}

/* In the child only the calling thread exists, whatever the others were doing. */
static int use_heap_in_child(uint64_t seed)
{
	struct place mine[64] = {{.block = NULL}};

	for (int i = 0; i < 2000; i++) {
		struct place *place = &mine[support_random(&seed) % 64];

		check(place);
		renew(place, &seed);
	}
	return nr_wrong != 0;
}

static void fork_at_any_moment(void **state)
{
	pthread_t thread[2];

	(void)state;
	pthread_atfork(qr_heap_fork_prepare, qr_heap_fork_parent, qr_heap_fork_child);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, churn_until_stopped, (void *)(i + 5));
	for (uint64_t i = 1; i <= 100; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			_exit(use_heap_in_child(i));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	gather_all();
	assert_null(qr_heap_validate());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_never_overlap),
		cmocka_unit_test(memory_of_dead_threads_is_taken_over),
		cmocka_unit_test(the_living_take_from_the_dead),
		cmocka_unit_test(destructors_may_allocate),
		cmocka_unit_test(fork_at_any_moment),
	};
	const char *seed = getenv("QUIRE_SEED");

	if (seed != NULL)
		first_seed = strtoull(seed, NULL, 10);
	printf("QUIRE_SEED=%llu\n", (unsigned long long)first_seed);
	for (int i = 0; i < NR_SLOTS; i++)
		pthread_mutex_init(&table[i].lock, NULL);
	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
