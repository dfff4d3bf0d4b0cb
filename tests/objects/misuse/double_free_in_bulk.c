/* SPDX-License-Identifier: MIT */
/* double_free_in_bulk.c - an object freed twice running by one bulk call, with no
 * debugging on. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	void *objects[2] = {stage_object(cache)};

	objects[1] = objects[0];
	stage_expect(objects[0]);
	quire_kmem_cache_free_bulk(cache, 0, 2, objects);
	return 0;
}
