/* SPDX-License-Identifier: MIT */
/* threads.c - patterns of several threads. */
#include "bench/heap/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_THREADS 2

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	if (pthread_create(thread, NULL, body, argument) != 0) {
		fprintf(stderr, "heap-bench: no thread\n");
		exit(1);
	}
}

static void run_threads(void *(*body)(void *), int nr)
{
	pthread_t thread[16];

	for (intptr_t i = 0; i < nr; i++)
		start(&thread[i], body, (void *)(i + 1));
	for (int i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
}

/* A server's connections: each generation of threads frees what the last one left.
 * (Larson and Krishnan, ISMM 1998.) */
#define LARSON_BLOCKS 5000

static void *larson_blocks[NR_THREADS][LARSON_BLOCKS];
static atomic_int larson_generations;
static pthread_mutex_t larson_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t larson_done = PTHREAD_COND_INITIALIZER;
static int larson_running;

static void start_detached(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	start(&thread, body, argument);
	pthread_detach(thread);
}

static void larson_end(void)
{
	pthread_mutex_lock(&larson_lock);
	larson_running--;
	pthread_cond_signal(&larson_done);
	pthread_mutex_unlock(&larson_lock);
}

static void *larson_body(void *argument)
{
	void **block = argument;
	uint64_t seed = (uintptr_t)argument;

	for (int i = 0; i < 100000; i++) {
		size_t at = bench_random(&seed) % LARSON_BLOCKS;

		free(block[at]);
		block[at] = bench_alloc(10 + bench_random(&seed) % 490);
	}
	if (atomic_fetch_sub(&larson_generations, 1) > 0)
		start_detached(larson_body, argument);
	else
		larson_end();
	return NULL;
}

static void larson(void)
{
	larson_generations = 100;
	larson_running = NR_THREADS;
	for (int i = 0; i < NR_THREADS; i++)
		start_detached(larson_body, larson_blocks[i]);
	pthread_mutex_lock(&larson_lock);
	while (larson_running != 0)
		pthread_cond_wait(&larson_done, &larson_lock);
	pthread_mutex_unlock(&larson_lock);
	for (int i = 0; i < NR_THREADS; i++) {
		for (int j = 0; j < LARSON_BLOCKS; j++)
			free(larson_blocks[i][j]);
	}
}

/* Batches handed over: who allocates does not free.  (Lever and Boreham's xmalloc.) */
#define BATCH	   1000
#define NR_BATCHES 8000
#define QUEUE	   16

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void **batch[QUEUE];
	int nr;
};

static struct queue queue = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {NULL}, 0};

static void put(void **batch)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.nr == QUEUE)
		pthread_cond_wait(&queue.changed, &queue.lock);
	queue.batch[queue.nr++] = batch;
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
}

static void **get(void)
{
	void **batch;

	pthread_mutex_lock(&queue.lock);
	while (queue.nr == 0)
		pthread_cond_wait(&queue.changed, &queue.lock);
	batch = queue.batch[--queue.nr];
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
	return batch;
}

static void *produce(void *argument)
{
	uint64_t seed = 11;

	(void)argument;
	for (int i = 0; i < NR_BATCHES; i++) {
		void **batch = malloc(BATCH * sizeof(*batch));

		for (int j = 0; j < BATCH; j++)
			batch[j] = bench_alloc(16 + bench_random(&seed) % 240);
		put(batch);
	}
	put(NULL);
	return NULL;
}

static void *consume(void *argument)
{
	void **batch;

	(void)argument;
	while ((batch = get()) != NULL) {
		for (int j = 0; j < BATCH; j++)
			free(batch[j]);
		free(batch);
	}
	return NULL;
}

static void producer_consumer(void)
{
	pthread_t thread[2];

	start(&thread[0], produce, NULL);
	start(&thread[1], consume, NULL);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
}

static void *free_list(void *argument)
{
	for (void **list = argument; *list != NULL; list++)
		free(*list);
	return NULL;
}

