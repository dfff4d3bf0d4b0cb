/* SPDX-License-Identifier: MIT */
/* main.c - nanoseconds of taking and freeing frames.
 *
 *     build/bench/frames [--json] [--quick] [PART...]
 *
 * Parts are list, locked, churn, threads, sizes, systems; all by default.
 * Each row is measured several times; the least is what the code takes, the median what it
 * takes on a machine that does other things too.  Targets are for the least: what else
 * the machine does is not the code's.  "Locked" is a zone behind its lock without CPUs'
 * lists. */
#include "bench/frames/ground.h"

#include "core/base/lock.h"
#include "core/frames/zone.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB	   (1ull << 20)
#define GIB	   (1ull << 30)
#define ROUNDS_MAX 25
#define ROWS_MAX   48

struct row {
	const char *what, *of;
	double ns[ROUNDS_MAX];
	double target; /* ns; 0: none.  Below 0: so many times the row before */
	int nr;
};

static struct row rows[ROWS_MAX];
static int nr_rows;
static int rounds = 15;

/* Of this thread: what others do on a CPU meanwhile is not counted. */
static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The row of that name; a new one where there is none. */
static struct row *row(const char *what, const char *of, double target)
{
	for (int i = 0; i < nr_rows; i++)
		if (strcmp(rows[i].what, what) == 0 && strcmp(rows[i].of, of) == 0)
			return &rows[i];
	if (nr_rows == ROWS_MAX)
		abort();
	rows[nr_rows] = (struct row){.what = what, .of = of, .target = target};
	return &rows[nr_rows++];
}

static void note(const char *what, const char *of, double target, double ns)
{
	struct row *r = row(what, of, target);

	if (r->nr < ROUNDS_MAX)
		r->ns[r->nr++] = ns;
}

/* Xorshift; Marsaglia 2003. */
static uint64_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void need(bool is_there)
{
	if (!is_there) {
		fprintf(stderr, "frames: a frame was not to be had\n");
		exit(1);
	}
}

static quire_pfn *pfns_new(uint32_t nr)
{
	quire_pfn *pfns = calloc(nr, sizeof(*pfns));

	need(pfns != NULL);
	memset(pfns, 1, nr * sizeof(*pfns));
	return pfns;
}

static void shuffle(quire_pfn *pfns, uint32_t nr, uint64_t *seed)
{
	for (uint32_t i = nr; i > 1; i--) {
		uint32_t k = (uint32_t)(random_word(seed) % i);
		quire_pfn other = pfns[k];

		pfns[k] = pfns[i - 1];
		pfns[i - 1] = other;
	}
}

static void take_all(struct quire_frames *f, uint32_t cpu, quire_pfn *pfns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		need(quire_frames_alloc(f, cpu, QUIRE_FRAME_MAPPED, 0, 0, &pfns[i]));
}

static void free_all(struct quire_frames *f, uint32_t cpu, const quire_pfn *pfns,
		     uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		quire_frames_free(f, cpu, pfns[i], 0);
}

/* A zone's worth through the list, refills and all. */
static void bench_list(void)
{
	const uint32_t nr = 100000;
	struct ground ground = {0};
	struct quire_frames *f;
	quire_pfn *pfns = pfns_new(nr);
	uint64_t seed = 1;

	ground_open(&ground, GIB);
	f = ground_frames(&ground, 1, QUIRE_BUDDY_BINARY);
	for (int i = 0; i < rounds; i++) {
		double start = now_ns();

		take_all(f, 0, pfns, nr);
		note("CPU's list", "alloc", 5, (now_ns() - start) / nr);
		start = now_ns();
		free_all(f, 0, pfns, nr);
		note("CPU's list", "free in order", 8, (now_ns() - start) / nr);
		take_all(f, 0, pfns, nr);
		shuffle(pfns, nr, &seed);
		start = now_ns();
		free_all(f, 0, pfns, nr);
		note("CPU's list", "free at random", 0, (now_ns() - start) / nr);
	}
	ground_close(&ground);
	free(pfns);
}

