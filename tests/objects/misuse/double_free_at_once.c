/* SPDX-License-Identifier: MIT */
/* double_free_at_once.c - an object freed twice running, with no debugging on. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	quire_kmem_cache_free(cache, 0, object);
	quire_kmem_cache_free(cache, 0, object);
	return 0;
}
