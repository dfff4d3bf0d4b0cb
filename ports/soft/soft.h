/* SPDX-License-Identifier: MIT */
/* soft.h - a machine made of software, to run a core on where every step can be seen.
 *
 * Model.  It has RAM; CPUs, each with a TLB, that load and store as a program would;
 * an MMU that walks page tables by code of its own; swap disks; a clock that counts
 * calls.  It comes in two kinds.
 *   plain    frames hold the bytes of mapped pages.  The MMU reads the core's tables and
 *            sets A and D in them, as x86-64 hardware does (QUIRE_PORT_ACCESSED).
 *   copies   the *shadow*, a store keyed by page, holds the bytes of mapped pages, as the
 *            page tables of a Linux process would (QUIRE_PORT_COPIES).  The core's
 *            tables are only looked at to check the one against the other.
 * An access looks in the TLB, then in tables or shadow; what it does not find it asks
 * the fault handler for, and tries again.
 *
 * What goes wrong on command: the n-th call of a site (enum qr_soft_site) fails, a disk
 * is full, a bit flips on its way back from a disk, a page is pinned by a device.
 *
 * Always on: a fill of a mapped page, a shadow bigger than the RAM, a transfer that
 * crosses an extent, a read of a sector that was never written, a table entry that names
 * no frame: each stops the machine with a line that says so.
 *
 * Locking.  A CPU's lock is held for one access of one page, so that protect and release,
 * which take each CPU's lock in turn, return only when no access is under way on an old
 * translation.  The machine's lock guards shadow, areas, pins, waiters and counts; it is
 * taken after a CPU's, never before.
 */
#ifndef QUIRE_PORTS_SOFT_SOFT_H
#define QUIRE_PORTS_SOFT_SOFT_H

#include "quire/machine.h"
#include "quire/port.h"

#define QR_SOFT_CPUS  QUIRE_LANES_MAX
#define QR_SOFT_DISKS 64u
#define QR_SOFT_PINS  64u

struct qr_soft;

/* Called on a translation that is not there or forbids the access, from no lock. */
typedef enum quire_status qr_soft_fault_fn(void *ctx, uint32_t cpu, quire_vaddr page,
					   uint32_t access);

struct qr_soft_config {
	uint32_t nr_frames;
	bool copies;
	/* One thread only: a wait that nobody could end is a panic, QUIRE_BUSY comes back
	 * from an access, and tables are looked at in each release. */
	bool alone;
	bool no_discard;	     /* plain only: frames cost the same used or free */
	uint32_t nr_cpus;	     /* 1..QR_SOFT_CPUS */
	uint32_t nr_running;	     /* as the port says it; 0: all of them */
	uint32_t tlb_sets, tlb_ways; /* powers of two; 0: 16 sets of 4 */
	struct quire_range window;   /* 0..0: 1 GiB from 4 GiB on */
	uint32_t nr_disks;	     /* 0..QR_SOFT_DISKS */
	uint64_t disk_extents;	     /* size of each */
	uint64_t disk_room;	     /* extents that the device has room for; 0: all */
	bool disks_are_copied;	     /* fork(2) copies them too: nothing is shared */
	/* What panic does; it must not return.  NULL: a line on stderr, then abort(). */
	void (*panic)(void *ctx, const char *why);
	void *panic_ctx;
};

/* Places where a call can be made to fail. */
enum qr_soft_site {
	QR_SOFT_FILL,	  /* QUIRE_NO_MEMORY */
	QR_SOFT_LOOK,	  /* NULL */
	QR_SOFT_AREA_SET, /* QUIRE_NO_MEMORY */
	QR_SOFT_OPEN,	  /* of a disk: QUIRE_IO */
	QR_SOFT_WRITE,	  /* QUIRE_IO, and the sectors hold rubbish */
	QR_SOFT_FULL,	  /* a write: QUIRE_NO_SPACE */
	QR_SOFT_READ,	  /* QUIRE_IO, and the buffer holds rubbish */
	QR_SOFT_FLIP,	  /* a read: QUIRE_OK, and one bit is wrong */
	/* Of a file's store (store.h): QUIRE_IO, with rubbish read, half of it written, the
	 * size as it was. */
	QR_SOFT_FILE_READ,
	QR_SOFT_FILE_WRITE,
	QR_SOFT_FILE_RESIZE,
	QR_SOFT_SITES,
};

struct qr_soft_counts {
	uint64_t loads, stores, faults, waits;
	uint64_t tlb_hits, tlb_misses, tlb_flushes;
	uint64_t fills, filled_pages, fills_gone;
	uint64_t protects, releases, wakes, looks, discards;
	uint64_t transfers_in, transfers_out, disk_extents;
	uint64_t areas, pins, waiters; /* now */
};

/* NULL where the host has no memory for it. */
struct qr_soft *qr_soft_new(const struct qr_soft_config *config);
void qr_soft_destroy(struct qr_soft *soft);
/* The port of this machine; lives as long as it does. */
const struct quire_port *qr_soft_port(const struct qr_soft *soft);

/* From now on faults go to q, and the MMU starts at its root. */
void qr_soft_attach(struct qr_soft *soft, struct quire *q);
/* The same for a handler and a table that are no machine's. */
void qr_soft_boot(struct qr_soft *soft, quire_pfn root, qr_soft_fault_fn *fault,
		  void *fault_ctx);

/* bytes at va, as a program on that CPU reads and writes them; one page after the other,
 * so that a range may be done in part when it fails.  Returns what the handler said, or
 * QUIRE_FAULT where the ground itself forbids it.  One thread at a time per CPU. */
enum quire_status qr_soft_load(struct qr_soft *soft, uint32_t cpu, quire_vaddr va,
			       void *buf, size_t bytes);
enum quire_status qr_soft_store(struct qr_soft *soft, uint32_t cpu, quire_vaddr va,
				const void *buf, size_t bytes);

/* A device takes hold of a page to write to it, until it lets go; false where the page
 * cannot be written as it is (a driver would make it fault in first), or QR_SOFT_PINS are
 * held. */
bool qr_soft_pin(struct qr_soft *soft, quire_vaddr page);
void qr_soft_unpin(struct qr_soft *soft, quire_vaddr page);
/* The device writes to a page that it holds: no protection stops it. */
void qr_soft_device_store(struct qr_soft *soft, quire_vaddr va, const void *buf,
			  size_t bytes);

/* The nth call of site from now on fails (1 is the next), and the nr - 1 after it. */
void qr_soft_fail(struct qr_soft *soft, enum qr_soft_site site, uint64_t nth,
		  uint64_t nr);
/* How often the site has failed on command. */
uint64_t qr_soft_failed(struct qr_soft *soft, enum qr_soft_site site);

/* Before fork(2): each copy shares the disks that are open now, and opens later ones
 * for itself.  qr_soft_destroy() in a copy ends its share. */
void qr_soft_fork_prepare(struct qr_soft *soft);
/* In the child, before anything else: its ground does not know any more which pages were
 * protected, as the host does not in the child of a process, and no device holds any. */
void qr_soft_fork_child(struct qr_soft *soft);

struct qr_soft_counts qr_soft_counts(struct qr_soft *soft);
/* Pages that the ground has mapped: in the shadow, or present in the tables.  Nobody may
 * be at work. */
uint64_t qr_soft_mapped(struct qr_soft *soft);

/* NULL, or what is wrong between the MMU, the shadow and the core's tables, in buf.
 * Nobody may be at work. */
const char *qr_soft_validate(struct qr_soft *soft, char *buf, size_t bytes);

#endif