/* So many pairs of a random free and an alloc, with nr frames taken. */
static double churn(struct quire_frames *f, uint32_t cpu, quire_pfn *pfns, uint32_t nr,
		    uint32_t pairs, uint64_t *seed)
{
	double start = now_ns();

	for (uint32_t i = 0; i < pairs; i++) {
		quire_pfn *pfn = &pfns[random_word(seed) % nr];

		quire_frames_free(f, cpu, *pfn, 0);
		need(quire_frames_alloc(f, cpu, QUIRE_FRAME_MAPPED, 0, 0, pfn));
	}
	return (now_ns() - start) / pairs;
}

/* The frames of all the machine taken, and a random share of them given back. */
static void fill(struct quire_frames *f, quire_pfn *pfns, uint32_t nr_all, uint32_t nr,
		 uint64_t *seed)
{
	take_all(f, 0, pfns, nr_all);
	shuffle(pfns, nr_all, seed);
	free_all(f, 0, pfns + nr, nr_all - nr);
	quire_frames_drain(f, 0);
}

static void bench_churn(void)
{
	static const struct {
		const char *of;
		uint32_t tenths;
		double target;
	} fills[] = {{"half full", 5, 30}, {"90 % full", 9, -2}};
	struct ground ground = {0};
	struct quire_frames *f;
	uint32_t nr = (uint32_t)(GIB >> QUIRE_PAGE_SHIFT) / 100 * 98;
	quire_pfn *pfns = pfns_new(nr);
	uint64_t seed = 1;

	ground_open(&ground, GIB);
	f = ground_frames(&ground, 1, QUIRE_BUDDY_BINARY);
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 2; k++) {
			uint32_t used = nr / 10 * fills[k].tenths;

			fill(f, pfns, nr, used, &seed);
			note("random free + alloc", fills[k].of, fills[k].target,
			     churn(f, 0, pfns, used, 100000, &seed));
			free_all(f, 0, pfns, used);
			quire_frames_drain(f, 0);
		}
	}
	ground_close(&ground);
	free(pfns);
}

/* A zone behind a lock: what a call costs that no list serves. */
struct locked {
	struct ground ground;
	struct quire_lock lock;
	struct quire_stats stats;
	struct quire_zone zone;
};

static void locked_open(struct locked *l, uint64_t bytes, bool on_large_pages)
{
	memset(l, 0, sizeof(*l));
	ground_open(&l->ground, bytes);
	if (on_large_pages)
		ground_use_large_pages(&l->ground);
	qr_lock_init(&l->lock, &l->ground.port);
	qr_zone_init(&l->zone, &l->ground.port, &l->stats,
		     qr_zone_table_frames(l->ground.port.nr_frames));
	l->zone.stats = NULL;
}

static quire_pfn locked_take(struct locked *l, uint32_t order)
{
	quire_pfn pfn;

	qr_lock(&l->lock);
	need(qr_zone_alloc_block(&l->zone, QUIRE_FRAME_MAPPED, order, 0, &pfn));
	qr_unlock(&l->lock);
	return pfn;
}

static void locked_free(struct locked *l, quire_pfn pfn, uint32_t order)
{
	qr_lock(&l->lock);
	qr_zone_free_block(&l->zone, pfn, order);
	qr_unlock(&l->lock);
}

static void bench_locked_order(struct locked *l, uint32_t order, quire_pfn *pfns,
			       uint32_t nr, const char *const names[4],
			       const double targets[4])
{
	uint64_t seed = 1;
	double start = now_ns(), taken, pair;

	for (uint32_t i = 0; i < nr; i++)
		pfns[i] = locked_take(l, order);
	taken = (now_ns() - start) / nr;
	note("locked", names[0], targets[0], taken);
	start = now_ns();
	for (uint32_t i = 0; i < nr; i++)
		locked_free(l, pfns[i], order);
	note("locked", names[1], targets[1], (now_ns() - start) / nr);
	pair = taken + (now_ns() - start) / nr;
	note("locked", names[2], targets[2], pair);

	for (uint32_t i = 0; i < nr; i++)
		pfns[i] = locked_take(l, order);
	shuffle(pfns, nr, &seed);
	for (uint32_t i = nr / 2; i < nr; i++)
		locked_free(l, pfns[i], order);
	start = now_ns();
	for (uint32_t i = 0; i < nr; i++) {
		quire_pfn *pfn = &pfns[random_word(&seed) % (nr / 2)];

		locked_free(l, *pfn, order);
		*pfn = locked_take(l, order);
	}
	note("locked", names[3], targets[3], (now_ns() - start) / nr);
	for (uint32_t i = 0; i < nr / 2; i++)
		locked_free(l, pfns[i], order);
}

