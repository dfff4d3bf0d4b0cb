/* SPDX-License-Identifier: MIT */
/* audit.c - an auditing library: the dynamic linker calls it before anything of the
 * program's, with a C library of its own, and each call allocates.  See rtld-audit(7). */
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void allocate(void)
{
	char *block = malloc(500);

	if (block == NULL)
		abort();
	memset(block, 1, 500);
	block = realloc(block, 50000);
	if (block == NULL || block[499] != 1)
		abort();
	free(block);
}

unsigned int la_version(unsigned int version)
{
	allocate();
	return version;
}

unsigned int la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
	(void)map;
	(void)lmid;
	(void)cookie;
	allocate();
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

void la_preinit(uintptr_t *cookie)
{
	(void)cookie;
	allocate();
}
