/* SPDX-License-Identifier: MIT */
/* names_open.c - the calls that may open a way for devices to write to pages.
 *
 * Direct I/O and registered buffers pin pages for a device.  From the first descriptor on
 * that can do so, pages are released with care (careful.c). */
/* With it libc's headers give one function the name of another. */
#undef _FILE_OFFSET_BITS

#include "ports/linux/careful.h"
#include "ports/linux/ground.h"
#include "ports/linux/next.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>

/* Of libc's headers when they check calls; here by name. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

static int noted(int fd, int flags)
{
	if (fd >= 0 && (flags & O_DIRECT) != 0)
		qr_careful_begin(false);
	return fd;
}

static mode_t mode_in(int flags, va_list *list)
{
	bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;

	return has_mode ? va_arg(*list, mode_t) : 0;
}

QR_EXPORT int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, &list);
	va_end(list);
	return noted(QR_NEXT(open)(path, flags, mode), flags);
}

QR_EXPORT int open64(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, &list);
	va_end(list);
	return noted(QR_NEXT(open64)(path, flags, mode), flags);
}

QR_EXPORT int openat(int folder, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, &list);
	va_end(list);
	return noted(QR_NEXT(openat)(folder, path, flags, mode), flags);
}

QR_EXPORT int openat64(int folder, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, &list);
	va_end(list);
	return noted(QR_NEXT(openat64)(folder, path, flags, mode), flags);
}

QR_EXPORT int __open_2(const char *path, int flags)
{
	return noted(QR_NEXT(__open_2)(path, flags), flags);
}

QR_EXPORT int __open64_2(const char *path, int flags)
{
	return noted(QR_NEXT(__open64_2)(path, flags), flags);
}

QR_EXPORT int __openat_2(int folder, const char *path, int flags)
{
	return noted(QR_NEXT(__openat_2)(folder, path, flags), flags);
}

QR_EXPORT int __openat64_2(int folder, const char *path, int flags)
{
	return noted(QR_NEXT(__openat64_2)(folder, path, flags), flags);
}

QR_EXPORT int mkostemp(char *path, int flags)
{
	return noted(QR_NEXT(mkostemp)(path, flags), flags);
}

QR_EXPORT int mkostemp64(char *path, int flags)
{
	return noted(QR_NEXT(mkostemp64)(path, flags), flags);
}

QR_EXPORT int mkostemps(char *path, int suffix, int flags)
{
	return noted(QR_NEXT(mkostemps)(path, suffix, flags), flags);
}

QR_EXPORT int mkostemps64(char *path, int suffix, int flags)
{
	return noted(QR_NEXT(mkostemps64)(path, suffix, flags), flags);
}

/* The argument is an int or a pointer; on x86-64 either is taken as the wider. */
static void note_command(int command, void *arg)
{
	if (command == F_SETFL && ((long)arg & O_DIRECT) != 0)
		qr_careful_begin(false);
}

QR_EXPORT int fcntl(int fd, int command, ...)
{
	va_list list;
	void *arg;

	va_start(list, command);
	arg = va_arg(list, void *);
	va_end(list);
	note_command(command, arg);
	return QR_NEXT(fcntl)(fd, command, arg);
}

QR_EXPORT int fcntl64(int fd, int command, ...)
{
	va_list list;
	void *arg;

	va_start(list, command);
	arg = va_arg(list, void *);
	va_end(list);
	note_command(command, arg);
	return QR_NEXT(fcntl64)(fd, command, arg);
}
