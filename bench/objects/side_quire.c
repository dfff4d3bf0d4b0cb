/* SPDX-License-Identifier: MIT */
/* side_quire.c - a zone in sparse memory of the host, and an allocator over it. */
#include "bench/objects/bench.h"

#include "core/base/assert.h"
#include "core/base/lock.h"
#include "core/frames/zone.h"
#include "quire/objects.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct machine {
	struct quire_port port;
	struct quire_stats stats;
	struct quire_zone zone;
	struct quire_lock zone_lock;
	struct quire_objects *objects;
	uint32_t nr_cpus;
	struct bench_side sides[];
};

void qr_assert_failed(const char *where, const char *condition)
{
	fprintf(stderr, "%s: %s\n", where, condition);
	abort();
}

static __attribute__((noreturn)) void panic(void *ctx, const char *why)
{
	(void)ctx;
	fprintf(stderr, "%s\n", why);
	abort();
}

static void wait_for(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

static void *fixed_alloc(struct bench_side *side)
{
	return quire_kmem_cache_alloc(side->cache, side->cpu, 0);
}

static void fixed_free(struct bench_side *side, void *object)
{
	quire_kmem_cache_free(side->cache, side->cpu, object);
}

static void bulk_alloc(struct bench_side *side, void **out)
{
	if (!quire_kmem_cache_alloc_bulk(side->cache, side->cpu, 0, BENCH_BULK, out))
		abort();
}

static void bulk_free(struct bench_side *side, void **objects)
{
	quire_kmem_cache_free_bulk(side->cache, side->cpu, BENCH_BULK, objects);
}

static void *alloc(struct bench_side *side, size_t bytes)
{
	return quire_kmalloc(side->objects, side->cpu, bytes, 0);
}

static void give(struct bench_side *side, void *object)
{
	quire_kfree(side->objects, side->cpu, object);
}

double bench_run_quire(enum bench_pattern pattern, struct bench_side *side, uint64_t nr)
{
	static const struct bench_calls calls = {
		.fixed_alloc = fixed_alloc,
		.fixed_free = fixed_free,
		.bulk_alloc = bulk_alloc,
		.bulk_free = bulk_free,
		.alloc = alloc,
		.give = give,
	};

	return bench_pattern_run(&calls, pattern, side, nr);
}

static void open_allocator(struct machine *m)
{
	struct quire_objects_config config = {
		.zone = &m->zone,
		.zone_lock = &m->zone_lock,
		.nr_cpus = m->nr_cpus,
	};
	struct quire_kmem_cache_args args = {
		.name = "bench", .size = 64, .align = 64, .flags = QUIRE_SLAB_NO_MERGE};
	struct quire_kmem_cache *cache;

	if (quire_objects_open(&m->objects, &config) != QUIRE_OK ||
	    quire_kmem_cache_create(m->objects, &args, &cache) != QUIRE_OK)
		abort();
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		m->sides[i] =
			(struct bench_side){.objects = m->objects,
					    .cache = cache,
					    .cpu = i,
					    .live = calloc(BENCH_LIVE, sizeof(void *))};
		if (m->sides[i].live == NULL)
			abort();
	}
}

struct bench_side *bench_quire_open(uint64_t bytes, uint32_t nr_cpus)
{
	struct machine *m = calloc(1, sizeof(*m) + nr_cpus * sizeof(m->sides[0]));

	if (m == NULL)
		abort();
	m->nr_cpus = nr_cpus;
	m->port.version = QUIRE_PORT_VERSION;
	m->port.wait = wait_for;
	m->port.notify = notify;
	m->port.panic = panic;
	m->port.nr_frames = (uint32_t)(bytes >> QUIRE_PAGE_SHIFT);
	m->port.direct = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->port.direct == MAP_FAILED)
		abort();
	qr_zone_init(&m->zone, &m->port, &m->stats,
		     qr_zone_table_frames(m->port.nr_frames));
	qr_lock_init(&m->zone_lock, &m->port);
	open_allocator(m);
	return m->sides;
}

void bench_quire_close(struct bench_side *sides)
{
	struct machine *m = (struct machine *)(void *)((unsigned char *)sides -
						       offsetof(struct machine, sides));

	if (quire_objects_close(m->objects, NULL, NULL) != 0)
		abort();
	for (uint32_t i = 0; i < m->nr_cpus; i++)
		free(m->sides[i].live);
	munmap(m->port.direct, (size_t)m->port.nr_frames << QUIRE_PAGE_SHIFT);
	free(m);
}
