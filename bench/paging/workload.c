/* SPDX-License-Identifier: MIT */
/* workload.c - touches pages in a known pattern, and counts how many a second.
 *
 * Model.  The *data* is one private anonymous mapping, all of it filled first.  Then each
 * thread runs two *phases* over it, the warm-up and the measured one; a phase ends after
 * a time or after a count of accesses.  A read touches one word, drawn at random, of the
 * page that the pattern names, and compares it with what it must be.  A write adds one to
 * the page's header.  At the end every word of every page is compared.
 *
 * How a lost write is seen.  Each write is also counted in a *tally* apart from the data,
 * after the header.  With T threads a header that is read between two looks at its tally,
 * low and then high, lies in [low, high + T - 1], since each of the others may have
 * counted in the header alone so far.  At the end the two are equal.
 *
 * Cost.  The tally is 2 bytes a page, in a shared mapping: the pager under test does not
 * manage it, and a cgroup charges 0.05 % of the data for it.
 */
#include "bench/paging/options.h"
#include "bench/paging/page_data.h"
#include "bench/paging/selfcheck.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum phase { WARMUP, MEASURED, NR_PHASES };

struct data {
	_Atomic uint64_t *words;
	_Atomic uint16_t *tally;
	uint64_t nr_pages;
};

struct bench {
	struct bench_options options;
	struct data data;
	pthread_barrier_t phase_edge;
	atomic_bool stop;
	uint64_t write_below; /* of 2^32: a draw below it is a write */
};

struct worker {
	struct bench *bench;
	struct bench_sampler sampler;
	pthread_t thread;
	uint64_t nr_accesses[NR_PHASES];
	double seconds[NR_PHASES];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "paging-workload: %s\n", what);
	exit(1);
}

static _Noreturn void fail_bytes(uint64_t page, unsigned int word, uint64_t seen,
				 uint64_t expected)
{
	fprintf(stderr,
		"paging-workload: wrong bytes: page %llu word %u is %#llx, not %#llx\n",
		(unsigned long long)page, word, (unsigned long long)seen,
		(unsigned long long)expected);
	/* Other threads still run: no handler of theirs may hide this. */
	_Exit(1);
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *map_memory(uint64_t bytes, int flags)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("cannot map memory");
	return memory;
}

static void data_init(struct data *data, uint64_t bytes)
{
	uint64_t tally_bytes = bytes / BENCH_PAGE_BYTES * sizeof(*data->tally);

	data->nr_pages = bytes / BENCH_PAGE_BYTES;
	data->words = map_memory(bytes, MAP_PRIVATE);
	data->tally = map_memory(tally_bytes, MAP_SHARED);
	/* A kernel built without huge pages refuses the advice, and needs none. */
	(void)madvise((void *)data->words, bytes, MADV_NOHUGEPAGE);
	memset((void *)data->tally, 0, tally_bytes);
	for (uint64_t page = 0; page < data->nr_pages; page++)
		qr_page_fill(&data->words[page * BENCH_PAGE_WORDS], page);
}

static void data_read(const struct data *data, uint64_t page, unsigned int word)
{
	uint64_t seen = atomic_load_explicit(&data->words[page * BENCH_PAGE_WORDS + word],
					     memory_order_relaxed);
	uint64_t expected = qr_page_word(page, word);

	if (seen != expected)
		fail_bytes(page, word, seen, expected);
}

static void data_write(const struct data *data, uint64_t page, unsigned int nr_threads)
{
	_Atomic uint64_t *header = &data->words[page * BENCH_PAGE_WORDS];
	uint16_t low = atomic_load(&data->tally[page]);
	uint64_t seen = atomic_fetch_add(header, BENCH_ONE_WRITE);
	uint16_t high = atomic_load(&data->tally[page]);
	uint64_t expected = qr_page_word(page, 0) + low * BENCH_ONE_WRITE;
	uint64_t ahead = (seen - expected) >> BENCH_WRITE_SHIFT;

	if ((seen ^ expected) << 16 != 0 ||
	    ahead > (uint16_t)(high - low) + (uint64_t)nr_threads - 1)
		fail_bytes(page, 0, seen, expected);
	atomic_fetch_add(&data->tally[page], 1);
}

/* What all words add up to, once each was found to be right. */
static uint64_t data_verify(const struct data *data)
{
	uint64_t sum = 0;

	for (uint64_t page = 0; page < data->nr_pages; page++) {
		const _Atomic uint64_t *words = &data->words[page * BENCH_PAGE_WORDS];
		uint16_t tally = atomic_load(&data->tally[page]);
		unsigned int word = qr_page_verify(words, page, tally, &sum);

		if (word != BENCH_PAGE_WORDS)
			fail_bytes(page, word, atomic_load(&words[word]),
				   qr_page_word(page, word) +
					   (word == 0 ? tally * BENCH_ONE_WRITE : 0));
	}
	return sum;
}

static void access_once(struct worker *worker)
{
	const struct bench *bench = worker->bench;
	uint64_t page = qr_sampler_next(&worker->sampler);
	uint64_t draw = qr_sampler_random(&worker->sampler);
	unsigned int word = 1 + (unsigned int)((draw >> 32) % (BENCH_PAGE_WORDS - 1));

	if ((uint32_t)draw < bench->write_below)
		data_write(&bench->data, page, bench->options.nr_threads);
	else
		data_read(&bench->data, page, word);
}

static const struct bench_length *phase_length(const struct bench *bench,
					       enum phase phase)
{
	return phase == WARMUP ? &bench->options.warmup : &bench->options.measured;
}

