/* SPDX-License-Identifier: MIT */
/* next.c - libc's own functions behind the names that this library takes. */
#include "ports/linux/next.h"

#include "core/base/assert.h"

#include <dlfcn.h>
#include <stddef.h>

void *qr_next_find(_Atomic(void *) *slot, const char *name)
{
	void *found = atomic_load_explicit(slot, memory_order_acquire);

	if (found != NULL)
		return found;
	found = dlsym(RTLD_NEXT, name);
	QUIRE_ASSERT(found != NULL);
	atomic_store_explicit(slot, found, memory_order_release);
	return found;
}
