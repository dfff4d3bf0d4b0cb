/* SPDX-License-Identifier: MIT */
/* soft_fixture.c - the software machine as ground for the contract suite. */
#include "ports/soft/soft.h"
#include "tests/port/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_FRAMES    512u
#define NR_TABLES    8u
#define CPU_WAITS    PORT_THREADS /* the CPU that begin() runs on */
#define NR_DISKS     2u
#define DISK_EXTENTS 16u

struct soft_fixture {
	struct port_fixture f;
	struct qr_soft *soft;
	uint32_t nr_tables; /* frames 0.. that hold tables; 0 is the root */
	uint32_t fault_access[PORT_THREADS];
	char text[128];

	pthread_t thread;
	quire_vaddr va; /* of the access that begin() started */
	bool write;
	unsigned char byte;
	pthread_mutex_t lock; /* guards nr_faults */
	pthread_cond_t faulted;
	uint32_t nr_faults;
};

static struct soft_fixture *self(struct port_fixture *f)
{
	return (struct soft_fixture *)(void *)f;
}

static enum quire_status on_fault(void *ctx, uint32_t cpu, quire_vaddr page,
				  uint32_t access)
{
	struct soft_fixture *s = ctx;

	(void)page;
	if (cpu != CPU_WAITS) {
		s->fault_access[cpu] = access;
		return QUIRE_INVALID; /* no further: the access only wants to know */
	}
	pthread_mutex_lock(&s->lock);
	s->nr_faults++;
	pthread_cond_broadcast(&s->faulted);
	pthread_mutex_unlock(&s->lock);
	return QUIRE_BUSY;
}

static enum port_access outcome(const struct soft_fixture *s, uint32_t thread,
				enum quire_status status)
{
	if (status == QUIRE_OK)
		return PORT_DONE;
	if (status == QUIRE_FAULT)
		return PORT_DENIED;
	return s->fault_access[thread] == QUIRE_WRITE ? PORT_FAULT_WRITE
						      : PORT_FAULT_READ;
}

static enum port_access fixture_load(struct port_fixture *f, uint32_t thread,
				     quire_vaddr va, unsigned char *byte)
{
	struct soft_fixture *s = self(f);

	return outcome(s, thread, qr_soft_load(s->soft, thread, va, byte, 1));
}

static enum port_access fixture_store(struct port_fixture *f, uint32_t thread,
				      quire_vaddr va, unsigned char byte)
{
	struct soft_fixture *s = self(f);

	return outcome(s, thread, qr_soft_store(s->soft, thread, va, &byte, 1));
}

static void *run_access(void *arg)
{
	struct soft_fixture *s = arg;
	enum quire_status status;

	status = s->write ? qr_soft_store(s->soft, CPU_WAITS, s->va, &s->byte, 1)
			  : qr_soft_load(s->soft, CPU_WAITS, s->va, &s->byte, 1);
	if (status != QUIRE_OK) {
		fprintf(stderr, "an access that waits was refused: status %d\n",
			(int)status);
		abort();
	}
	return NULL;
}

static void fixture_begin(struct port_fixture *f, quire_vaddr va, bool write,
			  unsigned char byte)
{
	struct soft_fixture *s = self(f);

	s->va = va;
	s->write = write;
	s->byte = byte;
	s->nr_faults = 0;
	if (pthread_create(&s->thread, NULL, run_access, s) != 0)
		abort();
}

