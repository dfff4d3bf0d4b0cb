/* SPDX-License-Identifier: MIT */
/* parts.h - what the files of the software machine share. */
#ifndef QUIRE_PORTS_SOFT_PARTS_H
#define QUIRE_PORTS_SOFT_PARTS_H

#include "ports/soft/soft.h"

#include <pthread.h>
#include <stdatomic.h>

/* What a discarded frame and a failed read hold: whoever relies on the bytes meets it. */
#define QR_SOFT_RUBBISH 0xdb

/* Where a page's bytes are, and what may be done to them. */
struct qr_soft_translation {
	unsigned char *bytes;
	bool writable;
	bool dirty; /* plain: D is set already */
};

struct qr_soft_tlb_entry {
	bool valid;
	uint64_t page; /* address */
	struct qr_soft_translation to;
};

struct qr_soft_tlb {
	uint32_t sets, ways;
	uint32_t next_way; /* the victim, round robin */
	struct qr_soft_tlb_entry *entries;
	uint64_t hits, misses, flushes;
};

struct qr_soft_cpu {
	pthread_mutex_t lock; /* guards all below */
	struct qr_soft_tlb tlb;
	uint64_t loads, stores, faults, waits;
};

struct qr_soft_shadow_page {
	struct qr_soft_shadow_page *next; /* in its bucket, or on a list of dead ones */
	uint64_t page;
	bool protected;
	unsigned char bytes[QUIRE_PAGE_BYTES];
};

struct qr_soft_shadow {
	struct qr_soft_shadow_page **buckets;
	uint32_t nr_buckets; /* a power of two */
	uint64_t nr_pages;
};

struct qr_soft_area {
	uint64_t start, end;
	uint32_t prot;
};

/* Areas in order of address; neighbours that differ in nothing are one. */
struct qr_soft_areas {
	struct qr_soft_area *at;
	uint32_t nr, room;
};

/* One access that waits for its page; on the stack of the thread that waits. */
struct qr_soft_waiter {
	struct qr_soft_waiter *next;
	uint64_t page;
	bool woken;
};

struct qr_soft_injection {
	uint64_t nth, nr; /* nth 0: off */
	uint64_t failed;
};

struct qr_soft_disk {
	bool open;
	_Atomic uint32_t *shares; /* copies of the machine that hold it; shared memory */
	unsigned char *data;	  /* shared memory, as is sectors */
	uint8_t *sectors;	  /* one byte an extent: bit n, page n was written */
	uint64_t nr_written;	  /* extents */
};

struct qr_soft {
	struct qr_soft_config config;
	struct quire_port port;
	quire_pfn root;
	bool booted;
	qr_soft_fault_fn *fault;
	void *fault_ctx;
	_Atomic uint64_t ticks;
	struct qr_soft_cpu cpus[QR_SOFT_CPUS];

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t woken;
	struct qr_soft_shadow shadow;
	struct qr_soft_areas areas;
	struct qr_soft_waiter *waiters;
	uint64_t pins[QR_SOFT_PINS];
	uint32_t nr_pins;
	struct qr_soft_injection injections[QR_SOFT_SITES];
	struct qr_soft_disk disks[QR_SOFT_DISKS];
	struct qr_soft_counts counts; /* those that no CPU counts */

	pthread_mutex_t sleep_lock; /* wait and notify */
	pthread_cond_t sleepers;
};

/* soft.c */
void qr_soft_panic(struct qr_soft *soft, const char *why) __attribute__((noreturn));

/* inject.c: whether this call of the site is to fail; the machine's lock is held. */
bool qr_soft_fails(struct qr_soft *soft, enum qr_soft_site site);

/* tlb.c: a CPU's lock is held, save in flush, which takes each. */
bool qr_soft_tlb_init(struct qr_soft_tlb *tlb, uint32_t sets, uint32_t ways);
struct qr_soft_tlb_entry *qr_soft_tlb_find(struct qr_soft_tlb *tlb, uint64_t page);
void qr_soft_tlb_insert(struct qr_soft_tlb *tlb, uint64_t page,
			struct qr_soft_translation to);
