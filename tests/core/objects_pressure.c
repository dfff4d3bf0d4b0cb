/* SPDX-License-Identifier: MIT */
/* objects_pressure.c - objects and frames of one machine as its upcalls join them: frames
 * run out, and the allocator gives back what it keeps. */
#include "core/frames/frames_impl.h"
#include "quire/objects.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MIB 0x100000ull

struct stage {
	struct testport *tp;
	struct quire_frames *frames;
	struct quire_objects *objects;
	uint32_t nr_pressed;
};

/* What a machine installs: frames -> objects. */
static bool press(void *ctx, uint32_t order)
{
	struct stage *s = ctx;

	(void)order;
	s->nr_pressed++;
	return quire_objects_shrink(s->objects, 0, 0) != 0;
}

static void stage_open(struct stage *s)
{
	const struct quire_ram map[] = {{.base = 0, .bytes = 16 * MIB}};
	struct quire_frames_config frames = {.map = map,
					     .nr_map = 1,
					     .nr_cpus = 1,
					     .dma_end = 4 * MIB,
					     .ctx = s,
					     .pressure = press};
	struct quire_objects_config objects = {.nr_cpus = 1};
	uint32_t bad;

	memset(s, 0, sizeof(*s));
	s->tp = testport_new((uint32_t)(16 * MIB / QUIRE_PAGE_BYTES), 0);
	frames.port = &s->tp->port;
	assert_int_equal(quire_frames_open(&s->frames, &frames, &bad), QUIRE_OK);
	objects.zone = &s->frames->zones[QUIRE_ZONE_NORMAL].zone;
	objects.zone_lock = &s->frames->zones[QUIRE_ZONE_NORMAL].lock;
	objects.dma_zone = &s->frames->zones[QUIRE_ZONE_DMA].zone;
	objects.dma_lock = &s->frames->zones[QUIRE_ZONE_DMA].lock;
	assert_int_equal(quire_objects_open(&s->objects, &objects), QUIRE_OK);
}

static void stage_close(struct stage *s)
{
	assert_null(quire_objects_validate(s->objects));
	assert_int_equal(quire_objects_close(s->objects, NULL, NULL), 0);
	quire_frames_drain(s->frames, 0);
	assert_null(quire_frames_validate(s->frames));
	testport_delete(s->tp);
}

/* Frames that are free, once the CPU's lists are drained. */
static uint32_t nr_free(struct stage *s)
{
	struct quire_zone_info info;
	uint32_t nr = 0;

	quire_frames_drain(s->frames, 0);
	for (uint32_t kind = QUIRE_ZONE_DMA; kind <= QUIRE_ZONE_NORMAL; kind++) {
		assert_true(
			quire_frames_info(s->frames, (enum quire_zone_kind)kind, &info));
		nr += info.free;
	}
	return nr;
}

/* Empty slabs of the caches behind kmalloc. */
static uint64_t nr_empty(struct stage *s)
{
	struct quire_slabinfo info;
	uint64_t nr = 0;

	for (uint32_t i = 1; quire_slabinfo(s->objects, i, &info); i++)
		nr += info.empty;
	return nr;
}

static void frames_press_objects(void **state)
{
	static quire_pfn taken[4096];
	static void *objects[600];
	uint32_t at_start, nr = 0;
	struct stage s;

	(void)state;
	stage_open(&s);
	at_start = nr_free(&s);
	/* Slabs that are in use, and then are kept for speed alone. */
	for (uint32_t i = 0; i < 600; i++) {
		objects[i] =
			quire_kmalloc(s.objects, 0, 2048, i % 4 == 0 ? QUIRE_GFP_DMA : 0);
		assert_non_null(objects[i]);
	}
	for (uint32_t i = 0; i < 600; i++)
		quire_kfree(s.objects, 0, objects[i]);
	assert_true(nr_empty(&s) > 0);
	while (quire_frames_alloc(s.frames, 0, QUIRE_FRAME_TABLE, 0, 0, &taken[nr]))
		nr++;
	assert_true(s.nr_pressed > 0);
	assert_int_equal(nr_empty(&s), 0);
	while (nr > 0)
		quire_frames_free(s.frames, 0, taken[--nr], 0);
	assert_true(nr_free(&s) >= at_start);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_press_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
