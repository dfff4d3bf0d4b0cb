/* SPDX-License-Identifier: MIT */
/* free_into_another_cache.c - an object given back to a cache that it is not of. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	struct quire_kmem_cache *other = stage_other();
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	quire_kmem_cache_free(other, 0, object);
	return 0;
}
