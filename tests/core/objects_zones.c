/* SPDX-License-Identifier: MIT */
/* objects_zones.c - objects over two zones of one machine, with each buddy system. */
#include "core/base/lock.h"
#include "quire/objects.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 2048u
#define NR_DMA	  512u
#define NR_HELD	  200u

struct stage {
	struct testport *tp;
	struct quire_zone dma, normal;
	struct quire_objects *objects;
	uint32_t free_at_start[2];
	struct {
		unsigned char *object;
		size_t bytes;
		bool is_dma;
	} held[NR_HELD];
};

static void open_zone(struct stage *s, struct quire_zone *zone, uint32_t base,
		      uint32_t end, uint32_t nr_meta, const struct quire_buddy_ops *ops)
{
	const struct quire_zone_config config = {
		.port = &s->tp->port,
		.frames = (struct quire_frame *)(void *)s->tp->port.direct,
		.base = base,
		.nr_frames = end - base,
		.buddy = {.ops = ops, .most = 1u << QUIRE_ORDER_MAX, .lag = 2},
	};

	qr_zone_open(zone, &config);
	if (nr_meta > 0)
		qr_zone_set(zone, base, base + nr_meta, QUIRE_FRAME_META);
	qr_zone_add(zone, base + nr_meta, end);
}

static void stage_open(struct stage *s, const struct quire_buddy_ops *ops)
{
	struct quire_objects_config config = {
		.zone = &s->normal, .dma_zone = &s->dma, .nr_cpus = 1};

	memset(s, 0, sizeof(*s));
	s->tp = testport_new(NR_FRAMES, 0);
	open_zone(s, &s->dma, 0, NR_DMA, qr_zone_table_frames(NR_FRAMES), ops);
	open_zone(s, &s->normal, NR_DMA, NR_FRAMES, 0, ops);
	s->free_at_start[0] = qr_zone_free_frames(&s->dma);
	s->free_at_start[1] = qr_zone_free_frames(&s->normal);
	assert_int_equal(quire_objects_open(&s->objects, &config), QUIRE_OK);
}

static void stage_validate(struct stage *s)
{
	assert_null(quire_objects_validate(s->objects));
	assert_null(qr_zone_validate(&s->dma));
	assert_null(qr_zone_validate(&s->normal));
}

static void stage_close(struct stage *s)
{
	stage_validate(s);
	assert_int_equal(quire_objects_close(s->objects, NULL, NULL), 0);
	assert_int_equal(qr_zone_free_frames(&s->dma), s->free_at_start[0]);
	assert_int_equal(qr_zone_free_frames(&s->normal), s->free_at_start[1]);
	testport_delete(s->tp);
}

static void take(struct stage *s, uint32_t i, uint64_t r)
{
	bool is_dma = r % 3 == 0;
	size_t bytes = 1 + (r >> 8) % ((size_t)16 << r % 12);
	unsigned char *object =
		quire_kmalloc(s->objects, 0, bytes, is_dma ? QUIRE_GFP_DMA : 0);
	ptrdiff_t frame;

	if (object == NULL)
		return;
	frame = (object - s->tp->port.direct) / (ptrdiff_t)QUIRE_PAGE_BYTES;
	assert_true(is_dma ? frame < (ptrdiff_t)NR_DMA : frame >= (ptrdiff_t)NR_DMA);
	assert_true(quire_ksize(s->objects, object) >= bytes);
	memset(object, (int)i + 1, bytes);
	s->held[i].object = object;
	s->held[i].bytes = bytes;
}

static void give(struct stage *s, uint32_t i)
{
	for (size_t k = 0; k < s->held[i].bytes; k++)
		assert_int_equal(s->held[i].object[k], (unsigned char)(i + 1));
	quire_kfree(s->objects, 0, s->held[i].object);
	s->held[i].object = NULL;
	s->held[i].bytes = 0;
}

static void each_zone_keeps_to_itself(void **state)
{
	static const struct quire_buddy_ops *const kinds[] = {
		&qr_buddy_binary, &qr_buddy_fibonacci, &qr_buddy_weighted,
		&qr_buddy_tertiary};
	uint64_t seed = testport_seed();
	static struct stage s;

	(void)state;
	for (uint32_t kind = 0; kind < 4; kind++) {
		struct quire_kmem_cache_args args = {
			.name = "three frames", .size = 2048, .slab_bytes = 12288};
		struct quire_kmem_cache *cache;
		void *objects[20];

		stage_open(&s, kinds[kind]);
		assert_int_equal(quire_kmem_cache_create(s.objects, &args, &cache),
				 QUIRE_OK);
		assert_true(quire_kmem_cache_alloc_bulk(cache, 0, 0, 20, objects));
		for (uint32_t step = 0; step < 3000; step++) {
			uint64_t r = testport_random(&seed);
			uint32_t i = (uint32_t)(r >> 40) % NR_HELD;

			if (s.held[i].object == NULL)
				take(&s, i, r);
			else
				give(&s, i);
			if (step % 100 == 0)
				stage_validate(&s);
		}
		for (uint32_t i = 0; i < NR_HELD; i++)
			give(&s, i);
		quire_kmem_cache_free_bulk(cache, 0, 20, objects);
		assert_int_equal(quire_kmem_cache_destroy(cache, NULL, NULL), 0);
		stage_close(&s);
	}
}

static void count(void *ctx, const struct quire_kmem_leak *leak)
{
	(void)leak;
	++*(uint32_t *)ctx;
}

static void close_finds_leaks_in_both(void **state)
{
	static struct stage s;
	uint32_t nr = 0;

	(void)state;
	stage_open(&s, &qr_buddy_tertiary);
	assert_non_null(quire_kmalloc(s.objects, 0, 20000, 0));
	assert_non_null(quire_kmalloc(s.objects, 0, 20000, QUIRE_GFP_DMA));
	assert_non_null(quire_kmalloc(s.objects, 0, 20, QUIRE_GFP_DMA));
	stage_validate(&s);
	assert_int_equal(quire_objects_close(s.objects, count, &nr), 3);
	assert_int_equal(nr, 3);
	assert_int_equal(qr_zone_free_frames(&s.dma), s.free_at_start[0]);
	assert_int_equal(qr_zone_free_frames(&s.normal), s.free_at_start[1]);
	assert_null(qr_zone_validate(&s.dma));
	assert_null(qr_zone_validate(&s.normal));
	testport_delete(s.tp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_zone_keeps_to_itself),
		cmocka_unit_test(close_finds_leaks_in_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
