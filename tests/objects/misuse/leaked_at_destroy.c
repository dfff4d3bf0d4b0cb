/* SPDX-License-Identifier: MIT */
/* leaked_at_destroy.c - an object that was not freed when its cache is destroyed. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	unsigned char *object = quire_kmem_cache_alloc(cache, 0, 0);

	stage_expect(object);
	quire_kmem_cache_destroy(cache, NULL, NULL);
	return 0;
}
