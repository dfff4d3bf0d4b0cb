/* SPDX-License-Identifier: MIT */
/* testport.c - the ops of testport.h. */
#include "tests/core/testport.h"

#include "core/base/assert.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a frame reads as once its bytes are not wanted: anything. */
#define DISCARDED 0xa5

static jmp_buf *escape;
static char last_words[256];

static __attribute__((noreturn)) void die(const char *where, const char *why)
{
	(void)snprintf(last_words, sizeof(last_words), "%s: %s", where, why);
	if (escape != NULL)
		longjmp(*escape, 1);
	fprintf(stderr, "%s: %s\n", where, why);
	abort();
}

void qr_assert_failed(const char *where, const char *condition)
{
	die(where, condition);
}

static __attribute__((noreturn)) void panic(void *ctx, const char *why)
{
	(void)ctx;
	die("panic", why);
}

bool testport_dies(void (*action)(void *arg), void *arg)
{
	jmp_buf here;
	bool died = true;

	escape = &here;
	if (setjmp(here) == 0) {
		action(arg);
		died = false;
	}
	escape = NULL;
	return died;
}

const char *testport_last_words(void)
{
	return last_words;
}

static void discard(void *ctx, const quire_pfn *pfns, uint32_t nr)
{
	struct testport *tp = ctx;

	QUIRE_ASSERT(nr >= 1 && nr <= QUIRE_RUNS_MAX);
	for (uint32_t i = 0; i < nr; i++)
		memset(tp->port.direct + ((size_t)pfns[i].n << QUIRE_PAGE_SHIFT),
		       DISCARDED, QUIRE_PAGE_BYTES);
	tp->nr_discarded += nr;
}

static enum quire_status swap_open(void *ctx, uint32_t area, uint64_t *nr_extents)
{
	struct testport *tp = ctx;
	enum quire_status status;

	if (tp->during_open != NULL)
		tp->during_open(tp->during_arg);
	pthread_mutex_lock(&tp->mutex);
	QUIRE_ASSERT(area < TESTPORT_AREAS && !tp->areas[area].is_open);
	QUIRE_ASSERT(area == 0 || tp->areas[area - 1].is_open);
	tp->nr_opens++;
	status = tp->open_status;
	if (status == QUIRE_OK) {
		tp->areas[area].is_open = true;
		*nr_extents = tp->nr_extents;
	}
	pthread_mutex_unlock(&tp->mutex);
	return status;
}

static bool write_fails(struct testport *tp)
{
	tp->nr_writes++;
	return tp->fail_write_at != 0 && tp->nr_writes >= tp->fail_write_at &&
	       tp->nr_writes - tp->fail_write_at < tp->fail_writes;
}

static void extent_write(struct testport *tp, uint32_t area, uint64_t extent,
			 const quire_pfn *pfns, uint32_t nr)
{
	unsigned char **bytes = &tp->areas[area].extents[extent];

	if (*bytes == NULL)
		*bytes = calloc(1, QUIRE_EXTENT_BYTES);
	QUIRE_ASSERT(*bytes != NULL);
	for (uint32_t i = 0; i < nr; i++)
		memcpy(*bytes + i * QUIRE_PAGE_BYTES,
		       tp->port.direct + ((size_t)pfns[i].n << QUIRE_PAGE_SHIFT),
		       QUIRE_PAGE_BYTES);
}

static void extents_write(struct testport *tp, uint32_t area, uint64_t extent,
			  const quire_pfn *pfns, uint32_t nr)
{
	for (; nr > QUIRE_EXTENT_FRAMES; nr -= QUIRE_EXTENT_FRAMES) {
		extent_write(tp, area, extent++, pfns, QUIRE_EXTENT_FRAMES);
		pfns += QUIRE_EXTENT_FRAMES;
	}
	extent_write(tp, area, extent, pfns, nr);
}

