/* SPDX-License-Identifier: MIT */
/* kernel.c - frames, objects and vmalloc of one kernel: whoever runs short, the others
 * give back what they keep for speed alone. */
#include "quire/kernel.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB	  0x100000ull
#define NR_FRAMES (uint32_t)(16 * MIB / QUIRE_PAGE_BYTES)
#define NR_CPUS	  4u

struct stage {
	struct testport *tp;
	struct quire_kernel *kernel;
	struct quire_frames *frames;
	struct quire_objects *objects;
	quire_pfn taken[NR_FRAMES];
	uint32_t nr_taken, nr_moved;
	_Atomic uint32_t nr_wakes, nr_pressed;
	bool may_move;
};

static void on_wake(void *ctx)
{
	((struct stage *)ctx)->nr_wakes++;
}

static bool on_pressure(void *ctx, uint32_t cpu, uint32_t order)
{
	struct stage *s = ctx;

	assert_true(cpu < NR_CPUS && order <= 10);
	s->nr_pressed++;
	return false;
}

static bool on_move(void *ctx, quire_pfn from, quire_pfn to)
{
	struct stage *s = ctx;

	for (uint32_t i = 0; s->may_move && i < s->nr_taken; i++)
		if (s->taken[i].n == from.n) {
			s->taken[i] = to;
			s->nr_moved++;
			return true;
		}
	return false;
}

static void no_release(void *ctx, const struct quire_run *runs, uint32_t nr,
		       uint32_t flags, uint64_t *results)
{
	(void)ctx;
	(void)runs;
	(void)nr;
	(void)flags;
	(void)results;
}

static struct stage *stage_open(uint64_t dma_end)
{
	const struct quire_ram map = {.base = 0, .bytes = 16 * MIB};
	struct stage *s = calloc(1, sizeof(*s));
	struct quire_kernel_config config = {
		.frames = {.map = &map,
			   .nr_map = 1,
			   .nr_cpus = NR_CPUS,
			   .dma_end = dma_end,
			   .ctx = s,
			   .wake = on_wake,
			   .pressure = on_pressure,
			   .move = on_move},
		.window = {{1ull << 40}, {(1ull << 40) + 64 * MIB}},
	};
	uint32_t bad;

	assert_non_null(s);
	s->tp = testport_new(NR_FRAMES, 0);
	s->tp->port.release = no_release;
	config.frames.port = &s->tp->port;
	assert_int_equal(quire_kernel_open(&s->kernel, &config, &bad), QUIRE_OK);
	s->frames = quire_kernel_frames(s->kernel);
	s->objects = quire_kernel_objects(s->kernel);
	return s;
}

static void validate(struct stage *s)
{
	const char *wrong = quire_kernel_validate(s->kernel);

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

static bool take(struct stage *s, enum quire_frame_use use, uint32_t flags)
{
	if (!quire_frames_alloc(s->frames, 0, use, 0, flags, &s->taken[s->nr_taken]))
		return false;
	s->nr_taken++;
	return true;
}

static void give_all(struct stage *s)
{
	while (s->nr_taken > 0)
		quire_frames_free(s->frames, 0, s->taken[--s->nr_taken], 0);
}

/* All frames are free at the end but those that describe the machine. */
static void stage_close(struct stage *s)
{
	struct quire_zone_info info;

	give_all(s);
	validate(s);
	assert_int_equal(quire_kernel_close(s->kernel, NULL, NULL), QUIRE_OK);
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++)
		quire_frames_drain(s->frames, cpu);
	assert_null(quire_frames_validate(s->frames));
	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++)
		if (quire_frames_info(s->frames, (enum quire_zone_kind)kind, &info))
			assert_int_equal(info.free, info.managed);
	testport_delete(s->tp);
	free(s);
}

/* Of both zones; what is on lists is not free. */
static uint32_t nr_free(struct stage *s, enum quire_zone_kind kind)
{
	struct quire_zone_info info;

	return quire_frames_info(s->frames, kind, &info) ? info.free : 0;
}

static bool is_above_high(struct stage *s)
{
	struct quire_zone_info info;

	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++)
		if (quire_frames_info(s->frames, (enum quire_zone_kind)kind, &info) &&
		    info.free <= info.high)
			return false;
	return true;
}

/* Frames that are slabs'. */
static uint32_t nr_slab(struct stage *s)
{
	struct quire_zone_info info;
	uint32_t nr = 0;

	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++)
		if (quire_frames_info(s->frames, (enum quire_zone_kind)kind, &info))
			nr += info.uses[QUIRE_FRAME_SLAB];
	return nr;
}

