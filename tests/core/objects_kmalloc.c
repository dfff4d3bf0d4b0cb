/* SPDX-License-Identifier: MIT */
/* objects_kmalloc.c - what callers of kmalloc rely on, and what happens when memory is
 * short. */
#include "tests/core/objects_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 4096u

static const struct quire_objects_config one_cpu = {.nr_cpus = 1};

static void each_size_is_served(void **state)
{
	static const size_t classes[] = {8,   16,  32,	 64,   96,   128, 192,
					 256, 512, 1024, 2048, 4096, 8192};
	struct objects_rig rig;
	size_t at = 0;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	for (size_t bytes = 1; bytes <= 8192; bytes++) {
		unsigned char *object = quire_kmalloc(rig.objects, 0, bytes, 0);
		size_t align = classes[at] & (~classes[at] + 1);

		if (bytes > classes[at])
			at++;
		align = classes[at] & (~classes[at] + 1);
		assert_non_null(object);
		assert_int_equal(quire_ksize(rig.objects, object), classes[at]);
		assert_int_equal((uintptr_t)object % (align < 4096 ? align : 4096), 0);
		memset(object, 0xa5, bytes);
		quire_kfree(rig.objects, 0, object);
	}
	objects_rig_close(&rig);
}

static void large_blocks_are_contiguous(void **state)
{
	struct objects_rig rig;
	uint32_t slabs;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	slabs = objects_rig_slabs(&rig);
	for (size_t bytes = 8193; bytes <= 4u << 20; bytes = bytes * 3 / 2) {
		unsigned char *block =
			quire_kmalloc(rig.objects, 0, bytes, QUIRE_GFP_ZERO);
		size_t room = quire_ksize(rig.objects, block);

		assert_non_null(block);
		assert_true(room >= bytes && room < 2 * bytes);
		assert_int_equal((uintptr_t)block % QUIRE_PAGE_BYTES, 0);
		for (size_t i = 0; i < room; i++)
			assert_int_equal(block[i], 0);
		memset(block, 0x11, room);
		objects_rig_validate(&rig);
		quire_kfree(rig.objects, 0, block);
		assert_int_equal(objects_rig_slabs(&rig), slabs);
	}
	assert_null(quire_kmalloc(rig.objects, 0, (4u << 20) + 1, 0));
	assert_null(quire_kmalloc(rig.objects, 0, SIZE_MAX, 0));
	objects_rig_close(&rig);
}

static void nothing_is_something(void **state)
{
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_ptr_equal(quire_kmalloc(rig.objects, 0, 0, 0), QUIRE_ZERO_SIZE);
	assert_int_equal(quire_ksize(rig.objects, QUIRE_ZERO_SIZE), 0);
	assert_int_equal(quire_ksize(rig.objects, NULL), 0);
	quire_kfree(rig.objects, 0, QUIRE_ZERO_SIZE);
	quire_kfree(rig.objects, 0, NULL);
	objects_rig_close(&rig);
}

static void kcalloc_looks_for_overflow(void **state)
{
	struct objects_rig rig;
	unsigned char *object;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_null(quire_kcalloc(rig.objects, 0, SIZE_MAX / 2, 3, 0));
	assert_null(quire_kcalloc(rig.objects, 0, (size_t)1 << 33, (size_t)1 << 33, 0));
	for (uint32_t turn = 0; turn < 2; turn++) {
		object = quire_kcalloc(rig.objects, 0, 7, 33, 0);
		for (uint32_t i = 0; i < 7 * 33; i++)
			assert_int_equal(object[i], 0);
		memset(object, 0xff, 7 * 33);
		quire_kfree(rig.objects, 0, object);
	}
	objects_rig_close(&rig);
}

static void krealloc_keeps_the_bytes(void **state)
{
	static const size_t sizes[] = {1,    8,	   9,	 100,	64,    5000,
				       9000, 8192, 8193, 70000, 20000, 3};
	unsigned char *object = NULL;
	struct objects_rig rig;
	size_t had = 0;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t room;

		object = quire_krealloc(rig.objects, 0, object, sizes[i], QUIRE_GFP_ZERO);
		assert_non_null(object);
		room = quire_ksize(rig.objects, object);
		assert_true(room >= sizes[i]);
		for (size_t k = 0; k < room; k++)
			assert_int_equal(object[k], k < had ? k % 251 : 0);
		for (size_t k = 0; k < room; k++)
			object[k] = (unsigned char)(k % 251);
		had = room;
	}
	assert_ptr_equal(quire_krealloc(rig.objects, 0, object, 0, 0), QUIRE_ZERO_SIZE);
	objects_rig_close(&rig);
}

