/* SPDX-License-Identifier: MIT */
/* free_foreign_frame.c - an address in the machine's memory that is no slab's given to a
 * cache. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);

	/* The allocator itself lies in frames, too. */
	stage_expect(stage_objects());
	quire_kmem_cache_free(cache, 0, stage_objects());
	return 0;
}
