/* SPDX-License-Identifier: MIT */
/* free_foreign_slab.c - an address in a frame that somebody else took for objects of his
 * own given to kfree. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	void *object = stage_foreign_slab();

	(void)cache;
	stage_expect(object);
	quire_kfree(stage_objects(), 0, object);
	return 0;
}