static void dma_memory_is_of_its_zone(void **state)
{
	struct objects_rig rig;
	void *small, *large;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_null(quire_kmalloc(rig.objects, 0, 100, QUIRE_GFP_DMA));
	assert_null(quire_kmalloc(rig.objects, 0, 100000, QUIRE_GFP_DMA));
	objects_rig_close(&rig);

	objects_rig_open(&rig, NR_FRAMES, &one_cpu, true);
	small = quire_kmalloc(rig.objects, 0, 100, QUIRE_GFP_DMA);
	large = quire_kmalloc(rig.objects, 0, 100000, QUIRE_GFP_DMA);
	assert_non_null(small);
	assert_non_null(large);
	assert_int_equal(objects_rig_info(&rig, "dma-kmalloc-128").active_objs, 1);
	objects_rig_validate(&rig);
	quire_kfree(rig.objects, 0, small);
	quire_kfree(rig.objects, 0, large);
	objects_rig_close(&rig);
}

struct leaks {
	uint32_t nr;
	size_t bytes;
};

static void note_leak(void *ctx, const struct quire_kmem_leak *leak)
{
	struct leaks *leaks = ctx;

	leaks->nr++;
	leaks->bytes += leak->bytes;
}

static void close_reports_what_leaked(void **state)
{
	struct leaks leaks = {0};
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_non_null(quire_kmalloc(rig.objects, 0, 30, 0));
	assert_non_null(quire_kmalloc(rig.objects, 0, 3000, 0));
	assert_non_null(quire_kmalloc(rig.objects, 0, 30000, 0));
	assert_int_equal(quire_objects_close(rig.objects, note_leak, &leaks), 3);
	assert_int_equal(leaks.nr, 3);
	assert_int_equal(leaks.bytes, 32 + 4096 + 32768);
	assert_null(qr_zone_validate(&rig.zone));
	assert_int_equal(qr_zone_free_frames(&rig.zone), rig.free_at_start);
	testport_delete(rig.tp);
}

/* A shrinker's own store of objects: a cache of pages, say. */
struct hoard {
	struct objects_rig *rig;
	void *objects[256];
	uint64_t nr, nr_scans, largest_scan;
};

static uint64_t hoard_count(void *ctx)
{
	return ((struct hoard *)ctx)->nr;
}

static uint64_t hoard_scan(void *ctx, uint64_t nr)
{
	struct hoard *hoard = ctx;
	uint64_t freed = 0;

	hoard->nr_scans++;
	if (nr > hoard->largest_scan)
		hoard->largest_scan = nr;
	while (freed < nr && hoard->nr > 0) {
		quire_kfree(hoard->rig->objects, 0, hoard->objects[--hoard->nr]);
		freed++;
	}
	return freed;
}

static void hoard_fill(struct hoard *hoard)
{
	while (hoard->nr < 256) {
		hoard->objects[hoard->nr] =
			quire_kmalloc(hoard->rig->objects, 0, 4096, 0);
		assert_non_null(hoard->objects[hoard->nr]);
		hoard->nr++;
	}
}

/* What Linux's do_shrink_slab asks of 256 objects that cost 2 seeks. */
static void shrinkers_give_their_share(void **state)
{
	struct hoard hoard = {.nr = 0};
	struct quire_shrinker shrinker = {.count = hoard_count,
					  .scan = hoard_scan,
					  .ctx = &hoard,
					  .seeks = 2,
					  .batch = 8};
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	hoard.rig = &rig;
	hoard_fill(&hoard);
	quire_shrinker_register(rig.objects, &shrinker);

	quire_objects_shrink(rig.objects, 0, 12); /* (256 >> 12) * 4 / 2 */
	assert_int_equal(hoard.nr, 256);
	quire_objects_shrink(rig.objects, 0, 7); /* 4, less than a batch: deferred */
	assert_int_equal(hoard.nr, 256);
	quire_objects_shrink(rig.objects, 0, 7); /* 4 and 4: a batch */
	assert_int_equal(hoard.nr, 248);
	quire_objects_shrink(rig.objects, 0, 4); /* 15 * 2: three batches of 8 */
	assert_int_equal(hoard.nr, 224);
	assert_int_equal(hoard.largest_scan, 8);
	quire_objects_shrink(rig.objects, 0, 0);
	assert_int_equal(hoard.nr, 0);
	quire_shrinker_unregister(rig.objects, &shrinker);
	objects_rig_close(&rig);
}

