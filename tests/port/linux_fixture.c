/* SPDX-License-Identifier: MIT */
/* linux_fixture.c - a Linux process as ground for the contract suite.
 *
 * The fixture has the userfaultfd in its own descriptor table and no handlers: a monitor
 * thread reads the faults.  A fault of a probe is noted, and the thread broken off by a
 * signal, out of which it jumps; a fault of the access that begin() started is counted,
 * and the thread left waiting.
 */
#include "tests/port/linux_fixture.h"
#include "tests/port/linux_ground.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RAM_BYTES    ((uint64_t)4 << 20)
#define SWAP_EXTENTS 64u
#define FIRST_FRAME  16u
#define BREAK_OFF    SIGUSR1
#define NO_FAULT     0u

/* A probe in progress, by caller. */
struct probe {
	_Atomic pid_t tid;
	_Atomic uint32_t access; /* how it faulted */
	sigjmp_buf back;
};

struct linux_fixture {
	struct port_fixture f;
	struct quire_port
		port; /* the ground's, with transfers that can be made to fail */
	char text[128];
	struct sigaction old_segv, old_break;
	struct probe probes[PORT_THREADS];

	pthread_t monitor;

	pthread_t waiter;
	_Atomic pid_t waiter_tid;
	_Atomic uint32_t nr_faults;
	quire_vaddr va;
	bool write;
	unsigned char byte;

	bool is_full;
};

/* Whose probe the thread is in; NULL: none. */
static _Thread_local struct probe *mine;

static struct linux_fixture *self(struct port_fixture *f)
{
	return (struct linux_fixture *)(void *)f;
}

static void on_signal(int number)
{
	if (mine == NULL)
		abort();
	if (number == SIGSEGV)
		atomic_store(&mine->access, NO_FAULT);
	siglongjmp(mine->back, number);
}

static void take_access(quire_vaddr va, bool write, unsigned char *byte)
{
	volatile unsigned char *at = (volatile unsigned char *)va.a;

	if (write)
		*at = *byte;
	else
		*byte = *at;
}

static enum port_access probe(struct port_fixture *f, uint32_t thread, quire_vaddr va,
			      bool write, unsigned char *byte)
{
	struct probe *p = &self(f)->probes[thread];
	int number;

	mine = p;
	number = sigsetjmp(p->back, 1);
	if (number == 0) {
		atomic_store(&p->tid, (pid_t)syscall(SYS_gettid));
		take_access(va, write, byte);
	}
	atomic_store(&p->tid, 0);
	mine = NULL;
	if (number == 0)
		return PORT_DONE;
	if (number == SIGSEGV)
		return PORT_DENIED;
	return atomic_load(&p->access) == QUIRE_WRITE ? PORT_FAULT_WRITE
						      : PORT_FAULT_READ;
}

static enum port_access fixture_load(struct port_fixture *f, uint32_t thread,
				     quire_vaddr va, unsigned char *byte)
{
	return probe(f, thread, va, false, byte);
}

static enum port_access fixture_store(struct port_fixture *f, uint32_t thread,
				      quire_vaddr va, unsigned char byte)
{
	return probe(f, thread, va, true, &byte);
}

static void break_off(struct linux_fixture *l, pid_t tid, uint32_t access)
{
	for (uint32_t i = 0; i < PORT_THREADS; i++) {
		struct probe *p = &l->probes[i];

		if (atomic_load(&p->tid) != tid)
			continue;
		atomic_store(&p->access, access);
		(void)syscall(SYS_tgkill, getpid(), tid, BREAK_OFF);
	}
}

static void *watch(void *arg)
{
	struct linux_fixture *l = arg;
	struct uffd_msg msg;

	while (linux_ground_next_fault(&msg)) {
		pid_t tid = (pid_t)msg.arg.pagefault.feat.ptid;

		if (tid == atomic_load(&l->waiter_tid))
			atomic_fetch_add(&l->nr_faults, 1);
		else
			break_off(l, tid, linux_ground_access(&msg));
	}
	return NULL;
}

static void *run_access(void *arg)
{
	struct linux_fixture *l = arg;

	atomic_store(&l->waiter_tid, (pid_t)syscall(SYS_gettid));
	take_access(l->va, l->write, &l->byte);
	return NULL;
}

static void fixture_begin(struct port_fixture *f, quire_vaddr va, bool write,
			  unsigned char byte)
{
	struct linux_fixture *l = self(f);

	l->va = va;
	l->write = write;
	l->byte = byte;
	atomic_store(&l->nr_faults, 0);
	if (pthread_create(&l->waiter, NULL, run_access, l) != 0)
		abort();
}

static void fixture_await_faults(struct port_fixture *f, uint32_t nr)
{
	while (atomic_load(&self(f)->nr_faults) < nr)
		usleep(100);
}

static unsigned char fixture_end(struct port_fixture *f)
{
	struct linux_fixture *l = self(f);

	pthread_join(l->waiter, NULL);
	atomic_store(&l->waiter_tid, 0);
	return l->byte;
}