static void worker_run_phase(struct worker *worker, enum phase phase)
{
	struct bench *bench = worker->bench;
	const struct bench_length *length = phase_length(bench, phase);
	uint64_t limit = length->seconds > 0.0 ? UINT64_MAX : length->accesses;
	double start = now_seconds();
	uint64_t n = 0;

	while (n < limit && !atomic_load_explicit(&bench->stop, memory_order_relaxed)) {
		access_once(worker);
		n++;
	}
	worker->seconds[phase] = now_seconds() - start;
	worker->nr_accesses[phase] = n;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (int phase = 0; phase < NR_PHASES; phase++) {
		pthread_barrier_wait(&worker->bench->phase_edge);
		worker_run_phase(worker, (enum phase)phase);
		pthread_barrier_wait(&worker->bench->phase_edge);
	}
	return NULL;
}

static void sleep_seconds(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds};

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static void run_phase(struct bench *bench, enum phase phase)
{
	const struct bench_length *length = phase_length(bench, phase);

	atomic_store(&bench->stop, false);
	pthread_barrier_wait(&bench->phase_edge);
	if (length->seconds > 0.0) {
		sleep_seconds(length->seconds);
		atomic_store(&bench->stop, true);
	}
	pthread_barrier_wait(&bench->phase_edge);
}

static void workers_init(struct worker *workers, struct bench *bench)
{
	const struct bench_options *options = &bench->options;
	uint64_t nr_pages = bench->data.nr_pages;

	for (unsigned int i = 0; i < options->nr_threads; i++) {
		workers[i].bench = bench;
		qr_sampler_init(&workers[i].sampler, options->pattern, nr_pages,
				nr_pages * i / options->nr_threads, options->seed + i);
	}
}

static void workers_run(struct worker *workers, struct bench *bench)
{
	unsigned int nr = bench->options.nr_threads;

	if (pthread_barrier_init(&bench->phase_edge, NULL, nr + 1) != 0)
		fail("cannot make a barrier");
	for (unsigned int i = 0; i < nr; i++)
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
			fail("cannot start a thread");
	run_phase(bench, WARMUP);
	run_phase(bench, MEASURED);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&bench->phase_edge);
}

/* What an access costs before it touches a page: the floor below all figures. */
static double sample_ns(struct bench_sampler sampler)
{
	enum { NR_SAMPLES = 200000 };
	volatile uint64_t sink = 0;
	double start = now_seconds();

	for (int i = 0; i < NR_SAMPLES; i++)
		sink = qr_sampler_next(&sampler) ^ qr_sampler_random(&sampler);
	(void)sink;
	return (now_seconds() - start) * 1e9 / NR_SAMPLES;
}

/* KiB of the process in huge pages, or -1 where the host does not tell. */
static long huge_kib(void)
{
	FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	if (rollup == NULL)
		return -1;
	while (fgets(line, sizeof(line), rollup) != NULL)
		if (sscanf(line, "AnonHugePages: %ld", &kib) == 1)
			break;
	fclose(rollup);
	return kib;
}

static double worker_rate(const struct worker *worker)
{
	return (double)worker->nr_accesses[MEASURED] / worker->seconds[MEASURED];
}

static void print_rates(const struct worker *workers, unsigned int nr)
{
	double total = 0.0;

	for (unsigned int i = 0; i < nr; i++)
		total += worker_rate(&workers[i]);
	printf("\"accesses_per_s\": %.0f, \"per_thread\": [", total);
	for (unsigned int i = 0; i < nr; i++)
		printf("%s%.0f", i == 0 ? "" : ", ", worker_rate(&workers[i]));
	printf("], ");
}

static void print_result(const struct bench *bench, const struct worker *workers,
			 const struct rusage *measured, double floor_ns, long huge,
			 uint64_t checksum)
{
	const struct bench_options *options = &bench->options;

	printf("{\"pattern\": \"%s\", \"threads\": %u, \"write\": %.2f, \"bytes\": %llu, ",
	       qr_pattern_name(options->pattern), options->nr_threads,
	       options->write_fraction, (unsigned long long)options->bytes);
	print_rates(workers, options->nr_threads);
	printf("\"seconds\": %.3f, \"sample_ns\": %.1f, \"huge_kib\": %ld, ",
	       workers[0].seconds[MEASURED], floor_ns, huge);
	printf("\"minor_faults\": %ld, \"major_faults\": %ld, \"peak_rss_kib\": %ld, ",
	       measured->ru_minflt, measured->ru_majflt, measured->ru_maxrss);
	printf("\"checksum\": \"%016llx\"}\n", (unsigned long long)checksum);
}

static int run(struct bench *bench)
{
	static struct worker workers[BENCH_MAX_THREADS];
	struct rusage usage;

	data_init(&bench->data, bench->options.bytes);
	bench->write_below = (uint64_t)(bench->options.write_fraction * 0x1p32);
	workers_init(workers, bench);
	double floor_ns = sample_ns(workers[0].sampler);

	workers_run(workers, bench);
	getrusage(RUSAGE_SELF, &usage);
	long huge = huge_kib();
	uint64_t checksum = data_verify(&bench->data);

	print_result(bench, workers, &usage, floor_ns, huge, checksum);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct bench bench;

	qr_options_parse(&bench.options, argc, argv);
	if (bench.options.self_check)
		return qr_selfcheck_run(&bench.options);
	return run(&bench);
}
