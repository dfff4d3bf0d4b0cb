/* SPDX-License-Identifier: MIT */
/* objects_cache.c - what callers of caches rely on. */
#include "tests/core/objects_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 512u

static const struct quire_objects_config one_cpu = {.nr_cpus = 1, .secret = 0x5eed};

static struct quire_kmem_cache *create(struct objects_rig *rig,
				       struct quire_kmem_cache_args args)
{
	struct quire_kmem_cache *cache;

	if (args.name == NULL)
		args.name = "test";
	assert_int_equal(quire_kmem_cache_create(rig->objects, &args, &cache), QUIRE_OK);
	return cache;
}

static void destroy(struct quire_kmem_cache *cache)
{
	assert_int_equal(quire_kmem_cache_destroy(cache, NULL, NULL), 0);
}

static void take(struct quire_kmem_cache *cache, void **out, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		out[i] = quire_kmem_cache_alloc(cache, 0, 0);
		assert_non_null(out[i]);
	}
}

static void give(struct quire_kmem_cache *cache, void **objects, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		quire_kmem_cache_free(cache, 0, objects[i]);
}

/* Silberschatz, Galvin & Gagne, "Operating System Concepts", 10.8.2. */
static void a_12_kib_slab_holds_six_2_kib_objects(void **state)
{
	struct quire_kmem_cache *cache;
	struct quire_slabinfo info;
	struct objects_rig rig;
	void *objects[7];

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	cache = create(&rig,
		       (struct quire_kmem_cache_args){.name = "textbook",
						      .size = 2048,
						      .slab_bytes = 12288,
						      .flags = QUIRE_SLAB_NO_MAGAZINE});
	take(cache, objects, 6);
	info = objects_rig_info(&rig, "textbook");
	assert_int_equal(info.objperslab, 6);
	assert_int_equal(info.num_objs, 6);
	assert_int_equal(info.full, 1);
	assert_int_equal(info.num_slabs, 1);
	for (uint32_t i = 0; i < 6; i++) {
		ptrdiff_t from_first = (char *)objects[i] - (char *)objects[0];

		assert_true(labs(from_first) <= 12288 - 2048 && from_first % 2048 == 0);
	}

	take(cache, &objects[6], 1);
	info = objects_rig_info(&rig, "textbook");
	assert_true(info.full == 1 && info.partial == 1 && info.empty == 0);
	give(cache, objects, 1);
	info = objects_rig_info(&rig, "textbook");
	assert_true(info.full == 0 && info.partial == 2 && info.empty == 0);
	give(cache, objects + 1, 6);
	info = objects_rig_info(&rig, "textbook");
	assert_true(info.full == 0 && info.partial == 0 && info.empty == 2);
	assert_int_equal(info.active_objs, 0);
	destroy(cache);
	objects_rig_close(&rig);
}

static void objects_are_aligned_and_apart(void **state)
{
	static const uint32_t flags[] = {0, QUIRE_SLAB_DEBUG,
					 QUIRE_SLAB_RANDOM | QUIRE_SLAB_ENCODED};

	(void)state;
	for (uint32_t turn = 0; turn < 3 * 96; turn++) {
		uint64_t seed = turn;
		size_t size = 1 + testport_random(&seed) % (turn % 7 == 0 ? 9000 : 300);
		size_t align = turn % 4 == 0 ? 0 : (size_t)1 << turn % 10;
		unsigned char *objects[100];
		struct objects_rig rig;
		struct quire_kmem_cache *cache;
		uint32_t nr = turn % 7 == 0 ? 20 : 100;

		objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
		cache = create(&rig,
			       (struct quire_kmem_cache_args){
				       .size = size,
				       .align = align,
				       .flags = flags[turn / 96] | QUIRE_SLAB_NO_MERGE});
		assert_true(quire_kmem_cache_size(cache) >= size);
		take(cache, (void **)objects, nr);
		for (uint32_t i = 0; i < nr; i++) {
			if (align != 0)
				assert_int_equal((uintptr_t)objects[i] % align, 0);
			memset(objects[i], (int)i + 1, size);
		}
		objects_rig_validate(&rig);
		for (uint32_t i = 0; i < nr; i++) {
			for (size_t k = 0; k < size; k++)
				assert_int_equal(objects[i][k], i + 1);
		}
		quire_kmem_cache_check(cache);
		give(cache, (void **)objects, nr);
		quire_kmem_cache_check(cache);
		destroy(cache);
		objects_rig_close(&rig);
	}
}

