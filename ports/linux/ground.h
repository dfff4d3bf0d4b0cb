/* SPDX-License-Identifier: MIT */
/* ground.h - the one machine of this process, as the files of this port share it.
 *
 * Model.  The *reserve* is one mapping of addresses that stays registered with the
 * userfaultfd for the whole life of the process.  Its *head* is the port's own: the
 * doorbell page and the scratch pages.  The rest is the *window*, in which the core
 * places areas.  Host mappings that a program fixes inside the window are *foreign*.
 *
 * A *handler* is a thread of the port's own that answers faults; it shares the address
 * space with the program, but neither descriptors nor libc.  Descriptor numbers here are
 * those of the handlers' table.
 *
 * Locking.  Fields are written before the program's first instruction, or in a fork's
 * child before it goes on, unless their type has rules of its own.
 */
#ifndef QUIRE_PORTS_LINUX_GROUND_H
#define QUIRE_PORTS_LINUX_GROUND_H

#include "ports/linux/features.h"
#include "ports/linux/ranges.h"
#include "ports/linux/segment.h"
#include "ports/linux/settings.h"
#include "quire/quire.h"

#include <stdatomic.h>

#define QUIRE_HEAD_BYTES    ((uint64_t)4 << 20)
#define QUIRE_SCRATCH_BYTES QUIRE_PAGE_BYTES

/* Numbers in the handlers' table, or -1. */
struct qr_descriptors {
	int uffd;
	int memory; /* /proc/self/mem */
	int status; /* /proc/self/status */
	int self;   /* a pidfd */
};

struct qr_ground {
	/* The machine runs: memory calls go to it. */
	_Atomic bool is_managed;
	/* A descriptor may be open by which a device writes to pages. */
	_Atomic bool has_devices;
	/* Or by which it goes on doing so after the call. */
	_Atomic bool has_async_devices;
	/* The program has locked memory: areas that go must be unlocked. */
	_Atomic bool has_locks;
	/* Mappings to come are locked. */
	_Atomic bool locks_future;

	struct quire *q;
	struct quire_port port;
	struct quire_config config;
	struct quire_settings settings;
	char swap_folder[512];
	uint32_t features; /* in use */

	struct quire_segment *segment; /* NULL: none */
	struct quire_seat *seat;       /* never NULL once the machine is being built */

	struct quire_range reserve;
	uint64_t doorbell, scratch;
	const unsigned char *zeros; /* QUIRE_FILL_MAX pages that nobody writes */
	struct qr_descriptors fds;

	struct qr_ranges foreign;   /* host mappings inside the window */
	struct qr_ranges host_anon; /* private anonymous mappings outside */
	struct qr_ranges no_fork;   /* MADV_DONTFORK */
	struct qr_ranges wipe_fork; /* MADV_WIPEONFORK */
};

extern struct qr_ground qr_ground;

static inline bool qr_is_managed(void)
{
	return atomic_load_explicit(&qr_ground.is_managed, memory_order_acquire);
}

static inline bool qr_range_has(struct quire_range range, uint64_t a)
{
	return a - range.start.a < range.end.a - range.start.a;
}

/* Names that the program finds in place of libc's. */
#define QR_EXPORT __attribute__((visibility("default")))

#endif
