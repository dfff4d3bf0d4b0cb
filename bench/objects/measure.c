/* SPDX-License-Identifier: MIT */
/* measure.c - the clock, the table of sizes, and threads that start together. */
#include "bench/objects/bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 16

const char *const bench_names[BENCH_PATTERNS] = {
	"pair 64", "bulk 64", "pair mixed", "random 64", "random mixed",
};

/* Processor time of the thread: what else runs on the machine then counts less. */
double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each octave as often, any size within it. */
const uint16_t *bench_sizes(enum bench_pattern pattern)
{
	static uint16_t tables[2][BENCH_SIZES];
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	bool is_random = pattern == BENCH_MIXED_RANDOM;
	uint16_t *table = tables[is_random];
	uint32_t nr_octaves = is_random ? 7 : 10;
	uint64_t state = 42;

	pthread_mutex_lock(&mutex);
	for (uint32_t i = 0; table[BENCH_SIZES - 1] == 0 && i < BENCH_SIZES; i++) {
		uint64_t r = bench_random(&state);
		uint32_t octave = (uint32_t)(r >> 32) % nr_octaves;

		table[i] = (uint16_t)((8u << octave) + (uint32_t)r % (8u << octave) + 1);
	}
	pthread_mutex_unlock(&mutex);
	return table;
}

struct task {
	bench_run *run;
	enum bench_pattern pattern;
	struct bench_side *side;
	pthread_barrier_t *barrier;
	double seconds, ns;
};

/* Turns for about so many seconds, found by a short run. */
static uint64_t calibrate(const struct task *task)
{
	uint64_t nr = 1u << 16;
	double ns = task->run(task->pattern, task->side, nr);

	return (uint64_t)((double)nr * task->seconds * 1e9 / (ns + 1)) | BENCH_BULK;
}

static void *work(void *arg)
{
	struct task *task = arg;
	uint64_t nr = calibrate(task);

	pthread_barrier_wait(task->barrier);
	task->ns = task->run(task->pattern, task->side, nr) / (double)nr;
	return NULL;
}

double bench_measure(bench_run *run, enum bench_pattern pattern, struct bench_side *sides,
		     uint32_t nr_threads, double seconds)
{
	pthread_t threads[THREADS_MAX];
	struct task tasks[THREADS_MAX];
	pthread_barrier_t barrier;
	double sum = 0;

	pthread_barrier_init(&barrier, NULL, nr_threads);
	for (uint32_t i = 0; i < nr_threads; i++) {
		tasks[i] = (struct task){run, pattern, &sides[i], &barrier, seconds, 0};
		if (i > 0 && pthread_create(&threads[i], NULL, work, &tasks[i]) != 0)
			abort();
	}
	work(&tasks[0]);
	sum = tasks[0].ns;
	for (uint32_t i = 1; i < nr_threads; i++) {
		pthread_join(threads[i], NULL);
		sum += tasks[i].ns;
	}
	pthread_barrier_destroy(&barrier);
	return sum / nr_threads;
}