/* One thread fills, and only after it, another only frees. */
static void only_frees(void)
{
	enum { NR = 400000, ROUNDS = 8 };
	void **list = malloc((NR + 1) * sizeof(*list));

	for (int round = 0; round < ROUNDS; round++) {
		pthread_t thread;
		uint64_t seed = 17;

		for (int i = 0; i < NR; i++)
			list[i] = bench_alloc(16 + bench_random(&seed) % 200);
		list[NR] = NULL;
		start(&thread, free_list, list);
		pthread_join(thread, NULL);
	}
	free(list);
}

/* Bursts that grow and shrink, in each thread, with some blocks handed around. */
static void *_Atomic handed[1000];

static void *burst_body(void *argument)
{
	uint64_t seed = (uintptr_t)argument * 77;

	for (int round = 0; round < 60; round++) {
		size_t nr = 5000 + bench_random(&seed) % 45000;
		void **block = malloc(nr * sizeof(*block));

		for (size_t i = 0; i < nr; i++) {
			block[i] = bench_alloc(bench_size(&seed) % 2000 + 8);
			if (i % 50 == 0)
				block[i] = atomic_exchange(
					&handed[bench_random(&seed) % 1000], block[i]);
		}
		for (size_t i = 0; i < nr; i++)
			free(block[i]);
		free(block);
	}
	return NULL;
}

static void bursts(void)
{
	run_threads(burst_body, NR_THREADS);
	for (int i = 0; i < 1000; i++)
		free(handed[i]);
}

static void *brief(void *argument)
{
	void *block[50];
	uint64_t seed = (uintptr_t)argument;

	for (int i = 0; i < 50; i++)
		block[i] = bench_alloc(bench_size(&seed));
	for (int i = 0; i < 50; i++)
		free(block[i]);
	return NULL;
}

static void short_lived(void)
{
	for (int i = 0; i < 15000; i++)
		run_threads(brief, NR_THREADS);
}

/* Small blocks of several threads, written over and over: slow where two share a cache
 * line.  (Berger's cache-scratch: the first ones come from one thread.) */
static void *scratch_body(void *argument)
{
	free(argument);
	for (int i = 0; i < 4000; i++) {
		volatile char *block = bench_alloc(8);

		for (int j = 0; j < 20000; j++)
			block[j % 8]++;
		free((void *)block);
	}
	return NULL;
}

static void false_sharing(void)
{
	pthread_t thread[NR_THREADS];
	void *first[NR_THREADS];

	for (int i = 0; i < NR_THREADS; i++)
		first[i] = bench_alloc(8);
	for (int i = 0; i < NR_THREADS; i++)
		start(&thread[i], scratch_body, first[i]);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void *churn_body(void *argument)
{
	enum { LIVE = 3000 };
	static void *table[16][LIVE];
	void **block = table[(uintptr_t)argument];
	uint64_t seed = (uintptr_t)argument;

	for (int i = 0; i < 6000000; i++) {
		size_t at = bench_random(&seed) % LIVE;

		free(block[at]);
		block[at] = bench_alloc(bench_size(&seed));
	}
	for (int i = 0; i < LIVE; i++)
		free(block[i]);
	return NULL;
}

static void churn(void)
{
	run_threads(churn_body, NR_THREADS);
}

const struct bench_pattern bench_threads[] = {
	{"threads-mixed", "two threads, each with 3000 live of mixed sizes", churn},
	{"larson", "generations of threads that free what the last one left", larson},
	{"producer-consumer", "one thread allocates, another frees", producer_consumer},
	{"only-frees", "one thread allocates all, then another only frees", only_frees},
	{"bursts", "two threads that grow and shrink, and hand blocks around", bursts},
	{"short-threads", "30000 threads of 50 blocks each", short_lived},
	{"false-sharing", "small blocks written to by two threads", false_sharing},
	{NULL, NULL, NULL},
};
