/* SPDX-License-Identifier: MIT */
/* names_read.c - the calls by which a device may write into a buffer while they last.
 *
 * Nothing is done on kernels with UFFDIO_MOVE, nor before a descriptor is opened past the
 * page cache (hold.h). */
/* With it libc's headers give one function the name of another. */
#undef _FILE_OFFSET_BITS

#include "ports/linux/ground.h"
#include "ports/linux/hold.h"
#include "ports/linux/next.h"
#include "ports/linux/sys.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define NO_HOLD UINT32_MAX

/* Of libc's headers when they check calls; here by name. */
ssize_t __read_chk(int fd, void *buf, size_t bytes, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t bytes, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t bytes, off64_t offset, size_t room);

static bool is_direct(int fd)
{
	long flags = qr_host_fcntl(fd, F_GETFL, 0);

	return !qr_failed(flags) && (flags & O_DIRECT) != 0;
}

static uint32_t begin(int fd, uint64_t start, size_t bytes)
{
	if (!qr_hold_is_needed() || !is_direct(fd))
		return NO_HOLD;
	return qr_hold_begin((struct quire_range){{start}, {start + bytes}});
}

/* One hold from the lowest buffer to the highest. */
static uint32_t begin_vector(int fd, const struct iovec *vec, int nr)
{
	uint64_t start = UINT64_MAX, end = 0;

	if (nr <= 0 || !qr_hold_is_needed() || !is_direct(fd))
		return NO_HOLD;
	for (int i = 0; i < nr; i++) {
		uint64_t at = (uint64_t)(uintptr_t)vec[i].iov_base;

		start = at < start ? at : start;
		end = at + vec[i].iov_len > end ? at + vec[i].iov_len : end;
	}
	return qr_hold_begin((struct quire_range){{start}, {end}});
}

static ssize_t end(uint32_t hold, ssize_t result)
{
	if (hold != NO_HOLD)
		qr_hold_end(hold);
	return result;
}

QR_EXPORT ssize_t read(int fd, void *buf, size_t bytes)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(read)(fd, buf, bytes));
}

QR_EXPORT ssize_t pread(int fd, void *buf, size_t bytes, off_t offset)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(pread)(fd, buf, bytes, offset));
}

QR_EXPORT ssize_t pread64(int fd, void *buf, size_t bytes, off64_t offset)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(pread64)(fd, buf, bytes, offset));
}

QR_EXPORT ssize_t __read_chk(int fd, void *buf, size_t bytes, size_t room)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(__read_chk)(fd, buf, bytes, room));
}

QR_EXPORT ssize_t __pread_chk(int fd, void *buf, size_t bytes, off_t offset, size_t room)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(__pread_chk)(fd, buf, bytes, offset, room));
}

QR_EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t bytes, off64_t offset,
				size_t room)
{
	uint32_t hold = begin(fd, (uint64_t)(uintptr_t)buf, bytes);

	return end(hold, QR_NEXT(__pread64_chk)(fd, buf, bytes, offset, room));
}

QR_EXPORT ssize_t readv(int fd, const struct iovec *vec, int nr)
{
	uint32_t hold = begin_vector(fd, vec, nr);

	return end(hold, QR_NEXT(readv)(fd, vec, nr));
}

QR_EXPORT ssize_t preadv(int fd, const struct iovec *vec, int nr, off_t offset)
{
	uint32_t hold = begin_vector(fd, vec, nr);

	return end(hold, QR_NEXT(preadv)(fd, vec, nr, offset));
}

QR_EXPORT ssize_t preadv64(int fd, const struct iovec *vec, int nr, off64_t offset)
{
	uint32_t hold = begin_vector(fd, vec, nr);

	return end(hold, QR_NEXT(preadv64)(fd, vec, nr, offset));
}

QR_EXPORT ssize_t preadv2(int fd, const struct iovec *vec, int nr, off_t offset,
			  int flags)
{
	uint32_t hold = begin_vector(fd, vec, nr);

	return end(hold, QR_NEXT(preadv2)(fd, vec, nr, offset, flags));
}

QR_EXPORT ssize_t preadv64v2(int fd, const struct iovec *vec, int nr, off64_t offset,
			     int flags)
{
	uint32_t hold = begin_vector(fd, vec, nr);

	return end(hold, QR_NEXT(preadv64v2)(fd, vec, nr, offset, flags));
}
