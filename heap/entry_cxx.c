/* SPDX-License-Identifier: MIT */
/* entry_cxx.c - C++'s operator new and delete, by their names in the Itanium ABI.
 *
 * Without memory, plain new calls the new handler until it is none, and then throws
 * std::bad_alloc, both from libstdc++ where the program has it.
 */
#include "heap/entry.h"

#include "heap/alloc.h"

#include <stdlib.h>

typedef void (*new_handler)(void);

/* std::get_new_handler() and std::__throw_bad_alloc(). */
__attribute__((weak)) new_handler _ZSt15get_new_handlerv(void);
__attribute__((weak, noreturn)) void _ZSt17__throw_bad_allocv(void);

/* Whether to try again. */
static bool ask_handler(void)
{
	new_handler handler = NULL;

	if (_ZSt15get_new_handlerv != NULL)
		handler = _ZSt15get_new_handlerv();
	if (handler != NULL)
		handler();
	return handler != NULL;
}

static void *new_slow(size_t align, size_t bytes, bool throws)
{
	void *block;

	while ((block = qr_heap_aligned(align, bytes)) == NULL) {
		if (ask_handler())
			continue;
		if (!throws)
			return NULL;
		if (_ZSt17__throw_bad_allocv != NULL)
			_ZSt17__throw_bad_allocv();
		abort();
	}
	return block;
}

static inline void *new_plain(size_t bytes, bool throws)
{
	void *block = qr_alloc(bytes);

	return QR_LIKELY(block != NULL) ? block : new_slow(1, bytes, throws);
}

/* clang-format off */
QR_EXPORT void *_Znwm(size_t bytes);
QR_EXPORT void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *nothrow);
QR_EXPORT void *_ZnwmSt11align_val_t(size_t bytes, size_t align);
QR_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *nothrow);
QR_EXPORT void *_Znam(size_t bytes);
QR_EXPORT void *_ZnamRKSt9nothrow_t(size_t bytes, const void *nothrow);
QR_EXPORT void *_ZnamSt11align_val_t(size_t bytes, size_t align);
QR_EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *nothrow);
QR_EXPORT void _ZdlPv(void *block);
QR_EXPORT void _ZdlPvm(void *block, size_t bytes);
QR_EXPORT void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow);
QR_EXPORT void _ZdlPvSt11align_val_t(void *block, size_t align);
QR_EXPORT void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t align);
QR_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align, const void *nothrow);
QR_EXPORT void _ZdaPv(void *block);
QR_EXPORT void _ZdaPvm(void *block, size_t bytes);
QR_EXPORT void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow);
QR_EXPORT void _ZdaPvSt11align_val_t(void *block, size_t align);
QR_EXPORT void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t align);
QR_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align, const void *nothrow);
/* clang-format on */

void *_Znwm(size_t bytes)
{
	return new_plain(bytes, true);
}

void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *nothrow)
{
	(void)nothrow;
	return new_plain(bytes, false);
}

void *_ZnwmSt11align_val_t(size_t bytes, size_t align)
{
	return new_slow(align, bytes, true);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *nothrow)
{
	(void)nothrow;
	return new_slow(align, bytes, false);
}

void *_Znam(size_t bytes)
{
	return new_plain(bytes, true);
}

void *_ZnamRKSt9nothrow_t(size_t bytes, const void *nothrow)
{
	(void)nothrow;
	return new_plain(bytes, false);
}

void *_ZnamSt11align_val_t(size_t bytes, size_t align)
{
	return new_slow(align, bytes, true);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *nothrow)
{
	(void)nothrow;
	return new_slow(align, bytes, false);
}

void _ZdlPv(void *block)
{
	qr_free(block);
}

void _ZdlPvm(void *block, size_t bytes)
{
	(void)bytes;
	qr_free(block);
}

void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	(void)nothrow;
	qr_free(block);
}

void _ZdlPvSt11align_val_t(void *block, size_t align)
{
	(void)align;
	qr_free(block);
}

void _ZdlPvmSt11align_val_t(void *block, size_t bytes, size_t align)
{
	(void)bytes;
	(void)align;
	qr_free(block);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align, const void *nothrow)
{
	(void)align;
	(void)nothrow;
	qr_free(block);
}

void _ZdaPv(void *block)
{
	qr_free(block);
}

void _ZdaPvm(void *block, size_t bytes)
{
	(void)bytes;
	qr_free(block);
}

void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	(void)nothrow;
	qr_free(block);
}

void _ZdaPvSt11align_val_t(void *block, size_t align)
{
	(void)align;
	qr_free(block);
}

void _ZdaPvmSt11align_val_t(void *block, size_t bytes, size_t align)
{
	(void)bytes;
	(void)align;
	qr_free(block);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align, const void *nothrow)
{
	(void)align;
	(void)nothrow;
	qr_free(block);
}
