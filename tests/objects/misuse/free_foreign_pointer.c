/* SPDX-License-Identifier: MIT */
/* free_foreign_pointer.c - an address that no cache handed out given to kfree. */
#include "tests/objects/stage.h"

int main(void)
{
	struct quire_kmem_cache *cache = stage_cache(0);
	int mine = 0;

	(void)cache;
	stage_expect(&mine);
	quire_kfree(stage_objects(), 0, &mine);
	return 0;
}
