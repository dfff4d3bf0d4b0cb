/* SPDX-License-Identifier: MIT */
/* bench.h - what the two programs share: time, and the best of some turns. */
#ifndef QUIRE_BENCH_VM_BENCH_H
#define QUIRE_BENCH_VM_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define BENCH_TURNS 25

/* Of the thread alone: what else runs on the host takes no part. */
static inline double bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The least and the median ns of one of nr operations, over BENCH_TURNS calls of run. */
struct bench_result {
	double least, median;
};

static inline struct bench_result bench_measure(double (*run)(void *ctx), void *ctx)
{
	double ns[BENCH_TURNS];

	for (int i = 0; i < BENCH_TURNS; i++) {
		double one = run(ctx);
		int at = i;

		for (; at > 0 && ns[at - 1] > one; at--)
			ns[at] = ns[at - 1];
		ns[at] = one;
	}
	return (struct bench_result){ns[0], ns[BENCH_TURNS / 2]};
}

static inline void bench_print(const char *name, struct bench_result r)
{
	static int nr;

	printf("%s\n  \"%s\": {\"least\": %.2f, \"median\": %.2f}", nr++ == 0 ? "{" : ",",
	       name, r.least, r.median);
}

static inline void bench_end(void)
{
	printf("\n}\n");
}

#endif
