/* SPDX-License-Identifier: MIT */
/* free_interior_large.c - a pointer into a block of kmalloc given back for the block. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	unsigned char *object = quire_kmalloc(stage_objects(), 0, 50000, 0);

	(void)cache;
	stage_expect(object + 4096);
	quire_kfree(stage_objects(), 0, object + 4096);
	return 0;
}
