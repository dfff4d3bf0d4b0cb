/* SPDX-License-Identifier: MIT */
/* misuse.h - the machine stops over an object that somebody misused. */
#ifndef QUIRE_CORE_OBJECTS_MISUSE_H
#define QUIRE_CORE_OBJECTS_MISUSE_H

#include "core/objects/cache.h"

enum qr_misuse {
	QR_DOUBLE_FREE,
	QR_WRONG_CACHE,	   /* detail: the cache that the object is of */
	QR_OVERRUN,	   /* detail: offset of the first byte that changed */
	QR_UNDERRUN,	   /* detail: the same, counted back from the object */
	QR_USE_AFTER_FREE, /* detail: offset of the first byte that changed */
	QR_LEAKED,
	QR_INTERIOR,  /* detail: the object that the pointer points into */
	QR_FOREIGN,   /* of no cache */
	QR_LINK_LOST, /* the free list leads out of its slab */
};

/* Panics with a line that names cache, misuse and object, and who had the object last
 * where the cache remembers it. */
void qr_misuse(const struct quire_kmem_cache *cache, enum qr_misuse what,
	       const void *object, uint64_t detail) __attribute__((noreturn));
/* The same for a pointer given back to cache, NULL for kfree, that is not the address of
 * one of its objects: finds out what it is. */
void qr_misuse_of_pointer(struct quire_objects *objects,
			  const struct quire_kmem_cache *cache, const void *pointer)
	__attribute__((noreturn));

#endif
