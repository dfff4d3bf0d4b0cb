/* SPDX-License-Identifier: MIT */
/* audit.c - an audit library (rtld-audit(7)): lives in a namespace of its own, beside the
 * library that takes malloc's place, and allocates before the program runs. */
#include <link.h>
#include <stdlib.h>

unsigned la_version(unsigned version)
{
	free(malloc(1000));
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie)
{
	(void)map;
	(void)namespace;
	(void)cookie;
	free(malloc(100));
	return 0;
}