/* Objects of all sizes come and go: afterwards caches keep slabs, and magazines objects. */
static void warm_caches(struct stage *s, uint32_t cpu)
{
	static void *objects[600];

	for (uint32_t i = 0; i < 600; i++) {
		objects[i] = quire_kmalloc(s->objects, cpu, 8u << i % 11,
					   i % 4 == 0 ? QUIRE_GFP_DMA : 0);
		assert_non_null(objects[i]);
	}
	for (uint32_t i = 0; i < 600; i++)
		quire_kfree(s->objects, cpu, objects[i]);
}

static uint32_t take_all(struct stage *s)
{
	while (take(s, QUIRE_FRAME_TABLE, 0))
		;
	return s->nr_taken;
}

/* With warm caches as many frames can be had as with cold ones. */
static void caches_give_frames_back(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	uint32_t nr_cold = take_all(s), slab_cold = nr_slab(s);

	(void)state;
	assert_true(s->nr_pressed > 0);
	give_all(s);
	warm_caches(s, 0);
	assert_true(nr_slab(s) > slab_cold + 20);
	assert_int_equal(take_all(s), nr_cold);
	assert_int_equal(nr_slab(s), slab_cold);
	stage_close(s);
}

/* Another CPU's magazines are its own: it gives them back when it comes by, a free or two
 * magazines later. */
static void other_cpus_give_back_in_turn(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	uint32_t slab_cold = nr_slab(s), kept;

	(void)state;
	warm_caches(s, 1);
	(void)take_all(s);
	kept = nr_slab(s);
	assert_true(kept > slab_cold);
	quire_objects_drain(s->objects, 1);
	(void)take_all(s);
	assert_true(nr_slab(s) < kept);
	stage_close(s);
}

struct hoard {
	struct quire_objects *objects;
	void *held[400];
	uint32_t nr;
};

static uint64_t hoard_count(void *ctx)
{
	return ((const struct hoard *)ctx)->nr;
}

static uint64_t hoard_scan(void *ctx, uint64_t nr)
{
	struct hoard *hoard = ctx;
	uint64_t freed = 0;

	for (; freed < nr && hoard->nr > 0; freed++)
		quire_kfree(hoard->objects, 0, hoard->held[--hoard->nr]);
	return freed != 0 ? freed : QUIRE_SHRINK_STOP;
}

/* Below min an allocation of frames calls on shrinkers, and succeeds. */
static void shrinkers_serve_frames(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	struct hoard hoard = {.objects = s->objects};
	struct quire_shrinker shrinker = {
		.count = hoard_count, .scan = hoard_scan, .ctx = &hoard, .seeks = 2};
	uint32_t nr_all = take_all(s);

	(void)state;
	give_all(s);
	for (; hoard.nr < 400; hoard.nr++) {
		hoard.held[hoard.nr] = quire_kmalloc(s->objects, 0, 4096, 0);
		assert_non_null(hoard.held[hoard.nr]);
	}
	quire_shrinker_register(s->objects, &shrinker);
	assert_int_equal(take_all(s), nr_all);
	assert_int_equal(hoard.nr, 0);
	quire_shrinker_unregister(s->objects, &shrinker);
	stage_close(s);
}

/* Frames that idle on a CPU's list serve an object, when there are no others. */
static void lists_serve_objects(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	void *object;
	uint32_t nr;

	(void)state;
	while (take(s, QUIRE_FRAME_TABLE, QUIRE_ALLOC_RESERVE))
		;
	for (nr = 0; nr < 50; nr++)
		quire_frames_free(s->frames, 0, s->taken[--s->nr_taken], 0);
	assert_int_equal(nr_free(s, QUIRE_ZONE_NORMAL), 0);
	object = quire_kmalloc(s->objects, 0, 4096, QUIRE_GFP_ATOMIC);
	assert_null(object); /* which may not ask */
	give_all(s);
	stage_close(s);

	/* All but min and what is on the list. */
	s = stage_open(4 * MIB);
	nr = take_all(s);
	while (s->nr_taken > nr - 60)
		quire_frames_free(s->frames, 0, s->taken[--s->nr_taken], 0);
	assert_true(quire_frames_cached(s->frames, QUIRE_ZONE_NORMAL, 0) +
			    quire_frames_cached(s->frames, QUIRE_ZONE_DMA, 0) >
		    0);
	for (nr = 0; (object = quire_kmalloc(s->objects, 0, 4096, 0)) != NULL; nr++) {
		*(void **)object = s->tp;
		quire_kfree(s->objects, 0, object);
		if (nr == 100)
			break;
	}
	assert_int_equal(nr, 100);
	stage_close(s);
}

