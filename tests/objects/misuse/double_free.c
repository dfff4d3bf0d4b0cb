/* SPDX-License-Identifier: MIT */
/* double_free.c - an object freed twice, with others freed in between. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_DEBUG);
	unsigned char *object = stage_object(cache), *other = stage_object(cache);

	stage_expect(object);
	quire_kmem_cache_free(cache, 0, object);
	quire_kmem_cache_free(cache, 0, other);
	quire_kmem_cache_free(cache, 0, object);
	return 0;
}
