/* SPDX-License-Identifier: MIT */
/* use_after_free_unused.c - an object written after it was freed, and not handed out
 * again: found when its slab goes. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_POISON);
	unsigned char *object = quire_kmem_cache_alloc(cache, 0, 0);

	stage_expect(object);
	quire_kmem_cache_free(cache, 0, object);
	object[STAGE_BYTES - 1] = 1;
	quire_kmem_cache_shrink(cache, 0);
	return 0;
}
