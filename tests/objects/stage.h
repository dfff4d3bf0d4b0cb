/* SPDX-License-Identifier: MIT */
/* stage.h - a cache for a program that misuses one of its objects. */
#ifndef QUIRE_TESTS_OBJECTS_STAGE_H
#define QUIRE_TESTS_OBJECTS_STAGE_H

#include "tests/core/objects_rig.h"

#define STAGE_BYTES 100u

/* A cache of objects of STAGE_BYTES, named "victim", on a machine of its own. */
struct quire_kmem_cache *stage_cache(uint32_t flags);
/* A second one on the same machine. */
struct quire_kmem_cache *stage_other(void);
struct quire_objects *stage_objects(void);
/* An object of the cache that is not its slab's only one. */
unsigned char *stage_object(struct quire_kmem_cache *cache);
/* Tells the script which address the message must name. */
void stage_expect(const void *object);

#endif
