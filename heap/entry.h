/* SPDX-License-Identifier: MIT */
/* entry.h - the functions that programs call by the names of the C library, which the
 * library exports in their place.  Declared here because not every C library declares
 * all of them, and with parameters that no header's attributes speak of. */
#ifndef QUIRE_HEAP_ENTRY_H
#define QUIRE_HEAP_ENTRY_H

#include <stddef.h>

#define QR_EXPORT __attribute__((visibility("default")))

QR_EXPORT void *reallocarray(void *block, size_t nr, size_t bytes);
QR_EXPORT void *aligned_alloc(size_t align, size_t bytes);
QR_EXPORT void *memalign(size_t align, size_t bytes);
QR_EXPORT void *valloc(size_t bytes);
QR_EXPORT void *pvalloc(size_t bytes);
QR_EXPORT void free_sized(void *block, size_t bytes);
QR_EXPORT void free_aligned_sized(void *block, size_t align, size_t bytes);

#endif
