/* SPDX-License-Identifier: MIT */
/* underrun.c - a byte written before an object. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_DEBUG);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	object[-1] = 1;
	quire_kmem_cache_free(cache, 0, object);
	return 0;
}
