/* SPDX-License-Identifier: MIT */
/* memory.h - the four functions that a compiler may call anyway, declared for
 * freestanding code. */
#ifndef QUIRE_CORE_BASE_MEMORY_H
#define QUIRE_CORE_BASE_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t bytes);
void *memmove(void *dst, const void *src, size_t bytes);
void *memset(void *dst, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