static enum quire_status swap_write(void *ctx, uint32_t area, uint64_t extent,
				    const quire_pfn *pfns, uint32_t nr)
{
	struct testport *tp = ctx;
	enum quire_status status = QUIRE_OK;
	uint64_t last;

	pthread_mutex_lock(&tp->mutex);
	QUIRE_ASSERT(area < TESTPORT_AREAS && tp->areas[area].is_open);
	QUIRE_ASSERT(nr >= 1 && nr <= QUIRE_TRANSFER_FRAMES);
	last = extent + (nr - 1) / QUIRE_EXTENT_FRAMES;
	QUIRE_ASSERT(last < tp->nr_extents && last < TESTPORT_EXTENTS);
	if (write_fails(tp))
		status = tp->fail_status;
	else
		extents_write(tp, area, extent, pfns, nr);
	pthread_mutex_unlock(&tp->mutex);
	if (tp->during_write != NULL)
		tp->during_write(tp->during_arg);
	return status;
}

static enum quire_status swap_read(void *ctx, uint32_t area, uint64_t byte, void *buf,
				   size_t bytes)
{
	struct testport *tp = ctx;
	uint64_t extent = byte >> QUIRE_EXTENT_SHIFT;
	size_t within = byte & (QUIRE_EXTENT_BYTES - 1);
	const unsigned char *from;

	QUIRE_ASSERT(within + bytes <= QUIRE_EXTENT_BYTES);
	pthread_mutex_lock(&tp->mutex);
	QUIRE_ASSERT(area < TESTPORT_AREAS && extent < TESTPORT_EXTENTS);
	from = tp->areas[area].extents[extent];
	if (from != NULL)
		memcpy(buf, from + within, bytes);
	pthread_mutex_unlock(&tp->mutex);
	return from != NULL ? QUIRE_OK : QUIRE_IO;
}

static bool swap_sole(void *ctx, uint32_t area)
{
	struct testport *tp = ctx;

	tp->nr_sole++;
	return !tp->areas[area].is_shared;
}

static uint64_t clock_now(void *ctx)
{
	struct testport *tp = ctx;

	return ++tp->now;
}

/* Spurious returns are allowed, and waits are short. */
static void wait_for(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	if (*word == value)
		sched_yield();
}

static void notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	(void)word;
	(void)nr;
}

static const struct quire_port ops = {
	.version = QUIRE_PORT_VERSION,
	.discard = discard,
	.swap_open = swap_open,
	.swap_write = swap_write,
	.swap_read = swap_read,
	.swap_sole = swap_sole,
	.clock = clock_now,
	.wait = wait_for,
	.notify = notify,
	.panic = panic,
};

struct testport *testport_new(uint32_t nr_frames, uint32_t caps)
{
	struct testport *tp = calloc(1, sizeof(*tp));
	size_t bytes = (size_t)nr_frames << QUIRE_PAGE_SHIFT;

	QUIRE_ASSERT(tp != NULL);
	memcpy(&tp->port, &ops, sizeof(ops));
	tp->port.ctx = tp;
	tp->port.caps = caps;
	tp->port.nr_frames = nr_frames;
	tp->port.direct = aligned_alloc(QUIRE_PAGE_BYTES, bytes);
	QUIRE_ASSERT(tp->port.direct != NULL);
	memset(tp->port.direct, 0, bytes);
	tp->nr_extents = TESTPORT_EXTENTS;
	tp->fail_status = QUIRE_IO;
	tp->fail_writes = 1;
	pthread_mutex_init(&tp->mutex, NULL);
	return tp;
}

void testport_delete(struct testport *tp)
{
	for (uint32_t area = 0; area < TESTPORT_AREAS; area++)
		for (uint32_t extent = 0; extent < TESTPORT_EXTENTS; extent++)
			free(tp->areas[area].extents[extent]);
	pthread_mutex_destroy(&tp->mutex);
	free(tp->port.direct);
	free(tp);
}

uint64_t testport_seed(void)
{
	const char *text = getenv("QUIRE_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 1;

	printf("QUIRE_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}
