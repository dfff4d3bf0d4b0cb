/* SPDX-License-Identifier: MIT */
/* overrun.c - a byte written behind an object. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_DEBUG);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	object[STAGE_BYTES] = 1;
	quire_kmem_cache_free(cache, 0, object);
	return 0;
}
