/* SPDX-License-Identifier: MIT */
/* double_free_large.c - a block of kmalloc freed twice. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	void *object = quire_kmalloc(stage_objects(), 0, 50000, 0);

	(void)cache;
	stage_expect(object);
	quire_kfree(stage_objects(), 0, object);
	quire_kfree(stage_objects(), 0, object);
	return 0;
}