/* Every other frame is free: pages move, so that a block of 64 KiB is one. */
static void pages_move_for_objects(void **state)
{
	for (uint32_t may = 0; may < 2; may++) {
		struct stage *s = stage_open(4 * MIB);
		uint32_t nr = 0;
		void *block;

		(void)state;
		while (take(s, QUIRE_FRAME_MAPPED,
			    QUIRE_ALLOC_MOVABLE | QUIRE_ALLOC_RESERVE))
			;
		for (uint32_t i = 0; i < s->nr_taken; i++) {
			if ((s->taken[i].n & 1) != 0)
				quire_frames_free(s->frames, 0, s->taken[i], 0);
			else
				s->taken[nr++] = s->taken[i];
		}
		s->nr_taken = nr;
		quire_frames_drain(s->frames, 0);
		s->may_move = may == 1;
		block = quire_kmalloc(s->objects, 0, 65536, 0);
		assert_int_equal(block != NULL, s->may_move);
		assert_int_equal(s->nr_moved > 0, s->may_move);
		validate(s);
		quire_kfree(s->objects, 0, block);
		stage_close(s);
	}
}

/* Lazy areas hold the frames that are wanted. */
static void lazy_areas_serve_all(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	struct quire_vmalloc *v = quire_kernel_vmalloc(s->kernel);
	uint32_t nr_all = take_all(s);
	quire_vaddr area;
	void *block;

	(void)state;
	give_all(s);
	area = quire_vmalloc(v, 0, 8 * MIB, 0);
	assert_int_not_equal(area.a, 0);
	assert_int_equal(quire_kernel_close(s->kernel, NULL, NULL), QUIRE_BUSY);
	quire_vfree(v, area);
	assert_int_equal(quire_vmalloc_info(v).lazy_pages, 8 * MIB / QUIRE_PAGE_BYTES);
	assert_int_equal(take_all(s), nr_all);
	assert_int_equal(quire_vmalloc_info(v).lazy_pages, 0);
	give_all(s);
	quire_vfree(v, quire_vmalloc(v, 0, 10 * MIB, 0));
	block = quire_kmalloc(s->objects, 0, 4 * MIB, 0);
	assert_non_null(block);
	quire_kfree(s->objects, 0, block);
	stage_close(s);
}

/* Below low somebody is to wake the daemon, which brings free memory above high. */
static void the_daemon_keeps_frames_free(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	struct hoard hoard = {.objects = s->objects};
	struct quire_shrinker shrinker = {
		.count = hoard_count, .scan = hoard_scan, .ctx = &hoard, .seeks = 2};

	(void)state;
	quire_shrinker_register(s->objects, &shrinker);
	for (; hoard.nr < 400; hoard.nr++)
		hoard.held[hoard.nr] = quire_kmalloc(s->objects, 0, 4096, 0);
	assert_int_equal(s->nr_wakes, 0);
	assert_true(quire_kernel_balance(s->kernel, 0));
	assert_int_equal(hoard.nr, 400);
	while (s->nr_wakes == 0)
		assert_true(take(s, QUIRE_FRAME_TABLE, 0));
	assert_int_equal(hoard.nr, 400); /* nobody waited for anything */
	assert_int_equal(s->nr_pressed, 0);
	while (is_above_high(s))
		assert_true(take(s, QUIRE_FRAME_TABLE, 0));
	assert_true(quire_kernel_balance(s->kernel, 0));
	assert_true(is_above_high(s));
	assert_in_range(hoard.nr, 1, 399); /* as much as was needed */
	while (hoard.nr > 0)
		quire_kfree(s->objects, 0, hoard.held[--hoard.nr]);
	quire_shrinker_unregister(s->objects, &shrinker);
	give_all(s);

	/* Who takes objects wakes it too, and who takes large blocks, or areas. */
	for (uint32_t what = 0; what < 3; what++) {
		struct quire_vmalloc *v = quire_kernel_vmalloc(s->kernel);
		void *object = NULL, *last = NULL;
		quire_vaddr area = {0};

		take_all(s);
		for (uint32_t i = 0; i < 80; i++)
			quire_frames_free(s->frames, 0, s->taken[--s->nr_taken], 0);
		quire_frames_drain(s->frames, 0);
		s->nr_wakes = 0;
		for (uint32_t i = 0; i < 80 && s->nr_wakes == 0; i++) {
			if (what == 2) {
				area = quire_vmalloc(v, 0, 1, 0);
				quire_vfree(v, area);
				continue;
			}
			object = quire_kmalloc(s->objects, 0, what == 0 ? 4096 : 8193, 0);
			if (object == NULL)
				break;
			*(void **)object = last;
			last = object;
		}
		assert_true(s->nr_wakes > 0);
		while (last != NULL) {
			object = *(void **)last;
			quire_kfree(s->objects, 0, last);
			last = object;
		}
		give_all(s);
	}
	stage_close(s);
}