static void bench_locked(void)
{
	static const char *const small[] = {"order 0 alloc", "order 0 free",
					    "order 0 pair", "order 0 random, half full"};
	static const char *const huge[] = {"order 9 alloc", "order 9 free",
					   "order 9 pair", "order 9 random, half full"};
	static const char *const huge_on_large[] = {
		"order 9 alloc, large pages", "order 9 free, large pages",
		"order 9 pair, large pages", "order 9 random, large pages"};
	struct locked l;
	quire_pfn *pfns = pfns_new(100000);

	locked_open(&l, GIB, false);
	for (int i = 0; i < rounds; i++)
		bench_locked_order(&l, 0, pfns, 100000, small,
				   (const double[]){0, 0, 46, 0});
	ground_close(&l.ground);
	locked_open(&l, 16 * GIB, false);
	for (int i = 0; i < rounds; i++)
		bench_locked_order(&l, 9, pfns, 8000, huge,
				   (const double[]){0, 0, 55, 0});
	ground_close(&l.ground);
	locked_open(&l, 16 * GIB, true);
	for (int i = 0; i < rounds; i++)
		bench_locked_order(&l, 9, pfns, 8000, huge_on_large,
				   (const double[]){0, 0, 0, 0});
	ground_close(&l.ground);
	free(pfns);
}

struct worker {
	struct quire_frames *f;
	uint32_t cpu;
	quire_pfn *pfns;
	double ns;
	pthread_barrier_t *barrier;
	pthread_t thread;
};

#define WORK_FRAMES 20000u
#define WORK_PAIRS  400000u

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = w->cpu + 1;

	take_all(w->f, w->cpu, w->pfns, WORK_FRAMES);
	pthread_barrier_wait(w->barrier);
	w->ns = churn(w->f, w->cpu, w->pfns, WORK_FRAMES, WORK_PAIRS, &seed);
	pthread_barrier_wait(w->barrier);
	free_all(w->f, w->cpu, w->pfns, WORK_FRAMES);
	quire_frames_drain(w->f, w->cpu);
	return NULL;
}

/* The slower of the threads. */
static double run_threads(struct quire_frames *f, uint32_t nr)
{
	struct worker workers[2];
	pthread_barrier_t barrier;
	double worst = 0;

	pthread_barrier_init(&barrier, NULL, nr);
	for (uint32_t i = 0; i < nr; i++) {
		workers[i] = (struct worker){.f = f,
					     .cpu = i,
					     .pfns = pfns_new(WORK_FRAMES),
					     .barrier = &barrier};
		need(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	for (uint32_t i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		worst = workers[i].ns > worst ? workers[i].ns : worst;
		free(workers[i].pfns);
	}
	pthread_barrier_destroy(&barrier);
	return worst;
}

static void bench_threads(void)
{
	struct ground ground = {0};
	struct quire_frames *f;

	ground_open(&ground, GIB);
	f = ground_frames(&ground, 2, QUIRE_BUDDY_BINARY);
	for (int i = 0; i < rounds; i++) {
		note("random free + alloc", "one thread", 0, run_threads(f, 1));
		note("random free + alloc", "two threads, each", -1.2, run_threads(f, 2));
	}
	ground_close(&ground);
}

static void bench_sizes(void)
{
	static const struct {
		const char *of;
		uint64_t bytes;
	} sizes[] = {{"64 MiB", 64 * MIB},
		     {"1 GiB", GIB},
		     {"16 GiB", 16 * GIB},
		     {"64 GiB", 64 * GIB}};
	quire_pfn *pfns = pfns_new(8000);
	uint64_t seed = 1;

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 4; k++) {
			struct ground ground = {0};
			struct quire_frames *f;
			double start;

			ground_open(&ground, sizes[k].bytes);
			start = now_ns();
			f = ground_frames(&ground, 1, QUIRE_BUDDY_BINARY);
			note("to build, microseconds", sizes[k].of, 0,
			     (now_ns() - start) / 1000);
			take_all(f, 0, pfns, 8000);
			(void)churn(f, 0, pfns, 8000, 20000, &seed);
			note("random free + alloc, 8,000 in use", sizes[k].of, 0,
			     churn(f, 0, pfns, 8000, 100000, &seed));
			ground_close(&ground);
		}
	}
	free(pfns);
}

