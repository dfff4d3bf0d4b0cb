/* SPDX-License-Identifier: MIT */
/* stage.c - what stage.h says. */
#include "tests/objects/stage.h"

#include <stdio.h>
#include <stdlib.h>

static struct objects_rig rig;

static struct quire_kmem_cache *create(const char *name, uint32_t flags)
{
	const struct quire_kmem_cache_args args = {
		.name = name, .size = STAGE_BYTES, .flags = flags | QUIRE_SLAB_NO_MERGE};
	struct quire_kmem_cache *cache;

	if (quire_kmem_cache_create(rig.objects, &args, &cache) != QUIRE_OK)
		exit(2);
	return cache;
}

struct quire_kmem_cache *stage_cache(uint32_t flags)
{
	const struct quire_objects_config config = {.nr_cpus = 1, .secret = 1};

	objects_rig_open(&rig, 512, &config, false);
	return create("victim", flags);
}

struct quire_kmem_cache *stage_other(void)
{
	return create("other", 0);
}

struct quire_objects *stage_objects(void)
{
	return rig.objects;
}

unsigned char *stage_object(struct quire_kmem_cache *cache)
{
	unsigned char *object;

	if (quire_kmem_cache_alloc(cache, 0, 0) == NULL)
		exit(2);
	object = quire_kmem_cache_alloc(cache, 0, 0);
	if (object == NULL)
		exit(2);
	return object;
}

void stage_expect(const void *object)
{
	printf("0x%lx\n", (unsigned long)object);
	fflush(stdout);
}
