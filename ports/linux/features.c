/* SPDX-License-Identifier: MIT */
/* features.c - asks the running kernel what it grants to this process.
 *
 * Each thing is tried, not concluded from a version: distributions backport, containers
 * filter, and administrators forbid. */
#include "ports/linux/features.h"

#include "ports/linux/host.h"
#include "ports/linux/uffd_abi.h"
#include "quire/types.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

const struct quire_feature_name qr_feature_names[] = {
	{QUIRE_FEATURE_KERNEL_FAULTS, "kernel-faults",
	 "faults taken inside system calls"},
	{QUIRE_FEATURE_USER_FAULTS, "user-faults", "faults taken in user mode only"},
	{QUIRE_FEATURE_WP, "wp", "write protection of single pages"},
	{QUIRE_FEATURE_MOVE, "move", "pages taken away without a copy (Linux 6.8)"},
	{QUIRE_FEATURE_WP_UNPOPULATED, "wp-unpopulated",
	 "write protection of absent pages (Linux 6.4)"},
	{QUIRE_FEATURE_WP_ASYNC, "wp-async", "write tracking by the kernel (Linux 6.7)"},
	{QUIRE_FEATURE_PAGEMAP_SCAN, "pagemap-scan", "written pages listed (Linux 6.7)"},
	{QUIRE_FEATURE_RELEASE_VECTOR, "release-vector",
	 "many ranges released by one call (Linux 6.13)"},
	{QUIRE_FEATURE_THREAD_ID, "thread-id", "faults name their thread"},
	{QUIRE_FEATURE_BY_SYSCALL, "syscall", "the userfaultfd system call"},
	{QUIRE_FEATURE_BY_DEVICE, "device", "the device /dev/userfaultfd"},
	{0, NULL, NULL},
};

static long sys3(long nr, long a, long b, long c)
{
	return qr_sys(nr, a, b, c, 0, 0, 0);
}

static void shut(long fd)
{
	(void)sys3(SYS_close, fd, 0, 0);
}

static long uffd_by_syscall(long flags)
{
	return sys3(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags, 0, 0);
}

static long uffd_by_device(void)
{
	long device = sys3(SYS_open, (long)"/dev/userfaultfd", O_RDWR | O_CLOEXEC, 0);
	long fd;

	if (device < 0)
		return device;
	fd = sys3(SYS_ioctl, device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	shut(device);
	return fd;
}

/* The handshake with no wish names all that the kernel has. */
static uint32_t uffd_features(long fd)
{
	static const struct {
		uint64_t theirs;
		uint32_t ours;
	} map[] = {
		{UFFD_FEATURE_PAGEFAULT_FLAG_WP, QUIRE_FEATURE_WP},
		{UFFD_FEATURE_MOVE, QUIRE_FEATURE_MOVE},
		{UFFD_FEATURE_WP_UNPOPULATED, QUIRE_FEATURE_WP_UNPOPULATED},
		{UFFD_FEATURE_WP_ASYNC, QUIRE_FEATURE_WP_ASYNC},
		{UFFD_FEATURE_THREAD_ID, QUIRE_FEATURE_THREAD_ID},
	};
	struct uffdio_api api = {.api = UFFD_API};
	uint32_t found = 0;

	if (sys3(SYS_ioctl, fd, UFFDIO_API, (long)&api) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (api.features & map[i].theirs)
			found |= map[i].ours;
	return found;
}

/* Adds how when fd is a descriptor, and closes it. */
static uint32_t uffd_probe(long fd, uint32_t how)
{
	uint32_t found;

	if (fd < 0)
		return 0;
	found = uffd_features(fd);
	shut(fd);
	return found | how;
}

static bool pagemap_scans(void)
{
	uint64_t page = (uint64_t)(uintptr_t)qr_feature_names & ~(QUIRE_PAGE_BYTES - 1);
	struct page_region region;
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.start = page,
		.end = page + QUIRE_PAGE_BYTES,
		.vec = (uint64_t)(uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT,
	};
	long fd = sys3(SYS_open, (long)"/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
	long got;

	if (fd < 0)
		return false;
	got = sys3(SYS_ioctl, fd, PAGEMAP_SCAN, (long)&scan);
	shut(fd);
	return got >= 0;
}

/* Kernels before 6.13 refuse advice that loses contents, to the caller itself as well. */
static bool release_takes_vector(void)
{
	long self = sys3(SYS_getpid, 0, 0, 0);
	long fd = sys3(SYS_pidfd_open, self, 0, 0);
	struct iovec range = {.iov_len = QUIRE_PAGE_BYTES};
	long page, got;

	if (fd < 0)
		return false;
	page = qr_sys(SYS_mmap, 0, QUIRE_PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.iov_base = (void *)page;
	got = qr_sys(SYS_process_madvise, fd, (long)&range, 1, MADV_DONTNEED, 0, 0);
	(void)sys3(SYS_munmap, page, QUIRE_PAGE_BYTES, 0);
	shut(fd);
	return got == (long)QUIRE_PAGE_BYTES;
}

uint32_t qr_features_probe(void)
{
	uint32_t found = 0;

	found |= uffd_probe(uffd_by_syscall(0),
			    QUIRE_FEATURE_KERNEL_FAULTS | QUIRE_FEATURE_BY_SYSCALL);
	found |= uffd_probe(uffd_by_device(),
			    QUIRE_FEATURE_KERNEL_FAULTS | QUIRE_FEATURE_BY_DEVICE);
	found |= uffd_probe(uffd_by_syscall(UFFD_USER_MODE_ONLY),
			    QUIRE_FEATURE_USER_FAULTS);
	if (pagemap_scans())
		found |= QUIRE_FEATURE_PAGEMAP_SCAN;
	if (release_takes_vector())
		found |= QUIRE_FEATURE_RELEASE_VECTOR;
	return found;
}
