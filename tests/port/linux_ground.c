/* SPDX-License-Identifier: MIT */
/* linux_ground.c - a test's own process as a Linux ground. */
#include "tests/port/linux_ground.h"

#include "ports/linux/careful.h"
#include "ports/linux/port_ops.h"
#include "ports/linux/swapfile.h"
#include "ports/linux/uffd.h"
#include "ports/linux/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX 256

static struct quire_seat seat;
static bool had_fd[FDS_MAX];
static _Atomic bool is_over;
/* Transfers so far, as the ground counts them too: for as long as the process lives. */
static _Atomic uint64_t nr_reads, nr_writes;
/* The number of the one that fails, 0: none. */
static uint64_t fails_at[LINUX_TRANSFERS];

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static enum quire_status swap_write(void *ctx, uint32_t area, uint64_t extent,
				    const quire_pfn *pfns, uint32_t nr)
{
	atomic_fetch_add(&nr_writes, 1);
	return qr_swapfile_write(ctx, area, extent, pfns, nr);
}

static enum quire_status swap_read(void *ctx, uint32_t area, uint64_t byte, void *buf,
				   size_t bytes)
{
	atomic_fetch_add(&nr_reads, 1);
	return qr_swapfile_read(ctx, area, byte, buf, bytes);
}

static uint64_t transfers(enum linux_transfer transfer)
{
	return atomic_load(transfer == LINUX_WRITE ? &nr_writes : &nr_reads);
}

void linux_ground_fail(enum linux_transfer transfer, uint64_t nth)
{
	struct quire_settings *s = &qr_ground.settings;

	fails_at[transfer] = nth != 0 ? transfers(transfer) + nth : 0;
	s->fail_swap_write = fails_at[LINUX_WRITE];
	s->fail_swap_read = fails_at[LINUX_READ];
	s->flip_swap_read = fails_at[LINUX_FLIP];
}

bool linux_ground_failed(enum linux_transfer transfer)
{
	return fails_at[transfer] != 0 && transfers(transfer) >= fails_at[transfer];
}

static void choose_folder(void)
{
	const char *named = getenv("TMPDIR");

	snprintf(qr_ground.swap_folder, sizeof(qr_ground.swap_folder), "%s",
		 named != NULL ? named : "/tmp");
}

static void init_parts(void)
{
	struct quire_port *port = &qr_ground.port;

	qr_port_ops_set(port);
	port->swap_write = swap_write;
	port->swap_read = swap_read;
	qr_ranges_init(&qr_ground.foreign, port);
	qr_ranges_init(&qr_ground.no_fork, port);
	qr_ranges_init(&qr_ground.wipe_fork, port);
	qr_careful_init();
}

static void open_descriptors(void)
{
	struct qr_descriptors *fds = &qr_ground.fds;

	fds->uffd = (int)qr_uffd_open(qr_ground.features);
	fds->memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	fds->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	fds->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fds->self < 0)
		qr_ground.features &= ~(uint32_t)QUIRE_FEATURE_RELEASE_VECTOR;
}

const char *linux_ground_make(const struct linux_ground_config *config)
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		had_fd[fd] = is_open(fd);
	atomic_store(&is_over, false);
	memset(fails_at, 0, sizeof(fails_at));
	qr_ground.features = qr_features_probe() & ~config->without;
	if ((qr_ground.features & QUIRE_FEATURE_WP) == 0 ||
	    (qr_ground.features & QUIRE_FEATURE_KERNEL_FAULTS) == 0)
		return "userfaultfd for faults in the kernel, with write protection";
	if ((qr_ground.features & QUIRE_FEATURE_THREAD_ID) == 0)
		return "faults that name their thread";
	qr_ground.seat = &seat;
	qr_ground.settings.swap_bytes = config->swap_bytes;
	choose_folder();
	init_parts();
	if (!qr_window_make(config->ram_bytes))
		return "memory, or addresses";
	open_descriptors();
	if (qr_ground.fds.uffd < 0 || qr_window_register() != 0)
		return "a userfaultfd";
	return NULL;
}

void linux_ground_drop(void)
{
	const struct quire_port *port = &qr_ground.port;

	if (port->direct != NULL)
		munmap(port->direct, (size_t)port->nr_frames << QUIRE_PAGE_SHIFT);
	if (qr_ground.zeros != NULL)
		munmap((void *)(uintptr_t)qr_ground.zeros,
		       QUIRE_FILL_MAX * QUIRE_PAGE_BYTES);
	if (qr_ground.reserve.end.a != 0)
		munmap((void *)qr_ground.reserve.start.a,
		       qr_ground.reserve.end.a - qr_ground.reserve.start.a);
	qr_swapfile_adopt(NULL, 0);
	memset(&qr_ground, 0, sizeof(qr_ground));
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (!had_fd[fd] && is_open(fd))
			close(fd);
}

uint32_t linux_ground_access(const struct uffd_msg *msg)
{
	const uint64_t write = UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP;

	return (msg->arg.pagefault.flags & write) != 0 ? QUIRE_WRITE : QUIRE_READ;
}

/* The access that ends the monitors faults anew for each of them. */
bool linux_ground_next_fault(struct uffd_msg *msg)
{
	ssize_t got;

	do
		got = read(qr_ground.fds.uffd, msg, sizeof(*msg));
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*msg))
		return false;
	if (!atomic_load(&is_over))
		return true;
	qr_uffd_wake((struct quire_run){{qr_ground.doorbell}, 1});
	return false;
}

static void *ring(void *arg)
{
	(void)arg;
	(void)*(const volatile unsigned char *)qr_ground.doorbell;
	return NULL;
}

/* The monitors sleep in a read: a fault gets them out. */
void linux_ground_end(const pthread_t *monitors, uint32_t nr)
{
	pthread_t ringer;

	atomic_store(&is_over, true);
	if (pthread_create(&ringer, NULL, ring, NULL) != 0)
		abort();
	for (uint32_t i = 0; i < nr; i++)
		pthread_join(monitors[i], NULL);
	(void)qr_uffd_copy((quire_vaddr){qr_ground.doorbell}, 1, qr_ground.zeros, false);
	pthread_join(ringer, NULL);
}