/* Blocks of 1 to 16 frames, as many of each order, of the four systems. */
static void bench_systems(void)
{
	static const char *const names[] = {"binary", "Fibonacci", "weighted",
					    "tertiary"};
	const uint32_t nr = 20000, pairs = 100000;
	quire_pfn *pfns = pfns_new(nr);

	for (int kind = 0; kind < QUIRE_BUDDY_KINDS; kind++) {
		struct ground ground = {0};
		struct quire_frames *f;
		uint64_t seed = 1;

		ground_open(&ground, GIB);
		f = ground_frames(&ground, 1, (enum quire_buddy_kind)kind);
		for (uint32_t i = 0; i < nr; i++)
			need(quire_frames_alloc(f, 0, QUIRE_FRAME_MAPPED, i % 4 + 1, 0,
						&pfns[i]));
		for (int i = 0; i < rounds; i++) {
			double start = now_ns();

			for (uint32_t k = 0; k < pairs; k++) {
				uint32_t at = (uint32_t)(random_word(&seed) % nr);

				quire_frames_free(f, 0, pfns[at], at % 4 + 1);
				need(quire_frames_alloc(f, 0, QUIRE_FRAME_MAPPED,
							at % 4 + 1, 0, &pfns[at]));
			}
			note("random blocks of 2 to 16 frames", names[kind], 0,
			     (now_ns() - start) / pairs);
		}
		ground_close(&ground);
	}
	free(pfns);
}

/* What the target means in nanoseconds; 0: there is none. */
static double target_ns(int i)
{
	return rows[i].target < 0 ? -rows[i].target * rows[i - 1].ns[0] : rows[i].target;
}

static void print_text(void)
{
	printf("%-34s %-26s %8s %8s %8s\n", "ns", "", "least", "median", "target");
	for (int i = 0; i < nr_rows; i++) {
		const struct row *r = &rows[i];
		double target = target_ns(i);

		printf("%-34s %-26s %8.1f %8.1f", r->what, r->of, r->ns[0],
		       r->ns[r->nr / 2]);
		if (target != 0)
			printf(" %8.1f%s", target, r->ns[0] > target ? "  missed" : "");
		printf("\n");
	}
}

static void print_json(void)
{
	printf("[");
	for (int i = 0; i < nr_rows; i++) {
		const struct row *r = &rows[i];

		printf("%s\n {\"what\": \"%s\", \"of\": \"%s\", \"least\": %.2f, "
		       "\"median\": %.2f, \"target\": %.2f}",
		       i == 0 ? "" : ",", r->what, r->of, r->ns[0], r->ns[r->nr / 2],
		       target_ns(i));
	}
	printf("\n]\n");
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"list", bench_list},	    {"locked", bench_locked}, {"churn", bench_churn},
	{"threads", bench_threads}, {"sizes", bench_sizes},   {"systems", bench_systems},
};
#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

/* The number of the part, or NR_PARTS. */
static size_t part_of(const char *name)
{
	size_t i = 0;

	while (i < NR_PARTS && strcmp(parts[i].name, name) != 0)
		i++;
	return i;
}

int main(int argc, char **argv)
{
	bool json = false, is_all = true, is_wanted[NR_PARTS] = {false};

	for (int i = 1; i < argc; i++) {
		size_t part = part_of(argv[i]);

		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "--quick") == 0) {
			rounds = 3;
		} else if (part < NR_PARTS) {
			is_wanted[part] = true;
			is_all = false;
		} else {
			fprintf(stderr, "usage: frames [--json] [--quick] [PART...]\n");
			return 125;
		}
	}
	for (size_t i = 0; i < NR_PARTS; i++)
		if (is_all || is_wanted[i])
			parts[i].run();
	for (int i = 0; i < nr_rows; i++)
		qsort(rows[i].ns, (size_t)rows[i].nr, sizeof(rows[i].ns[0]), compare);
	if (json)
		print_json();
	else
		print_text();
	return 0;
}
