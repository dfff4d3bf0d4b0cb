/* SPDX-License-Identifier: MIT */
/* free_list_damaged.c - the link in a free object overwritten, with no debugging on. */
#include "tests/objects/stage.h"

#include <string.h>

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(QUIRE_SLAB_NO_MAGAZINE);
	unsigned char *object = stage_object(cache);

	stage_expect(object);
	quire_kmem_cache_free(cache, 0, object);
	memset(object, 0x41, 8);
	(void)quire_kmem_cache_alloc(cache, 0, 0);
	return 0;
}
