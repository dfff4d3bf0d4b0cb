/* SPDX-License-Identifier: MIT */
/* use_after_free.c - an object written after it was freed: found when it is handed out
 * again. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_DEBUG);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	quire_kmem_cache_free(cache, 0, object);
	object[50] = 1;
	(void)quire_kmem_cache_alloc(cache, 0, 0);
	return 0;
}
