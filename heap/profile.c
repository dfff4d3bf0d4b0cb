/* SPDX-License-Identifier: MIT */
/* profile.c - samples: taken, weighed, and forgotten when their block is freed. */
#include "heap/profile.h"

#include "heap/map.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#define ARENA_BYTES   ((size_t)256 << 10)
#define STACK_BUCKETS 4096u
#define FIRST_BUCKETS ((size_t)1024)
/* Frames of the library's own above the program's. */
#define OWN_FRAMES 24

struct sample {
	struct sample *next;
	uintptr_t block;
	struct qr_stack *stack;
	struct qr_weight weight;
};

static pthread_mutex_t profile_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by profile_mutex. */
static struct qr_stack *stacks[STACK_BUCKETS], *every;
static struct sample **buckets, *free_samples;
static size_t nr_buckets, nr_samples;
static uintptr_t arena, arena_end;

/* libunwind's, or the C library's, which has libgcc unwind. */
static int (*unwind)(void **pc, int nr);
/* What is executable of the library that this is part of. */
static uintptr_t own_start, own_end;

void qr_profile_lock(void)
{
	pthread_mutex_lock(&profile_mutex);
}

void qr_profile_unlock(void)
{
	pthread_mutex_unlock(&profile_mutex);
}

struct qr_stack *qr_profile_stacks(void)
{
	return every;
}

static int find_self(struct dl_phdr_info *info, size_t size, void *self)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0 ||
		    (uintptr_t)self - start >= part->p_memsz)
			continue;
		own_start = start;
		own_end = start + part->p_memsz;
		return 1;
	}
	return 0;
}

/* libunwind remembers how each place unwinds, which is several times as fast. */
static void choose_unwinder(void)
{
	static const char *const names[] = {"libunwind.so.8", "libunwind.so.1"};
	void *pc[2];

	for (size_t i = 0; i < 2 && unwind == NULL; i++) {
		void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		void *function = library != NULL ? dlsym(library, "unw_backtrace") : NULL;

		memcpy(&unwind, &function, sizeof(unwind));
	}
	if (unwind == NULL)
		unwind = backtrace;
	/* Whatever it has to load it loads now. */
	(void)unwind(pc, 2);
}

void qr_profile_start(void)
{
	/* Leaks are of interest one by one, unless a rate was asked for. */
	if (qr_heap_conf.profile_rate == 0)
		qr_heap_conf.profile_rate = qr_heap_conf.profile ? QR_PROFILE_RATE : 1;
	(void)dl_iterate_phdr(find_self, (void *)(uintptr_t)find_self);
	choose_unwinder();
	qr_profile_begin();
}

/* Memory that is never given back. */
static void *take(size_t bytes)
{
	void *block;

	bytes = (bytes + 15) & ~(size_t)15;
	if (bytes > arena_end - arena) {
		block = qr_heap_pages_host.map(NULL, ARENA_BYTES, QR_PAGE_BYTES);
		if (block == NULL)
			return NULL;
		arena = (uintptr_t)block;
		arena_end = arena + ARENA_BYTES;
	}
	block = (void *)arena;
	arena += bytes;
	return block;
}

static struct sample **bucket_of(uintptr_t block)
{
	/* Knuth 6.4: the golden ratio spreads what differs in any bits. */
	uint64_t hash = (uint64_t)block * 0x9e3779b97f4a7c15u;

	return &buckets[(hash >> 20) & (nr_buckets - 1)];
}

/* Twice as many buckets; as before without memory. */
static void grow_buckets(void)
{
	const struct qr_heap_pages *pages = &qr_heap_pages_host;
	size_t old = nr_buckets, want = old != 0 ? old * 2 : FIRST_BUCKETS;
	struct sample **from = buckets;
	void *to = pages->map(NULL, want * sizeof(*buckets), QR_PAGE_BYTES);

	if (to == NULL)
		return;
	buckets = to;
	nr_buckets = want;
	for (size_t i = 0; i < old; i++) {
		while (from[i] != NULL) {
			struct sample *sample = from[i];
			struct sample **bucket = bucket_of(sample->block);

			from[i] = sample->next;
			sample->next = *bucket;
			*bucket = sample;
		}
	}
	if (old != 0)
		pages->unmap(NULL, from, old * sizeof(*from));
}

static struct sample *new_sample(void)
{
	struct sample *sample = free_samples;

	if (nr_samples >= nr_buckets)
		grow_buckets();
	if (nr_buckets == 0)
		return NULL;
	if (sample == NULL)
		return take(sizeof(*sample));
	free_samples = sample->next;
	return sample;
}

static struct qr_stack *stack_of(void *const *pc, uint32_t nr)
{
	uint64_t hash = nr;
	struct qr_stack *stack;

	for (uint32_t i = 0; i < nr; i++)
		hash = (hash ^ (uintptr_t)pc[i]) * 0x9e3779b97f4a7c15u;
	hash ^= hash >> 32;
	for (stack = stacks[hash % STACK_BUCKETS]; stack != NULL; stack = stack->next) {
		if (stack->hash == hash && stack->nr == nr &&
		    stack->pc[0] + 1 == (uintptr_t)pc[0])
			return stack;
	}
	stack = take(sizeof(*stack) + nr * sizeof(stack->pc[0]));
	if (stack == NULL)
		return NULL;
	*stack = (struct qr_stack){.hash = hash, .nr = nr};
	for (uint32_t i = 0; i < nr; i++)
		stack->pc[i] = (uintptr_t)pc[i] - 1;
	stack->next = stacks[hash % STACK_BUCKETS];
	stacks[hash % STACK_BUCKETS] = stack;
	stack->linked = every;
	every = stack;
	return stack;
}

