/* SPDX-License-Identifier: MIT */
/* overrun_unfreed.c - a byte written behind an object that is in use yet: found by a
 * check. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_RED_ZONE);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	object[STAGE_BYTES + 2] = 1;
	quire_kmem_cache_check(cache);
	return 0;
}
