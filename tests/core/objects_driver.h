/* SPDX-License-Identifier: MIT */
/* objects_driver.h - steps on an allocator beside a model too simple to be wrong: a list
 * of what is held, each object full of bytes of its own. */
#ifndef QUIRE_TESTS_CORE_OBJECTS_DRIVER_H
#define QUIRE_TESTS_CORE_OBJECTS_DRIVER_H

#include "tests/core/objects_rig.h"
#include "tests/model/source.h"

#define DRIVER_CACHES 3u
#define DRIVER_HELD   512u
#define DRIVER_CPUS   2u

struct held {
	unsigned char *object;
	size_t bytes;
	uint32_t cache; /* DRIVER_CACHES: kmalloc's */
	unsigned char mark;
};

struct objects_driver {
	struct objects_rig rig;
	struct quire_kmem_cache *caches[DRIVER_CACHES];
	struct held held[DRIVER_HELD];
	uint32_t nr_held, nr_marks;
	uint32_t slabs_at_start;
	uint64_t nr_refused;
	bool is_fair; /* no step has frames refused */
};

/* Flags of the three caches, and of those of kmalloc. */
struct objects_driver_config {
	uint32_t nr_frames;
	uint32_t flags[DRIVER_CACHES];
	uint32_t kmalloc_flags;
	bool is_dma;
};

void objects_driver_open(struct objects_driver *driver,
			 const struct objects_driver_config *config);
/* One step by the source's choices. */
void objects_driver_step(struct objects_driver *driver, struct source *source);
/* Frees all that is held and everything kept for speed, and proves that the machine is as
 * at the start. */
void objects_driver_settle(struct objects_driver *driver);
void objects_driver_close(struct objects_driver *driver);

/* The steps, for who chooses them himself. */
bool objects_driver_alloc(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			  uint32_t flags);
bool objects_driver_kmalloc(struct objects_driver *driver, uint32_t cpu, size_t bytes,
			    uint32_t flags);
void objects_driver_free(struct objects_driver *driver, uint32_t cpu, uint32_t i);
bool objects_driver_bulk(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			 uint32_t nr);
void objects_driver_free_bulk(struct objects_driver *driver, uint32_t cpu, uint32_t cache,
			      uint32_t nr);

#endif