/* What a block of so many bytes stands for when it is a sample. */
static struct qr_weight weight_of(size_t bytes)
{
	double size = bytes != 0 ? (double)bytes : 1;
	double rate = (double)qr_heap_conf.profile_rate;
	double p = rate > 1 ? 1 - qr_profile_decay(size / rate) : 1;

	return (struct qr_weight){
		.blocks_1024 = (uint64_t)(1024 / p + 0.5),
		.bytes = (uint64_t)((double)bytes / p + 0.5),
	};
}

static void add_weight(struct qr_weight *sum, struct qr_weight weight)
{
	sum->blocks_1024 += weight.blocks_1024;
	sum->bytes += weight.bytes;
}

static bool add_sample(const void *block, size_t bytes, void *const *pc, uint32_t nr)
{
	struct qr_weight weight = weight_of(bytes);
	struct qr_stack *stack = stack_of(pc, nr);
	struct sample *sample = stack != NULL ? new_sample() : NULL;
	struct sample **bucket;

	if (sample == NULL)
		return false;
	add_weight(&stack->allocated, weight);
	add_weight(&stack->live, weight);
	bucket = bucket_of((uintptr_t)block);
	*sample = (struct sample){
		.next = *bucket,
		.block = (uintptr_t)block,
		.stack = stack,
		.weight = weight,
	};
	*bucket = sample;
	nr_samples++;
	return true;
}

void qr_profile_forget(const void *block)
{
	struct sample **at, *sample;

	qr_profile_lock();
	at = bucket_of((uintptr_t)block);
	while (*at != NULL && (*at)->block != (uintptr_t)block)
		at = &(*at)->next;
	sample = *at;
	if (sample == NULL)
		qr_report_broken("a marked block is not in the profile", block);
	*at = sample->next;
	sample->stack->live.blocks_1024 -= sample->weight.blocks_1024;
	sample->stack->live.bytes -= sample->weight.bytes;
	sample->next = free_samples;
	free_samples = sample;
	nr_samples--;
	qr_profile_unlock();
}

/* Bytes until the next sample. */
static int64_t next_gap(struct qr_lane *lane)
{
	/* In (0, 1]. */
	double u = (double)((qr_lane_random(lane) >> 11) + 1) / 9007199254740992.0;
	size_t rate = qr_heap_conf.profile_rate;

	return rate > 1 ? (int64_t)(-qr_profile_log(u) * (double)rate) : 0;
}

/* Leaves out the library's own frames, unless there are no others. */
static bool sample(const void *block, size_t bytes)
{
	void *pc[OWN_FRAMES + QR_STACK_DEPTH];
	int nr = unwind(pc, OWN_FRAMES + QR_STACK_DEPTH), first = 0;
	bool done;

	while (first < nr && (uintptr_t)pc[first] - own_start < own_end - own_start)
		first++;
	if (first == nr)
		first = 0;
	nr -= first;
	if (nr > QR_STACK_DEPTH)
		nr = QR_STACK_DEPTH;
	if (nr <= 0)
		return false;
	qr_profile_lock();
	done = add_sample(block, bytes, pc + first, (uint32_t)nr);
	qr_profile_unlock();
	return done;
}

/* Whether the block became a sample. */
static bool count_down(struct qr_lane *lane, void *block, size_t bytes)
{
	bool first = lane->random == 0, done;

	/* At rate 1 also a block of no bytes is one. */
	if (lane->busy)
		return false;
	lane->countdown = next_gap(lane) - (qr_heap_conf.profile_rate == 1);
	/* A thread's first countdown begins with its first block. */
	if (first && qr_heap_conf.profile_rate > 1) {
		lane->countdown -= (int64_t)bytes;
		if (lane->countdown >= 0)
			return false;
		lane->countdown = next_gap(lane);
	}
	if (block == NULL)
		return false;
	lane->busy = true;
	done = sample(block, bytes);
	qr_profile_answer();
	lane->busy = false;
	return done;
}

void qr_profile_small(void *block, size_t bytes)
{
	struct qr_span *span;
	uint32_t slot;

	if (!count_down(&qr_lane, block, bytes))
		return;
	span = qr_map_get((uintptr_t)block);
	slot = (uint32_t)(((uintptr_t)block - span->start) / span->slot_bytes);
	atomic_store_explicit(&span->slot[slot], QR_SLOT_MARKED, memory_order_relaxed);
}

static void count_large(struct qr_span *span, void *block, size_t bytes)
{
	struct qr_lane *lane = &qr_lane;

	lane->countdown -= (int64_t)bytes;
	if (lane->countdown < 0)
		span->marked = count_down(lane, block, bytes);
}

void qr_profile_large(struct qr_span *span, size_t bytes)
{
	count_large(span, (void *)qr_large_block(span), bytes);
}

void qr_profile_resized(struct qr_span *span, const void *old, void *block, size_t bytes)
{
	if (span->marked)
		qr_profile_forget(old);
	span->marked = false;
	count_large(span, block, bytes);
}