/* Which pages a device holds shows when they are looked at, not when they are released
 * (careful.c); tests of direct and asynchronous I/O say whether that is right. */
static bool fixture_pin(struct port_fixture *f, quire_vaddr page)
{
	(void)f;
	(void)page;
	return false;
}

static void fixture_unpin(struct port_fixture *f, quire_vaddr page)
{
	(void)f;
	(void)page;
}

static void fixture_lose(struct port_fixture *f, quire_vaddr page, uint32_t nr)
{
	(void)f;
	if (mmap((void *)page.a, nr * QUIRE_PAGE_BYTES, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		abort();
}

/* The host's memory cannot be used up on command. */
static bool fixture_fail_next(struct port_fixture *f, enum port_failure failure)
{
	switch (failure) {
	case PORT_FAIL_FILL:
		return false;
	case PORT_FAIL_WRITE:
		linux_ground_fail(LINUX_WRITE, 1);
		break;
	case PORT_FAIL_FULL:
		self(f)->is_full = true;
		break;
	case PORT_FAIL_READ:
		linux_ground_fail(LINUX_READ, 1);
		break;
	}
	return true;
}

/* The disk is full for one write: a bound that has been reached. */
static enum quire_status swap_write(void *ctx, uint32_t area, uint64_t extent,
				    const quire_pfn *pfns, uint32_t nr)
{
	struct linux_fixture *l = ctx;
	struct quire_settings *s = &qr_ground.settings;
	enum quire_status status;

	if (l->is_full)
		s->swap_bytes = QUIRE_EXTENT_BYTES;
	l->is_full = false;
	status = qr_ground.port.swap_write(NULL, area, extent, pfns, nr);
	s->swap_bytes = SWAP_EXTENTS * QUIRE_EXTENT_BYTES;
	return status;
}

static uint32_t count_pages(const struct linux_fixture *l)
{
	unsigned char resident[PORT_PAGES];
	uint32_t nr = 0;

	if (mincore((void *)l->f.base.a, PORT_PAGES * QUIRE_PAGE_BYTES, resident) != 0)
		return PORT_PAGES;
	for (uint32_t i = 0; i < PORT_PAGES; i++)
		nr += resident[i] & 1;
	return nr;
}

/* Mappings of the window that may be accessed. */
static uint32_t count_areas(void)
{
	const struct quire_range window = qr_ground.port.window;
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char prot[8], line[512];
	uint32_t nr = 0;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %7s", &start, &end, prot) == 3 &&
		    start >= window.start.a && start < window.end.a)
			nr += strncmp(prot, "---", 3) != 0;
	if (maps == NULL)
		return 1;
	fclose(maps);
	return nr;
}

static const char *fixture_held(struct port_fixture *f)
{
	struct linux_fixture *l = self(f);
	uint32_t pages = count_pages(l), areas = count_areas();

	if (pages == 0 && areas == 0)
		return NULL;
	snprintf(l->text, sizeof(l->text), "%u pages, %u areas", pages, areas);
	return l->text;
}

static void fixture_close(struct port_fixture *f)
{
	struct linux_fixture *l = self(f);

	linux_ground_end(&l->monitor, 1);
	sigaction(SIGSEGV, &l->old_segv, NULL);
	sigaction(BREAK_OFF, &l->old_break, NULL);
	linux_ground_drop();
	free(l);
}

static void take_signals(struct linux_fixture *l)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, &l->old_segv);
	sigaction(BREAK_OFF, &action, &l->old_break);
}

static struct port_fixture *make(uint32_t without)
{
	const struct linux_ground_config config = {
		.ram_bytes = RAM_BYTES,
		.swap_bytes = SWAP_EXTENTS * QUIRE_EXTENT_BYTES,
		.without = without,
	};
	struct linux_fixture *l = calloc(1, sizeof(*l));
	const char *missing;

	if (l == NULL)
		return NULL;
	missing = linux_ground_make(&config);
	if (missing != NULL) {
		fprintf(stderr, "skip: this host lacks %s\n", missing);
		linux_ground_drop();
		free(l);
		return NULL;
	}
	l->port = qr_ground.port;
	l->port.ctx = l;
	l->port.swap_write = swap_write;
	l->f = (struct port_fixture){
		.port = &l->port,
		.base = qr_ground.port.window.start,
		.first_frame = FIRST_FRAME,
		.load = fixture_load,
		.store = fixture_store,
		.begin = fixture_begin,
		.await_faults = fixture_await_faults,
		.end = fixture_end,
		.pin = fixture_pin,
		.unpin = fixture_unpin,
		.fail_next = fixture_fail_next,
		.lose = fixture_lose,
		.held = fixture_held,
		.close = fixture_close,
	};
	take_signals(l);
	if (pthread_create(&l->monitor, NULL, watch, l) != 0)
		abort();
	return &l->f;
}

struct port_fixture *linux_fixture(void)
{
	return make(0);
}

struct port_fixture *linux_fixture_old(void)
{
	return make(QUIRE_FEATURE_MOVE | QUIRE_FEATURE_WP_UNPOPULATED |
		    QUIRE_FEATURE_RELEASE_VECTOR);
}