/* A machine of 16 MiB may be DMA as a whole. */
static void one_zone_will_do(void **state)
{
	struct stage *s = stage_open(16 * MIB);

	(void)state;
	warm_caches(s, 0);
	(void)take_all(s);
	stage_close(s);
}

static void what_cannot_be_is_refused(void **state)
{
	const struct quire_ram map = {.base = 0, .bytes = 16 * MIB};
	struct testport *tp = testport_new(NR_FRAMES, 0);
	struct quire_kernel_config config = {
		.frames = {.port = &tp->port, .map = &map, .nr_map = 1, .nr_cpus = 65}};
	struct quire_kernel *k;
	uint32_t bad = 7;

	(void)state;
	assert_int_equal(quire_kernel_open(&k, &config, &bad), QUIRE_INVALID);
	assert_int_equal(bad, 1);
	config.frames.nr_cpus = 1;
	config.frames.flags = QUIRE_FRAMES_POISON;
	assert_int_equal(quire_kernel_open(&k, &config, &bad), QUIRE_INVALID);
	config.frames.flags = 0;
	config.window = (struct quire_range){{4096}, {1}};
	assert_int_equal(quire_kernel_open(&k, &config, &bad), QUIRE_INVALID);
	testport_delete(tp);
	tp = testport_new(NR_FRAMES, 0);
	config.frames.port = &tp->port;
	config.window = (struct quire_range){{0}, {0}};
	assert_int_equal(quire_kernel_open(&k, &config, &bad), QUIRE_OK);
	assert_null(quire_kernel_vmalloc(k));
	assert_null(quire_kernel_validate(k));
	assert_int_equal(quire_kernel_close(k, NULL, NULL), QUIRE_OK);
	testport_delete(tp);
}

struct runner {
	struct stage *s;
	uint32_t cpu;
};

/* Takes and frees of everything, more than there is. */
static void *run(void *arg)
{
	const struct runner *runner = arg;
	struct stage *s = runner->s;
	uint64_t seed = runner->cpu;
	quire_pfn frames[600];
	void *objects[200] = {0};
	uint32_t nr = 0;

	for (uint32_t step = 0; step < 6000; step++) {
		uint32_t r = (uint32_t)testport_random(&seed);
		uint32_t i = r % 200;

		if ((r >> 8) % 3 == 0) {
			quire_kfree(s->objects, runner->cpu, objects[i]);
			objects[i] = quire_kmalloc(s->objects, runner->cpu,
						   16u << (r >> 12) % 12, 0);
		} else if ((r >> 8) % 64 == 1 || nr == 600) {
			for (uint32_t k = 0; k < 40 && nr > 0; k++)
				quire_frames_free(s->frames, runner->cpu, frames[--nr],
						  0);
		} else if (quire_frames_alloc(s->frames, runner->cpu, QUIRE_FRAME_TABLE,
					      0, 0, &frames[nr])) {
			nr++;
		}
	}
	while (nr > 0)
		quire_frames_free(s->frames, runner->cpu, frames[--nr], 0);
	for (uint32_t i = 0; i < 200; i++)
		quire_kfree(s->objects, runner->cpu, objects[i]);
	return NULL;
}

static void *run_daemon(void *arg)
{
	const struct runner *runner = arg;

	for (uint32_t i = 0; i < 200; i++)
		(void)quire_kernel_balance(runner->s->kernel, runner->cpu);
	return NULL;
}

static void threads_run_short(void **state)
{
	struct stage *s = stage_open(4 * MIB);
	struct runner runners[NR_CPUS];
	pthread_t threads[NR_CPUS];

	(void)state;
	while (s->nr_taken < NR_FRAMES - 600)
		assert_true(take(s, QUIRE_FRAME_TABLE, 0));
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++) {
		runners[cpu] = (struct runner){s, cpu};
		assert_int_equal(pthread_create(&threads[cpu], NULL,
						cpu == 0 ? run_daemon : run,
						&runners[cpu]),
				 0);
	}
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(pthread_join(threads[cpu], NULL), 0);
	assert_true(s->nr_wakes > 0);
	stage_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caches_give_frames_back),
		cmocka_unit_test(other_cpus_give_back_in_turn),
		cmocka_unit_test(shrinkers_serve_frames),
		cmocka_unit_test(lists_serve_objects),
		cmocka_unit_test(pages_move_for_objects),
		cmocka_unit_test(lazy_areas_serve_all),
		cmocka_unit_test(the_daemon_keeps_frames_free),
		cmocka_unit_test(one_zone_will_do),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(threads_run_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
