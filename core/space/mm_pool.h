/* SPDX-License-Identifier: MIT */
/* mm_pool.h - pools of large pages: taken from and given to. */
#ifndef QUIRE_CORE_SPACE_MM_POOL_H
#define QUIRE_CORE_SPACE_MM_POOL_H

#include "core/space/mm.h"

/* The pool that areas with these marks use. */
struct qr_pool_of_pages *qr_pool_for(struct quire_vm *vm, uint32_t marks);
/* A free page: one that was reserved, or one that nobody was promised; false where there is
 * none. */
bool qr_pool_take(struct quire_vm *vm, struct qr_pool_of_pages *pool, bool reserved,
		  quire_pfn *out);
/* Nobody names the page any more. */
void qr_pool_give(struct quire_vm *vm, struct qr_pool_of_pages *pool, quire_pfn pfn);

#endif