void qr_soft_tlb_flush(struct qr_soft *soft, const struct quire_run *runs, uint32_t nr);

/* walk.c: the core's tables, read by code of its own. */
struct qr_soft_entry {
	quire_pfn pfn;
	bool is_present;	/* also where the access is not allowed */
	bool writable;		/* at every level */
	bool executable;	/* at every level */
	bool dirty;		/* qr_soft_walk_space: D is set */
	uint32_t shift;		/* size of the page */
	_Atomic uint64_t *leaf; /* where it stands */
};
/* Whether a page is present, be it for the program or not. */
bool qr_soft_walk(struct qr_soft *soft, uint64_t page, struct qr_soft_entry *out);
/* The same for an access: sets A, and D for a write.  False: it faults. */
bool qr_soft_walk_access(struct qr_soft *soft, uint64_t page, bool write,
			 struct qr_soft_translation *out);
/* Tables of a space of its own; access as QUIRE_READ and so on, 0: only looks.  False: it
 * faults, and out->is_present says why. */
struct qr_soft_space {
	uint64_t root;
	uint32_t levels; /* 4 or 5 */
};
bool qr_soft_walk_space(struct qr_soft *soft, const struct qr_soft_space *space,
			uint64_t page, uint32_t access, struct qr_soft_entry *out);
/* Calls visit for each page that the tables make present, until it returns false. */
typedef bool qr_soft_visit_fn(struct qr_soft *soft, void *ctx, uint64_t page,
			      const struct qr_soft_entry *entry);
void qr_soft_walk_all(struct qr_soft *soft, qr_soft_visit_fn *visit, void *ctx);

/* shadow.c: the machine's lock is held. */
bool qr_soft_shadow_init(struct qr_soft_shadow *shadow, uint32_t nr_frames);
void qr_soft_shadow_destroy(struct qr_soft_shadow *shadow);
struct qr_soft_shadow_page *qr_soft_shadow_find(struct qr_soft_shadow *shadow,
						uint64_t page);
void qr_soft_shadow_add(struct qr_soft *soft, uint64_t page, const void *src,
			bool protected);
/* Takes the pages of a run out, onto *dead; kept_at(page) says which stay. */
typedef bool qr_soft_keep_fn(void *ctx, uint64_t page);
void qr_soft_shadow_take(struct qr_soft_shadow *shadow, struct quire_run run,
			 qr_soft_keep_fn *keep, void *ctx,
			 struct qr_soft_shadow_page **dead);
void qr_soft_shadow_bury(struct qr_soft_shadow_page *dead);
void qr_soft_shadow_protect(struct qr_soft_shadow *shadow, struct quire_run run, bool on);

/* areas.c: the machine's lock is held. */
bool qr_soft_areas_set(struct qr_soft_areas *areas, struct quire_range range,
		       uint32_t prot);
const struct qr_soft_area *qr_soft_areas_find(const struct qr_soft_areas *areas,
					      uint64_t page);

/* mmu.c: waiters of the run try again; the machine's lock is held. */
void qr_soft_wake_run(struct qr_soft *soft, struct quire_run run);

/* device.c: the machine's lock is held. */
bool qr_soft_is_pinned(const struct qr_soft *soft, uint64_t page);
void qr_soft_pins_drop(struct qr_soft *soft, struct quire_run run);

/* ops.c and disk.c: the port's ops. */
void qr_soft_ops_install(struct quire_port *port, const struct qr_soft_config *config);
void qr_soft_disk_install(struct quire_port *port);
void qr_soft_disks_destroy(struct qr_soft *soft);

static inline bool qr_soft_run_has(struct quire_run run, uint64_t page)
{
	return page >= run.start.a && page - run.start.a < run.nr << QUIRE_PAGE_SHIFT;
}

#endif
