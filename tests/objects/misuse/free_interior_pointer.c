/* SPDX-License-Identifier: MIT */
/* free_interior_pointer.c - a pointer into an object given back for the object. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	unsigned char *object = stage_object(cache);

	stage_expect(object + 8);
	quire_kmem_cache_free(cache, 0, object + 8);
	return 0;
}
