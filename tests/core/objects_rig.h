/* SPDX-License-Identifier: MIT */
/* objects_rig.h - an allocator on a test port, and what is at stake at the end. */
#ifndef QUIRE_TESTS_CORE_OBJECTS_RIG_H
#define QUIRE_TESTS_CORE_OBJECTS_RIG_H

#include "core/base/lock.h"
#include "quire/objects.h"
#include "tests/core/testport.h"

struct objects_rig {
	struct testport *tp;
	struct quire_zone zone;
	struct quire_lock zone_lock;
	struct quire_objects *objects;
	uint32_t free_at_start;
};

/* An allocator over a machine of nr_frames.  wish gives nr_cpus, kmalloc_slab, secret and
 * the pressure upcall; is_dma: the DMA zone is the one zone. */
void objects_rig_open(struct objects_rig *rig, uint32_t nr_frames,
		      const struct quire_objects_config *wish, bool is_dma);
/* Proves that nothing leaked. */
void objects_rig_close(struct objects_rig *rig);
/* Fails the test over an invariant that does not hold. */
void objects_rig_validate(struct objects_rig *rig);
/* The cache's row; the test fails where there is none of this name. */
struct quire_slabinfo objects_rig_info(struct objects_rig *rig, const char *name);
/* Frames of use SLAB. */
uint32_t objects_rig_slabs(const struct objects_rig *rig);

#endif
