/* SPDX-License-Identifier: MIT */
/* objects_threads.c - a thread for each CPU, objects that one allocates and another frees,
 * and memory that is short now and then. */
#include "tests/core/objects_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define NR_CPUS	  4u
#define NR_STEPS  20000u
#define NR_SLOTS  256u
#define NR_FRAMES 1024u

struct stage {
	struct objects_rig rig;
	struct quire_kmem_cache *cache;
	/* Objects on their way from one thread to another. */
	_Atomic(unsigned char *) slots[NR_SLOTS], bytes_slots[NR_SLOTS];
	_Atomic uint32_t nr_wrong, nr_refused;
};

struct actor {
	struct stage *stage;
	uint32_t cpu;
};

static void fill(unsigned char *object, size_t bytes)
{
	memset(object, (int)((uintptr_t)object >> 4 & 0xff), bytes);
}

static void check(struct stage *stage, const unsigned char *object, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (object[i] != ((uintptr_t)object >> 4 & 0xff)) {
			atomic_fetch_add(&stage->nr_wrong, 1);
			return;
		}
	}
}

static void pass_object(struct stage *stage, uint32_t cpu, uint64_t r)
{
	unsigned char *object = quire_kmem_cache_alloc(stage->cache, cpu, 0);

	if (object == NULL)
		atomic_fetch_add(&stage->nr_refused, 1);
	else
		fill(object, 200);
	object = atomic_exchange(&stage->slots[r % NR_SLOTS], object);
	if (object != NULL)
		check(stage, object, 200);
	quire_kmem_cache_free(stage->cache, cpu, object);
}

static void pass_bytes(struct stage *stage, uint32_t cpu, uint64_t r)
{
	size_t bytes = 16 + (r >> 8) % (r % 16 == 0 ? 20000 : 500);
	unsigned char *object = quire_kmalloc(stage->rig.objects, cpu, bytes, 0);

	if (object == NULL)
		atomic_fetch_add(&stage->nr_refused, 1);
	else
		fill(object, 16);
	object = atomic_exchange(&stage->bytes_slots[r % NR_SLOTS], object);
	if (object != NULL)
		check(stage, object, 16);
	quire_kfree(stage->rig.objects, cpu, object);
}

static void pass_bulk(struct stage *stage, uint32_t cpu)
{
	void *objects[40];

	if (!quire_kmem_cache_alloc_bulk(stage->cache, cpu, 0, 40, objects)) {
		atomic_fetch_add(&stage->nr_refused, 1);
		return;
	}
	for (uint32_t i = 0; i < 40; i++)
		fill(objects[i], 200);
	for (uint32_t i = 0; i < 40; i++)
		check(stage, objects[i], 200);
	quire_kmem_cache_free_bulk(stage->cache, cpu, 40, objects);
}

static void *act(void *arg)
{
	struct actor *actor = arg;
	struct stage *stage = actor->stage;
	uint64_t seed = actor->cpu;
	struct quire_slabinfo info;

	for (uint32_t step = 0; step < NR_STEPS; step++) {
		uint64_t r = testport_random(&seed);

		switch (r >> 60) {
		case 0:
			pass_bulk(stage, actor->cpu);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
		case 5:
			pass_bytes(stage, actor->cpu, r);
			break;
		default:
			pass_object(stage, actor->cpu, r);
			break;
		}
		if (step % 500 == 0)
			quire_kmem_cache_shrink(stage->cache, actor->cpu);
		if (step % 1700 == 0)
			quire_objects_shrink(stage->rig.objects, actor->cpu, 6);
		if (step % 300 == 0)
			quire_slabinfo(stage->rig.objects, step % 16, &info);
	}
	quire_objects_drain(stage->rig.objects, actor->cpu);
	return NULL;
}

static void run(uint32_t nr_frames, uint32_t flags)
{
	const struct quire_objects_config config = {.nr_cpus = NR_CPUS};
	const struct quire_kmem_cache_args args = {
		.name = "passed", .size = 200, .flags = flags | QUIRE_SLAB_NO_MERGE};
	static struct stage stage;
	struct actor actors[NR_CPUS];
	pthread_t threads[NR_CPUS];

	memset(&stage, 0, sizeof(stage));
	objects_rig_open(&stage.rig, nr_frames, &config, false);
	assert_int_equal(quire_kmem_cache_create(stage.rig.objects, &args, &stage.cache),
			 QUIRE_OK);
	for (uint32_t i = 0; i < NR_CPUS; i++) {
		actors[i] = (struct actor){.stage = &stage, .cpu = i};
		assert_int_equal(pthread_create(&threads[i], NULL, act, &actors[i]), 0);
	}
	for (uint32_t i = 0; i < NR_CPUS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stage.nr_wrong, 0);
	objects_rig_validate(&stage.rig);
	for (uint32_t i = 0; i < NR_SLOTS; i++) {
		quire_kmem_cache_free(stage.cache, 0, stage.slots[i]);
		quire_kfree(stage.rig.objects, 0, stage.bytes_slots[i]);
	}
	assert_int_equal(quire_kmem_cache_destroy(stage.cache, NULL, NULL), 0);
	objects_rig_close(&stage.rig);
}

static void cpus_pass_objects(void **state)
{
	(void)state;
	run(NR_FRAMES, 0);
}

static void cpus_pass_objects_while_memory_is_short(void **state)
{
	(void)state;
	run(NR_FRAMES / 4, 0);
}

static void cpus_pass_watched_objects(void **state)
{
	(void)state;
	run(NR_FRAMES, QUIRE_SLAB_RED_ZONE | QUIRE_SLAB_POISON | QUIRE_SLAB_ENCODED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_pass_objects),
		cmocka_unit_test(cpus_pass_objects_while_memory_is_short),
		cmocka_unit_test(cpus_pass_watched_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