static void fixture_await_faults(struct port_fixture *f, uint32_t nr)
{
	struct soft_fixture *s = self(f);

	pthread_mutex_lock(&s->lock);
	while (s->nr_faults < nr)
		pthread_cond_wait(&s->faulted, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static unsigned char fixture_end(struct port_fixture *f)
{
	struct soft_fixture *s = self(f);

	pthread_join(s->thread, NULL);
	return s->byte;
}

/* The entry for page; tables are made on the way where make says so. */
static _Atomic uint64_t *entry_of(struct soft_fixture *s, uint64_t page, bool make)
{
	uint64_t table = 0;

	for (int shift = 39;; shift -= 9) {
		unsigned char *frame = s->f.port->direct + table * QUIRE_PAGE_BYTES;
		_Atomic uint64_t *entries = (_Atomic uint64_t *)(void *)frame;
		_Atomic uint64_t *entry = &entries[page >> shift & 511];

		if (shift == 12)
			return entry;
		if (atomic_load(entry) == 0) {
			if (!make || s->nr_tables == NR_TABLES)
				abort();
			atomic_store(entry, (uint64_t)s->nr_tables++ << 12 | 7);
		}
		table = atomic_load(entry) >> 12;
	}
}

static void fixture_map(struct port_fixture *f, quire_vaddr page, quire_pfn pfn,
			bool writable)
{
	atomic_store(entry_of(self(f), page.a, true),
		     (uint64_t)pfn.n << 12 | 5 | (writable ? 2u : 0));
}

static void fixture_unmap(struct port_fixture *f, quire_vaddr page)
{
	atomic_store(entry_of(self(f), page.a, true), 0);
}

static bool fixture_pin(struct port_fixture *f, quire_vaddr page)
{
	return qr_soft_pin(self(f)->soft, page);
}

static void fixture_unpin(struct port_fixture *f, quire_vaddr page)
{
	qr_soft_unpin(self(f)->soft, page);
}

static void fixture_lose(struct port_fixture *f, quire_vaddr page, uint32_t nr)
{
	struct quire_range range = {page, {page.a + nr * QUIRE_PAGE_BYTES}};

	if (f->port->area_set(f->port->ctx, range, QUIRE_PROT_GONE) != QUIRE_OK)
		abort();
}

static bool fixture_fail_next(struct port_fixture *f, enum port_failure failure)
{
	static const enum qr_soft_site sites[] = {
		[PORT_FAIL_FILL] = QR_SOFT_FILL,
		[PORT_FAIL_WRITE] = QR_SOFT_WRITE,
		[PORT_FAIL_FULL] = QR_SOFT_FULL,
		[PORT_FAIL_READ] = QR_SOFT_READ,
	};

	qr_soft_fail(self(f)->soft, sites[failure], 1, 1);
	return true;
}

static const char *fixture_held(struct port_fixture *f)
{
	struct soft_fixture *s = self(f);
	struct qr_soft_counts counts = qr_soft_counts(s->soft);
	uint64_t mapped = qr_soft_mapped(s->soft);

	if (mapped + counts.areas + counts.pins + counts.waiters != 0) {
		snprintf(s->text, sizeof(s->text),
			 "%llu pages, %llu areas, %llu pins, %llu waiters",
			 (unsigned long long)mapped, (unsigned long long)counts.areas,
			 (unsigned long long)counts.pins,
			 (unsigned long long)counts.waiters);
		return s->text;
	}
	return qr_soft_validate(s->soft, s->text, sizeof(s->text));
}

static void fixture_close(struct port_fixture *f)
{
	struct soft_fixture *s = self(f);

	qr_soft_destroy(s->soft);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->faulted);
	free(s);
}

static struct port_fixture *make(bool copies)
{
	const struct qr_soft_config config = {
		.nr_frames = NR_FRAMES,
		.copies = copies,
		.nr_cpus = PORT_THREADS + 1,
		.nr_disks = NR_DISKS,
		.disk_extents = DISK_EXTENTS,
	};
	struct soft_fixture *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->soft = qr_soft_new(&config);
	if (s->soft == NULL) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->faulted, NULL);
	s->nr_tables = 1;
	s->f = (struct port_fixture){
		.port = qr_soft_port(s->soft),
		.base = qr_soft_port(s->soft)->window.start,
		.first_frame = NR_TABLES,
		.load = fixture_load,
		.store = fixture_store,
		.begin = fixture_begin,
		.await_faults = fixture_await_faults,
		.end = fixture_end,
		.map = copies ? NULL : fixture_map,
		.unmap = copies ? NULL : fixture_unmap,
		.pin = fixture_pin,
		.unpin = fixture_unpin,
		.fail_next = fixture_fail_next,
		.lose = fixture_lose,
		.held = fixture_held,
		.close = fixture_close,
	};
	qr_soft_boot(s->soft, (quire_pfn){0}, on_fault, s);
	return &s->f;
}

struct port_fixture *soft_fixture_plain(void)
{
	return make(false);
}

struct port_fixture *soft_fixture_copies(void)
{
	return make(true);
}
