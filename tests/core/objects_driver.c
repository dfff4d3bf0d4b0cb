/* SPDX-License-Identifier: MIT */
/* objects_driver.c - the steps of objects_driver.h. */
#include "tests/core/objects_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_MAX 80u

/* Sizes that share slabs well, badly, and hardly. */
static const size_t sizes[DRIVER_CACHES] = {24, 700, 1900};

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "objects: %s\n", what);
	abort();
}

void objects_driver_open(struct objects_driver *driver,
			 const struct objects_driver_config *config)
{
	static const char *const names[DRIVER_CACHES] = {"small", "middle", "big"};
	const struct quire_objects_config wish = {.nr_cpus = DRIVER_CPUS,
						  .kmalloc_slab = config->kmalloc_flags,
						  .secret = 7};

	memset(driver, 0, sizeof(*driver));
	objects_rig_open(&driver->rig, config->nr_frames, &wish, config->is_dma);
	for (uint32_t i = 0; i < DRIVER_CACHES; i++) {
		struct quire_kmem_cache_args args = {.name = names[i],
						     .size = sizes[i],
						     .flags = config->flags[i] |
							      QUIRE_SLAB_NO_MERGE};

		insist(quire_kmem_cache_create(driver->rig.objects, &args,
					       &driver->caches[i]) == QUIRE_OK,
		       "no cache was made");
	}
	driver->slabs_at_start = objects_rig_slabs(&driver->rig);
}

static bool hold(struct objects_driver *driver, void *object, size_t bytes,
		 uint32_t cache, uint32_t flags)
{
	struct held *held = &driver->held[driver->nr_held];

	if (object == NULL) {
		driver->nr_refused++;
		return false;
	}
	*held = (struct held){.object = object,
			      .bytes = bytes,
			      .cache = cache,
			      .mark = (unsigned char)(driver->nr_marks++ % 255 + 1)};
	for (size_t i = 0; (flags & QUIRE_GFP_ZERO) != 0 && i < bytes; i++)
		insist(held->object[i] == 0, "an object is not zero");
	memset(object, held->mark, bytes);
	driver->nr_held++;
	return true;
}

/* The object's bytes are its own; it is held no more. */
static void *let_go(struct objects_driver *driver, uint32_t i)
{
	struct held held = driver->held[i];

	for (size_t k = 0; k < held.bytes; k++)
		insist(held.object[k] == held.mark, "an object's bytes changed");
	driver->held[i] = driver->held[--driver->nr_held];
	return held.object;
}

bool objects_driver_alloc(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			  uint32_t flags)
{
	if (driver->nr_held == DRIVER_HELD)
		return false;
	return hold(driver, quire_kmem_cache_alloc(driver->caches[cache], cpu, flags),
		    sizes[cache], cache, flags);
}

bool objects_driver_kmalloc(struct objects_driver *driver, uint32_t cpu, size_t bytes,
			    uint32_t flags)
{
	struct quire_objects *objects = driver->rig.objects;
	void *object;

	if (driver->nr_held == DRIVER_HELD)
		return false;
	object = quire_kmalloc(objects, cpu, bytes, flags);
	if (object != NULL)
		insist(quire_ksize(objects, object) >= bytes, "an object is too small");
	return hold(driver, object, bytes, DRIVER_CACHES, flags);
}

void objects_driver_free(struct objects_driver *driver, uint32_t cpu, uint32_t i)
{
	uint32_t cache = driver->held[i].cache;
	void *object = let_go(driver, i);

	if (cache == DRIVER_CACHES)
		quire_kfree(driver->rig.objects, cpu, object);
	else
		quire_kmem_cache_free(driver->caches[cache], cpu, object);
}

bool objects_driver_bulk(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			 uint32_t nr)
{
	void *objects[BULK_MAX];

	if (nr > BULK_MAX || driver->nr_held + nr > DRIVER_HELD)
		return false;
	if (!quire_kmem_cache_alloc_bulk(driver->caches[cache], cpu, 0, nr, objects)) {
		driver->nr_refused++;
		return false;
	}
	for (uint32_t i = 0; i < nr; i++)
		hold(driver, objects[i], sizes[cache], cache, 0);
	return true;
}