struct built {
	uint64_t mark, count;
};

static uint64_t nr_built;

static void build(void *object)
{
	struct built *built = object;

	built->mark = 0xfeedface;
	built->count = 0;
	nr_built++;
}

static void objects_stay_constructed(void **state)
{
	struct quire_kmem_cache *cache;
	struct objects_rig rig;
	void *objects[300];

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	nr_built = 0;
	cache = create(&rig, (struct quire_kmem_cache_args){.name = "built",
							    .size = sizeof(struct built),
							    .ctor = build});
	for (uint32_t turn = 0; turn < 5; turn++) {
		take(cache, objects, 300);
		for (uint32_t i = 0; i < 300; i++) {
			struct built *built = objects[i];

			assert_int_equal(built->mark, 0xfeedface);
			assert_int_equal(built->count, 0);
			built->count = i;
		}
		assert_int_equal(nr_built, objects_rig_info(&rig, "built").num_objs);
		for (uint32_t i = 0; i < 300; i++)
			((struct built *)objects[i])->count = 0;
		give(cache, objects, 300);
	}
	objects_rig_validate(&rig);
	destroy(cache);
	objects_rig_close(&rig);
}

/* The lines at which the first objects of a cache's slabs lie take turns. */
static void slabs_are_coloured(void **state)
{
	struct quire_kmem_cache *cache;
	uint32_t seen[64] = {0}, nr_colours = 0;
	struct objects_rig rig;
	void *objects[8 * 5];

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	/* Five objects of 768 bytes leave 256 bytes: four lines and the one at 0. */
	cache = create(&rig, (struct quire_kmem_cache_args){
				     .size = 768, .flags = QUIRE_SLAB_NO_MAGAZINE});
	take(cache, objects, 40);
	for (uint32_t i = 0; i < 40; i++) {
		uintptr_t within = (uintptr_t)objects[i] % QUIRE_PAGE_BYTES;

		if (within < 768) {
			assert_int_equal(within % 64, 0);
			seen[within / 64]++;
		}
	}
	for (uint32_t i = 0; i < 64; i++)
		nr_colours += seen[i] != 0;
	assert_int_equal(nr_colours, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(seen[i] == 1 || seen[i] == 2);
	give(cache, objects, 40);
	destroy(cache);
	objects_rig_close(&rig);
}

static void like_caches_are_merged(void **state)
{
	const struct quire_kmem_cache_args like = {.name = "like", .size = 200};
	struct quire_kmem_cache_args other = like;
	struct quire_kmem_cache *a, *b, *c;
	struct objects_rig rig;
	void *object;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	a = create(&rig, like);
	b = create(&rig, (struct quire_kmem_cache_args){.name = "alike", .size = 197});
	assert_ptr_equal(a, b);
	assert_int_equal(objects_rig_info(&rig, "like").aliases, 1);
	other.flags = QUIRE_SLAB_NO_MERGE;
	c = create(&rig, other);
	assert_ptr_not_equal(a, c);
	destroy(c);
	other.flags = QUIRE_SLAB_RED_ZONE;
	c = create(&rig, other);
	assert_ptr_not_equal(a, c);
	destroy(c);
	other.flags = 0;
	other.ctor = build;
	other.size = 200;
	c = create(&rig, other);
	assert_ptr_not_equal(a, c);
	destroy(c);

	object = quire_kmem_cache_alloc(a, 0, 0);
	destroy(b);
	quire_kmem_cache_free(a, 0, object);
	destroy(a);
	objects_rig_close(&rig);
}

static void bulk_is_all_or_nothing(void **state)
{
	struct quire_kmem_cache *cache;
	struct objects_rig rig;
	void *objects[600];
	uint32_t slabs;

	(void)state;
	objects_rig_open(&rig, 128, &one_cpu, false);
	cache = create(&rig, (struct quire_kmem_cache_args){.size = 1024});
	slabs = objects_rig_slabs(&rig);
	for (uint32_t nr = 0; nr <= 200; nr += 7) {
		assert_true(quire_kmem_cache_alloc_bulk(cache, 0, QUIRE_GFP_ZERO, nr,
							objects));
		for (uint32_t i = 0; i < nr; i++) {
			for (uint32_t k = 0; k < 1024; k++)
				assert_int_equal(((unsigned char *)objects[i])[k], 0);
			memset(objects[i], 0xff, 1024);
		}
		quire_kmem_cache_free_bulk(cache, 0, nr, objects);
		objects_rig_validate(&rig);
	}
	assert_false(quire_kmem_cache_alloc_bulk(cache, 0, 0, 600, objects));
	objects_rig_validate(&rig);
	quire_kmem_cache_shrink(cache, 0);
	assert_int_equal(objects_rig_slabs(&rig), slabs);
	destroy(cache);
	objects_rig_close(&rig);
}

static void what_is_freed_last_comes_first(void **state)
{
	struct quire_kmem_cache *cache;
	struct objects_rig rig;
	void *objects[20];

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	cache = create(&rig, (struct quire_kmem_cache_args){.size = 64});
	take(cache, objects, 20);
	give(cache, objects, 20);
	for (uint32_t i = 20; i-- > 0;)
		assert_ptr_equal(quire_kmem_cache_alloc(cache, 0, 0), objects[i]);
	give(cache, objects, 20);
	destroy(cache);
	objects_rig_close(&rig);
}

struct leaks {
	const void *objects[8];
	uint32_t nr;
};

static void note_leak(void *ctx, const struct quire_kmem_leak *leak)
{
	struct leaks *leaks = ctx;

	assert_true(leaks->nr < 8);
	assert_string_equal(leak->cache, "leaky");
	assert_int_equal(leak->bytes, 48);
	assert_non_null(leak->site);
	assert_int_equal(leak->cpu, 0);
	leaks->objects[leaks->nr++] = leak->object;
}

static void destroy_reports_what_leaked(void **state)
{
	struct quire_kmem_cache *cache;
	struct leaks leaks = {.nr = 0};
	struct objects_rig rig;
	void *objects[200];

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	cache = create(&rig,
		       (struct quire_kmem_cache_args){.name = "leaky",
						      .size = 48,
						      .flags = QUIRE_SLAB_STORE_USER});
	take(cache, objects, 200);
	for (uint32_t i = 0; i < 200; i++) {
		if (i % 50 != 3)
			quire_kmem_cache_free(cache, 0, objects[i]);
	}
	assert_int_equal(quire_kmem_cache_destroy(cache, note_leak, &leaks), 4);
	assert_int_equal(leaks.nr, 4);
	for (uint32_t i = 0; i < 4; i++) {
		bool is_reported = false;

		for (uint32_t k = 0; k < 4; k++)
			is_reported |= leaks.objects[k] == objects[i * 50 + 3];
		assert_true(is_reported);
	}
	/* The cache stands as before. */
	for (uint32_t i = 0; i < 4; i++)
		quire_kmem_cache_free(cache, 0, objects[i * 50 + 3]);
	destroy(cache);
	objects_rig_close(&rig);
}

/* Objects of one fresh slab in the order in which they are handed out. */
static uint32_t nr_in_order(struct objects_rig *rig, uint32_t flags)
{
	struct quire_kmem_cache *cache =
		create(rig, (struct quire_kmem_cache_args){
				    .size = 64, .flags = flags | QUIRE_SLAB_NO_MAGAZINE});
	uint32_t nr = 0;
	void *objects[64];

	take(cache, objects, 64);
	for (uint32_t i = 1; i < 64; i++)
		nr += (char *)objects[i] - (char *)objects[i - 1] == 64;
	give(cache, objects, 64);
	destroy(cache);
	return nr;
}

static void free_lists_are_random_on_demand(void **state)
{
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_int_equal(nr_in_order(&rig, 0), 63);
	/* One neighbour in order is what chance gives; ten have a chance below 1e-6. */
	assert_true(nr_in_order(&rig, QUIRE_SLAB_RANDOM) < 10);
	objects_rig_close(&rig);
}

/* Whether a free object's first word is the address of another object of its page. */
static bool link_is_bare(struct objects_rig *rig, uint32_t flags)
{
	struct quire_kmem_cache *cache =
		create(rig, (struct quire_kmem_cache_args){
				    .size = 64, .flags = flags | QUIRE_SLAB_NO_MAGAZINE});
	void *objects[2], *link;

	take(cache, objects, 2);
	give(cache, objects, 2);
	memcpy(&link, objects[1], sizeof(link));
	destroy(cache);
	return link == objects[0];
}

static void free_lists_are_encoded_on_demand(void **state)
{
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	assert_true(link_is_bare(&rig, 0));
	assert_false(link_is_bare(&rig, QUIRE_SLAB_ENCODED));
	objects_rig_close(&rig);
}

static void wrong_arguments_are_refused(void **state)
{
	const struct quire_kmem_cache_args wrong[] = {
		{.name = NULL, .size = 8},
		{.name = "a", .size = 0},
		{.name = "a", .size = QUIRE_KMEM_SIZE_MAX + 1},
		{.name = "a", .size = 8, .align = 24},
		{.name = "a", .size = 8, .align = 8192},
		{.name = "a", .size = 8, .flags = 1u << 30},
		{.name = "a", .size = 8, .flags = QUIRE_SLAB_POISON, .ctor = build},
		{.name = "a", .size = 8, .flags = QUIRE_SLAB_DMA},
		{.name = "a", .size = 8, .slab_bytes = 5000},
		{.name = "a", .size = 8192, .slab_bytes = 4096},
		{.name = "a", .size = 8192, .slab_bytes = 33 * 4096},
	};
	struct quire_kmem_cache *cache;
	struct objects_rig rig;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(quire_kmem_cache_create(rig.objects, &wrong[i], &cache),
				 QUIRE_INVALID);
	objects_rig_close(&rig);
}

static void cache_numbers_come_back(void **state)
{
	const struct quire_kmem_cache_args args = {
		.name = "many", .size = 64, .flags = QUIRE_SLAB_NO_MERGE};
	struct quire_kmem_cache *caches[300];
	struct objects_rig rig;
	uint32_t nr = 0;

	(void)state;
	objects_rig_open(&rig, NR_FRAMES, &one_cpu, false);
	while (nr < 300 &&
	       quire_kmem_cache_create(rig.objects, &args, &caches[nr]) == QUIRE_OK)
		nr++;
	assert_true(nr > 200 && nr < 256);
	destroy(caches[0]);
	caches[0] = create(&rig, args);
	while (nr > 0)
		destroy(caches[--nr]);
	objects_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_12_kib_slab_holds_six_2_kib_objects),
		cmocka_unit_test(objects_are_aligned_and_apart),
		cmocka_unit_test(objects_stay_constructed),
		cmocka_unit_test(slabs_are_coloured),
		cmocka_unit_test(like_caches_are_merged),
		cmocka_unit_test(bulk_is_all_or_nothing),
		cmocka_unit_test(what_is_freed_last_comes_first),
		cmocka_unit_test(destroy_reports_what_leaked),
		cmocka_unit_test(free_lists_are_random_on_demand),
		cmocka_unit_test(free_lists_are_encoded_on_demand),
		cmocka_unit_test(wrong_arguments_are_refused),
		cmocka_unit_test(cache_numbers_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
