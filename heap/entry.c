/* SPDX-License-Identifier: MIT */
/* entry.c - malloc and its kin, as their manual pages and glibc 2.36 define them. */
#include "heap/entry.h"

#include "heap/alloc.h"

#include <errno.h>
#include <stdlib.h>

QR_EXPORT void *malloc(size_t bytes)
{
	return qr_alloc(bytes);
}

QR_EXPORT void free(void *block)
{
	qr_free(block);
}

QR_EXPORT void *calloc(size_t nr, size_t bytes)
{
	return qr_heap_calloc(nr, bytes);
}

/* Freed, and NULL, at zero bytes; errno stays as it is then. */
QR_EXPORT void *realloc(void *block, size_t bytes)
{
	if (bytes == 0 && block != NULL) {
		qr_free(block);
		return NULL;
	}
	return qr_heap_realloc(block, bytes);
}

void *reallocarray(void *block, size_t nr, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(nr, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, total);
}

static bool power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

QR_EXPORT int posix_memalign(void **block, size_t align, size_t bytes)
{
	int kept_errno = errno;
	void *result;

	if (!power_of_two(align) || align % sizeof(void *) != 0)
		return EINVAL;
	result = qr_heap_aligned(align, bytes);
	if (result == NULL) {
		errno = kept_errno;
		return ENOMEM;
	}
	*block = result;
	return 0;
}

/* An alignment that is no power of two counts as the next one. */
void *memalign(size_t align, size_t bytes)
{
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	if (align > QR_QUANTUM && !power_of_two(align))
		align = (size_t)1 << (64 - __builtin_clzl(align));
	return qr_heap_aligned(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

void *valloc(size_t bytes)
{
	return qr_heap_aligned(QR_PAGE_BYTES, bytes);
}

void *pvalloc(size_t bytes)
{
	size_t whole = (bytes + QR_PAGE_BYTES - 1) & ~(QR_PAGE_BYTES - 1);

	if (whole < bytes) {
		errno = ENOMEM;
		return NULL;
	}
	return valloc(whole);
}

void free_sized(void *block, size_t bytes)
{
	(void)bytes;
	qr_free(block);
}

void free_aligned_sized(void *block, size_t align, size_t bytes)
{
	(void)align;
	(void)bytes;
	qr_free(block);
}