void objects_driver_free_bulk(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			      uint32_t nr)
{
	void *objects[BULK_MAX];
	uint32_t found = 0;

	for (uint32_t i = 0; i < driver->nr_held && found < nr && found < BULK_MAX;) {
		if (driver->held[i].cache == cache)
			objects[found++] = let_go(driver, i);
		else
			i++;
	}
	quire_kmem_cache_free_bulk(driver->caches[cache], cpu, found, objects);
}

static void grow_one(struct objects_driver *driver, uint32_t cpu, uint32_t i,
		     size_t bytes)
{
	struct held *held = &driver->held[i];
	size_t kept = bytes < held->bytes ? bytes : held->bytes;
	void *object;

	if (held->cache != DRIVER_CACHES || bytes == 0)
		return;
	object = quire_krealloc(driver->rig.objects, cpu, held->object, bytes, 0);
	if (object == NULL) {
		driver->nr_refused++;
		return;
	}
	held->object = object;
	for (size_t k = 0; k < kept; k++)
		insist(held->object[k] == held->mark, "krealloc lost a byte");
	held->bytes = bytes;
	memset(object, held->mark, bytes);
}

static size_t choose_bytes(struct source *source)
{
	uint32_t octave = source_below(source, 15);

	return source_below(source, 1u << octave) + 1;
}

static void step_held(struct objects_driver *driver, struct source *source, uint32_t cpu)
{
	uint32_t i;

	if (driver->nr_held == 0)
		return;
	i = source_below(source, driver->nr_held);
	if (source_one_in(source, 8))
		grow_one(driver, cpu, i, choose_bytes(source));
	else
		objects_driver_free(driver, cpu, i);
}

static void step_rare(struct objects_driver *driver, struct source *source, uint32_t cpu)
{
	switch (source_below(source, 5)) {
	case 0:
		quire_kmem_cache_shrink(driver->caches[source_below(source, 3)], cpu);
		break;
	case 1:
		quire_objects_drain(driver->rig.objects, cpu);
		break;
	case 2:
		quire_objects_shrink(driver->rig.objects, cpu, 12);
		break;
	case 3:
		if (!driver->is_fair)
			driver->rig.zone.fail_in = source_below(source, 4) + 1;
		break;
	default:
		for (uint32_t i = 0; i < DRIVER_CACHES; i++)
			quire_kmem_cache_check(driver->caches[i]);
		break;
	}
}

void objects_driver_step(struct objects_driver *driver, struct source *source)
{
	static const uint32_t flags[] = {0, QUIRE_GFP_ZERO, QUIRE_GFP_ATOMIC, 0};
	uint32_t cpu = source_below(source, DRIVER_CPUS);
	uint32_t cache = source_below(source, DRIVER_CACHES);
	uint32_t flag = flags[source_below(source, 4)];

	switch (source_below(source, 16)) {
	case 0:
		objects_driver_bulk(driver, cpu, cache, source_below(source, BULK_MAX));
		break;
	case 1:
		objects_driver_free_bulk(driver, cpu, cache,
					 source_below(source, BULK_MAX));
		break;
	case 2:
		step_rare(driver, source, cpu);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		objects_driver_alloc(driver, cpu, cache, flag);
		break;
	case 7:
	case 8:
	case 9:
		objects_driver_kmalloc(driver, cpu, choose_bytes(source), flag);
		break;
	default:
		step_held(driver, source, cpu);
		break;
	}
}

void objects_driver_settle(struct objects_driver *driver)
{
	driver->rig.zone.fail_in = 0;
	while (driver->nr_held > 0)
		objects_driver_free(driver, driver->nr_held % DRIVER_CPUS,
				    driver->nr_held - 1);
	for (uint32_t cpu = 0; cpu < DRIVER_CPUS; cpu++)
		quire_objects_drain(driver->rig.objects, cpu);
	quire_objects_shrink(driver->rig.objects, 0, 0);
	insist(objects_rig_slabs(&driver->rig) == driver->slabs_at_start,
	       "slabs stay behind");
	objects_rig_validate(&driver->rig);
}

void objects_driver_close(struct objects_driver *driver)
{
	objects_driver_settle(driver);
	for (uint32_t i = 0; i < DRIVER_CACHES; i++)
		insist(quire_kmem_cache_destroy(driver->caches[i], NULL, NULL) == 0,
		       "a cache is not empty");
	objects_rig_close(&driver->rig);
}
