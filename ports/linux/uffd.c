/* SPDX-License-Identifier: MIT */
/* uffd.c - the ioctls of the userfaultfd, with their ways of failing. */
#include "ports/linux/uffd.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

/* Milliseconds for which the host may lack memory in the middle of a fill. */
#define MEMORY_TURNS 30000u

static long ioctl_uffd(unsigned long request, const void *arg)
{
	return qr_host_ioctl(qr_ground.fds.uffd, request, arg);
}

static long open_device(void)
{
	long device = qr_host_open("/dev/userfaultfd", O_RDWR | O_CLOEXEC, 0), fd;

	if (device < 0)
		return device;
	fd = qr_sys(SYS_ioctl, device, USERFAULTFD_IOC_NEW, O_CLOEXEC, 0, 0, 0);
	(void)qr_host_close(device);
	return fd;
}

long qr_uffd_open(uint32_t features)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	long fd, error;

	if ((features & QUIRE_FEATURE_BY_SYSCALL) != 0)
		fd = qr_sys(SYS_userfaultfd, O_CLOEXEC, 0, 0, 0, 0, 0);
	else
		fd = open_device();
	if (fd < 0)
		return fd;
	if ((features & QUIRE_FEATURE_THREAD_ID) != 0)
		api.features |= UFFD_FEATURE_THREAD_ID;
	if ((features & QUIRE_FEATURE_MOVE) != 0)
		api.features |= UFFD_FEATURE_MOVE;
	error = qr_host_ioctl(fd, UFFDIO_API, &api);
	if (error == 0)
		return fd;
	(void)qr_host_close(fd);
	return error;
}

long qr_uffd_register(struct quire_range range)
{
	struct uffdio_register reg = {
		.range = {range.start.a, range.end.a - range.start.a},
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	return ioctl_uffd(UFFDIO_REGISTER, &reg);
}

static struct uffdio_range range_of(struct quire_run run)
{
	return (struct uffdio_range){run.start.a, run.nr << QUIRE_PAGE_SHIFT};
}

void qr_uffd_wake(struct quire_run run)
{
	struct uffdio_range range = range_of(run);

	(void)ioctl_uffd(UFFDIO_WAKE, &range);
}

/* EAGAIN: the address space is being copied by a fork. */
static long write_protect(struct quire_run run, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = range_of(run),
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	long error;

	do
		error = ioctl_uffd(UFFDIO_WRITEPROTECT, &wp);
	while (error == -EAGAIN || error == -EINTR);
	return error;
}

/* ENOENT for many pages: they are in several of the host's mappings, as locking and
 * advice split one.  For one page: somebody has taken the address away, and with it what
 * there was to protect.  Any other failure would let writes through that nobody sees. */
void qr_uffd_protect(struct quire_run run, bool on)
{
	struct quire_run page = {run.start, 1};
	long error = write_protect(run, on);

	if (error == -ENOENT && run.nr > 1)
		for (error = 0; run.nr > 0 && (error == 0 || error == -ENOENT);
		     run.nr--) {
			error = write_protect(page, on);
			page.start.a += QUIRE_PAGE_BYTES;
		}
	if (error != 0 && error != -ENOENT && error != -ESRCH)
		qr_ground.port.panic(qr_ground.port.ctx,
				     "the host refused to protect pages");
}

long qr_uffd_move(uint64_t to, uint64_t from)
{
	struct uffdio_move move = {.dst = to, .src = from, .len = QUIRE_PAGE_BYTES};
	long error;

	do
		error = ioctl_uffd(UFFDIO_MOVE, &move);
	while (error == -EAGAIN);
	return error;
}

/* The page is there already: somebody was faster, or it could not be released.  Its
 * bytes are those that would be filled in, as it has been protected since they were
 * read; only its protection may differ. */
static void settle_present(quire_vaddr va, bool is_readonly)
{
	struct quire_run run = {va, 1};

	qr_uffd_protect(run, is_readonly);
	qr_uffd_wake(run);
}

/* ENOENT is also what a range over several of the host's mappings gives; for a single
 * page it means that the address is gone. */
static enum quire_status copy_status(long error)
{
	switch (error) {
	case -ENOMEM:
		return QUIRE_NO_MEMORY;
	case -ENOENT:
	case -ESRCH:
	case -EINVAL:
		return QUIRE_FAULT;
	default:
		qr_ground.port.panic(qr_ground.port.ctx,
				     "the host refused to fill a page");
	}
}

/* Fills what it can of bytes; how many that was, or -errno. */
static int64_t copy_some(uint64_t to, const void *from, uint64_t bytes, bool is_readonly)
{
	struct uffdio_copy copy = {
		.dst = to,
		.src = (uint64_t)(uintptr_t)from,
		.len = bytes,
		.mode = is_readonly ? UFFDIO_COPY_MODE_WP : 0,
	};
	long error = ioctl_uffd(UFFDIO_COPY, &copy);

	if (copy.copy > 0)
		return copy.copy;
	return error == -EAGAIN ? 0 : error;
}

/* Pages that have been filled may have been written to since: they can no longer be taken
 * back, and the host has to find memory for the rest. */
static void wait_for_memory(uint32_t turn)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	if (turn == MEMORY_TURNS)
		qr_ground.port.panic(qr_ground.port.ctx,
				     "the host has no memory for a page");
	(void)qr_sys(SYS_nanosleep, qr_address(&pause), 0, 0, 0, 0, 0);
}

enum quire_status qr_uffd_copy(quire_vaddr va, uint32_t nr, const void *src,
			       bool is_readonly)
{
	const uint64_t bytes = (uint64_t)nr << QUIRE_PAGE_SHIFT;
	uint64_t done = 0, most = bytes;
	uint32_t turns = 0;

	while (done < bytes) {
		uint64_t part = bytes - done < most ? bytes - done : most;
		int64_t got = copy_some(va.a + done, (const char *)src + done, part,
					is_readonly);

		if (got >= 0) {
			done += (uint64_t)got;
		} else if (got == -EEXIST) {
			settle_present((quire_vaddr){va.a + done}, is_readonly);
			done += QUIRE_PAGE_BYTES;
		} else if (got == -ENOENT && part > QUIRE_PAGE_BYTES) {
			most = QUIRE_PAGE_BYTES;
		} else if (got == -ENOMEM && done > 0) {
			wait_for_memory(turns++);
		} else {
			return copy_status((long)got);
		}
	}
	return QUIRE_OK;
}