static void short_memory_asks_shrinkers(void **state)
{
	struct hoard hoard = {.nr = 0};
	struct quire_shrinker shrinker = {
		.count = hoard_count, .scan = hoard_scan, .ctx = &hoard, .seeks = 2};
	struct objects_rig rig;
	void *objects[256];
	uint32_t nr = 0;

	(void)state;
	objects_rig_open(&rig, 400, &one_cpu, false);
	hoard.rig = &rig;
	hoard_fill(&hoard);
	quire_shrinker_register(rig.objects, &shrinker);
	while (nr < 256) {
		objects[nr] = quire_kmalloc(rig.objects, 0, 4096, 0);
		if (objects[nr] == NULL)
			break;
		nr++;
	}
	assert_int_equal(nr, 256);
	assert_true(hoard.nr < 128);
	objects_rig_validate(&rig);
	while (nr > 0)
		quire_kfree(rig.objects, 0, objects[--nr]);
	quire_shrinker_unregister(rig.objects, &shrinker);
	while (hoard.nr > 0)
		quire_kfree(rig.objects, 0, hoard.objects[--hoard.nr]);
	objects_rig_close(&rig);
}

struct presser {
	struct objects_rig *rig;
	void *spare;
	uint32_t nr_asked, nr_frames;
};

static bool press(void *ctx, uint32_t cpu, uint32_t nr_frames)
{
	struct presser *presser = ctx;
	void *spare = presser->spare;

	assert_int_equal(cpu, 0);
	presser->nr_asked++;
	presser->nr_frames = nr_frames;
	presser->spare = NULL;
	if (spare != NULL)
		quire_kfree(presser->rig->objects, 0, spare);
	return spare != NULL;
}

static void short_memory_presses(void **state)
{
	struct objects_rig rig;
	struct presser presser = {.rig = &rig};
	const struct quire_objects_config config = {
		.nr_cpus = 1, .pressure = press, .ctx = &presser};
	void *last = NULL, *block;

	(void)state;
	objects_rig_open(&rig, 300, &config, false);
	presser.spare = quire_kmalloc(rig.objects, 0, 65536, 0);
	/* A chain of blocks of 64 KiB till no more is had but by asking. */
	while ((block = quire_kmalloc(rig.objects, 0, 65536, QUIRE_GFP_ATOMIC)) != NULL) {
		*(void **)block = last;
		last = block;
	}
	assert_int_equal(presser.nr_asked, 0);
	block = quire_kmalloc(rig.objects, 0, 65536, QUIRE_GFP_ATOMIC);
	assert_null(block);
	while (presser.spare != NULL) {
		block = quire_kmalloc(rig.objects, 0, 65536, 0);
		if (block == NULL)
			break;
		*(void **)block = last;
		last = block;
	}
	assert_true(presser.nr_asked > 0);
	assert_int_equal(presser.nr_frames, 16);
	while (last != NULL) {
		block = *(void **)last;
		quire_kfree(rig.objects, 0, last);
		last = block;
	}
	objects_rig_close(&rig);
}

/* ATOMIC may go below the watermark, others not. */
static void atomic_uses_the_reserve(void **state)
{
	struct objects_rig rig;
	void *last = NULL, *block;

	(void)state;
	objects_rig_open(&rig, 300, &one_cpu, false);
	while ((block = quire_kmalloc(rig.objects, 0, 4096, 0)) != NULL) {
		*(void **)block = last;
		last = block;
	}
	assert_true(qr_zone_free_frames(&rig.zone) >= rig.zone.min);
	while ((block = quire_kmalloc(rig.objects, 0, 4096, QUIRE_GFP_ATOMIC)) != NULL) {
		*(void **)block = last;
		last = block;
	}
	assert_true(qr_zone_free_frames(&rig.zone) < rig.zone.min);
	while (last != NULL) {
		block = *(void **)last;
		quire_kfree(rig.objects, 0, last);
		last = block;
	}
	objects_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_size_is_served),
		cmocka_unit_test(large_blocks_are_contiguous),
		cmocka_unit_test(nothing_is_something),
		cmocka_unit_test(kcalloc_looks_for_overflow),
		cmocka_unit_test(krealloc_keeps_the_bytes),
		cmocka_unit_test(dma_memory_is_of_its_zone),
		cmocka_unit_test(close_reports_what_leaked),
		cmocka_unit_test(shrinkers_give_their_share),
		cmocka_unit_test(short_memory_asks_shrinkers),
		cmocka_unit_test(short_memory_presses),
		cmocka_unit_test(atomic_uses_the_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
