/* SPDX-License-Identifier: MIT */
/* rig_linux.c - the test's own process as the ground of a rig.
 *
 * Model.  A CPU is a thread of the test; its accesses are real ones, to addresses of the
 * window.  For each CPU there is a *monitor*, a thread that answers faults as a handler
 * of the port does: the fault, then a turn of the page-out daemon, while the CPU already
 * goes on.  Monitor n has the lane behind those of the CPUs.
 *
 * An access that the machine refuses is broken off by a signal, out of which the CPU
 * jumps.  Where the machine says QUIRE_FAULT the CPU is told to try again, as programs
 * are, since the host's own protection has to forbid the access too; only if that does
 * not show is it broken off.
 *
 * With several CPUs a page may come in for one, by the work of another, while its monitor
 * still learns that there is no memory; it would then not be known whether the store that
 * is broken off was done.  So these have machines only that do not run out.
 *
 * Locking.  A monitor at work reads-locks at_work; who holds the ground has it for
 * writing. */
#include "tests/model/rig.h"

#include "ports/linux/careful.h"
#include "ports/linux/handler.h"
#include "ports/linux/seat.h"
#include "ports/linux/uffd.h"
#include "tests/model/host_window.h"
#include "tests/port/linux_ground.h"

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPUS_MAX 4u
/* How often a CPU tries again: a refusal that comes late, for an access that is over, is
 * followed by no more. */
#define REFUSALS (2 * CPUS_MAX)
/* No shadow is kept of addresses that the core takes away and brings back. */
#define UNSANITIZED __attribute__((no_sanitize("thread"))) __attribute__((noinline))

/* What the ground goes without, or does besides. */
enum kind {
	NEW,	 /* all that this host has */
	OLD,	 /* as kernels before 6.4 */
	CAREFUL, /* as when the program has devices that may hold pages */
	KINDS,
};

static const char *const kind_names[KINDS] = {"linux", "linux_old", "linux_careful"};

/* An access of a CPU, in progress while page is not 0. */
struct access {
	_Atomic pid_t tid;
	_Atomic uint64_t page;
	_Atomic uint32_t nr_refused;
	_Atomic uint32_t status; /* enum quire_status; why it was broken off */
	volatile size_t done;	 /* bytes */
	sigjmp_buf back;
};

struct monitor {
	struct ground *ground;
	uint32_t lane;
};

struct ground {
	struct quire_port port;
	struct quire *q;
	uint32_t nr_cpus;
	pthread_rwlock_t at_work;
	struct monitor monitors[CPUS_MAX];
	pthread_t threads[CPUS_MAX];
	struct access accesses[CPUS_MAX];
	struct sigaction old_segv;
};

/* Steps that run out of memory take long: each fault looks through all of it first. */
#define STEPS	    1000u
#define STEPS_SHORT 300u

#define FILE_ROW(kind_, frames_, store_)                                                 \
	{                                                                                \
		.copies = true, .kind = (kind_), .swap = QUIRE_SWAP_FILE,                \
		.frames = (frames_), .store = (store_), .disk = 4096, .steps = STEPS     \
	}
#define OTHER_ROW(kind_, swap_, frames_)                                                 \
	{                                                                                \
		.copies = true, .kind = (kind_), .swap = (swap_), .frames = (frames_),   \
		.steps = STEPS_SHORT                                                     \
	}
#define FAIL_ROW(site, nth_)                                                             \
	{                                                                                \
		.copies = true, .swap = QUIRE_SWAP_FILE, .store = 64, .disk = 4096,      \
		.steps = STEPS / 2, .fail = (site), .nth = (nth_)                        \
	}

static const struct rig_config rows[] = {
	FILE_ROW(NEW, 0, 0),
	FILE_ROW(NEW, 0, 64),
	FILE_ROW(NEW, 64, 0),
	FILE_ROW(NEW, 64, 64),
	OTHER_ROW(NEW, QUIRE_SWAP_RAM, 32),
	{.copies = true, .swap = QUIRE_SWAP_RAM, .frames = 500, .steps = STEPS_SHORT},
	OTHER_ROW(NEW, QUIRE_SWAP_NONE, 16),
	FILE_ROW(OLD, 0, 0),
	FILE_ROW(OLD, 0, 64),
	FILE_ROW(OLD, 64, 0),
	FILE_ROW(OLD, 64, 64),
	OTHER_ROW(OLD, QUIRE_SWAP_RAM, 32),
	OTHER_ROW(OLD, QUIRE_SWAP_NONE, 16),
	FILE_ROW(CAREFUL, 0, 64),
	FILE_ROW(CAREFUL, 64, 0),
	{.copies = true,
	 .swap = QUIRE_SWAP_FILE,
	 .frames = 64,
	 .disk = 4096,
	 .room = 16,
	 .steps = 400},
	FAIL_ROW(GROUND_WRITE, 9),
	FAIL_ROW(GROUND_READ, 9),
	FAIL_ROW(GROUND_FLIP, 9),
	FAIL_ROW(RIG_EXPAND, 99),
	FAIL_ROW(RIG_FRAME, 999),
};

static const struct ground_suite suite = {
	.name = "model, Linux",
	.rows = rows,
	.nr_rows = sizeof(rows) / sizeof(rows[0]),
	.nr_seeds = 1,
};

/* The access that this thread is in; NULL: none. */
static _Thread_local struct access *mine;

/* One table of descriptors serves all threads: each may do what needs a handler's. */
bool __wrap_qr_handler_is_here(void);
bool __wrap_qr_handler_is_here(void)
{
	return true;
}

/* Where a program would be killed, the test has its replay id printed. */
void __wrap_qr_seat_die(struct qr_text *text, enum quire_seat_end end);
void __wrap_qr_seat_die(struct qr_text *text, enum quire_seat_end end)
{
	(void)end;
	fprintf(stderr, "%s\n", qr_text_end(text));
	abort();
}

static struct linux_ground_config ground_config(uint32_t kind, uint32_t nr_frames,
						uint32_t nr_extents)
{
	const uint32_t newer = QUIRE_FEATURE_MOVE | QUIRE_FEATURE_WP_UNPOPULATED |
			       QUIRE_FEATURE_RELEASE_VECTOR;

	return (struct linux_ground_config){
		.ram_bytes = (uint64_t)nr_frames << QUIRE_PAGE_SHIFT,
		.swap_bytes = (uint64_t)nr_extents << QUIRE_EXTENT_SHIFT,
		.without = kind == OLD ? newer : 0,
	};
}

const char *ground_missing(void)
{
	const struct linux_ground_config config = ground_config(NEW, 1, 1);
	const char *missing = linux_ground_make(&config);

	linux_ground_drop();
	return missing;
}

const struct ground_suite *ground_suite(void)
{
	return &suite;
}

const char *ground_name(const struct rig_config *config)
{
	return kind_names[config->kind];
}

bool ground_named(const char *name, struct rig_config *config)
{
	config->copies = true;
	config->kind = 0;
	while (config->kind < KINDS && strcmp(kind_names[config->kind], name) != 0)
		config->kind++;
	return config->kind < KINDS;
}

bool ground_takes(const struct rig_config *config)
{
	return config->copies && config->lanes <= CPUS_MAX &&
	       (config->lanes == 1 ||
		(config->swap == QUIRE_SWAP_FILE && config->room == 0));
}

bool ground_is_timed(void)
{
	return true;
}

uint32_t ground_lanes(const struct rig_config *config)
{
	return 2 * config->lanes;
}

static void on_segv(int number, siginfo_t *info, void *context)
{
	struct access *a = mine;
	uint64_t page = (uint64_t)(uintptr_t)info->si_addr & ~(QUIRE_PAGE_BYTES - 1);

	(void)number;
	(void)context;
	if (info->si_code == SI_TKILL) {
		if (a == NULL)
			return;
	} else {
		/* The test's own mistake. */
		if (a == NULL || page != atomic_load(&a->page))
			abort();
		atomic_store(&a->status, QUIRE_FAULT);
	}
	siglongjmp(a->back, 1);
}

static struct access *access_of(struct ground *ground, pid_t tid, quire_vaddr page)
{
	for (uint32_t i = 0; i < ground->nr_cpus; i++) {
		struct access *a = &ground->accesses[i];

		if (atomic_load(&a->tid) == tid && atomic_load(&a->page) == page.a)
			return a;
	}
	return NULL;
}

/* What becomes of the CPU after its fault. */
static void settle(struct ground *ground, pid_t tid, quire_vaddr page,
		   enum quire_status status)
{
	struct access *a = access_of(ground, tid, page);

	if (status == QUIRE_OK || status == QUIRE_BUSY)
		return;
	if (a == NULL ||
	    (status == QUIRE_FAULT && atomic_fetch_add(&a->nr_refused, 1) < REFUSALS)) {
		qr_uffd_wake((struct quire_run){page, 1});
		return;
	}
	atomic_store(&a->status, status);
	(void)syscall(SYS_tgkill, getpid(), tid, SIGSEGV);
}

static void *watch(void *arg)
{
	const struct monitor *m = arg;
	struct ground *ground = m->ground;
	struct uffd_msg msg;

	while (linux_ground_next_fault(&msg)) {
		quire_vaddr page = {msg.arg.pagefault.address & ~(QUIRE_PAGE_BYTES - 1)};
		enum quire_status status;

		pthread_rwlock_rdlock(&ground->at_work);
		status = quire_fault(ground->q, m->lane, page, linux_ground_access(&msg));
		settle(ground, (pid_t)msg.arg.pagefault.feat.ptid, page, status);
		(void)quire_balance(ground->q, m->lane);
		pthread_rwlock_unlock(&ground->at_work);
	}
	return NULL;
}

/* The window lies to the tables as the seed says: not each host's mapping begins where a
 * table does. */
static struct quire_range cut_window(struct quire_range window, uint64_t seed,
				     uint32_t nr_pages)
{
	const uint64_t align = UINT64_C(1) << 30;
	uint64_t start = (window.start.a + align - 1) & ~(align - 1);

	start += seed % 512 << QUIRE_PAGE_SHIFT;
	return (struct quire_range){{start},
				    {start + ((uint64_t)nr_pages << QUIRE_PAGE_SHIFT)}};
}

struct ground *ground_open(const struct rig_config *config, uint32_t nr_frames,
			   uint32_t nr_pages)
{
	const struct linux_ground_config linux = ground_config(
		config->kind, nr_frames, config->room != 0 ? config->room : config->disk);
	const struct sigaction action = {
		.sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	struct ground *ground = calloc(1, sizeof(*ground));

	if (ground == NULL || linux_ground_make(&linux) != NULL)
		return NULL;
	if (config->kind == CAREFUL)
		qr_careful_begin(false);
	pthread_rwlock_init(&ground->at_work, NULL);
	ground->nr_cpus = config->lanes;
	qr_ground.port.window = cut_window(qr_ground.port.window, config->seed, nr_pages);
	/* From two on protections are set in longer runs. */
	qr_ground.port.nr_running = 1 + config->seed % 2;
	ground->port = qr_ground.port;
	sigaction(SIGSEGV, &action, &ground->old_segv);
	return ground;
}

const struct quire_port *ground_port(const struct ground *ground)
{
	return &ground->port;
}

void ground_attach(struct ground *ground, struct quire *q)
{
	ground->q = q;
	for (uint32_t i = 0; i < ground->nr_cpus; i++) {
		ground->monitors[i] = (struct monitor){ground, ground->nr_cpus + i};
		if (pthread_create(&ground->threads[i], NULL, watch,
				   &ground->monitors[i]) != 0)
			abort();
	}
}

void ground_detach(struct ground *ground)
{
	linux_ground_end(ground->threads, ground->nr_cpus);
}

void ground_close(struct ground *ground)
{
	sigaction(SIGSEGV, &ground->old_segv, NULL);
	pthread_rwlock_destroy(&ground->at_work);
	linux_ground_drop();
	free(ground);
}

/* Each byte is an access of its own: between two of them the page may go. */
UNSANITIZED static void copy(struct access *a, volatile unsigned char *to,
			     const volatile unsigned char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		to[i] = from[i];
		a->done = i + 1;
	}
}

static enum quire_status access_page(struct ground *ground, uint32_t cpu, quire_vaddr va,
				     void *to, const void *from, size_t bytes)
{
	struct access *a = &ground->accesses[cpu];

	a->done = 0;
	atomic_store(&a->tid, (pid_t)syscall(SYS_gettid));
	atomic_store(&a->nr_refused, 0);
	atomic_store(&a->status, QUIRE_OK);
	mine = a;
	if (sigsetjmp(a->back, 0) == 0) {
		atomic_store(&a->page, va.a & ~(QUIRE_PAGE_BYTES - 1));
		copy(a, to, from, bytes);
	}
	atomic_store(&a->page, 0);
	mine = NULL;
	return (enum quire_status)atomic_load(&a->status);
}

enum quire_status ground_load(struct ground *ground, uint32_t cpu, quire_vaddr va,
			      void *buf, size_t bytes)
{
	return access_page(ground, cpu, va, buf, (const void *)va.a, bytes);
}

enum quire_status ground_store(struct ground *ground, uint32_t cpu, quire_vaddr va,
			       const void *buf, size_t bytes, size_t *done)
{
	enum quire_status status = access_page(ground, cpu, va, (void *)va.a, buf, bytes);

	*done = ground->accesses[cpu].done;
	return status;
}

/* Tests of direct and asynchronous I/O have devices. */
bool ground_pin(struct ground *ground, quire_vaddr page)
{
	(void)ground;
	(void)page;
	return false;
}

void ground_unpin(struct ground *ground, quire_vaddr page)
{
	(void)ground;
	(void)page;
}

void ground_device_store(struct ground *ground, quire_vaddr va, const void *buf,
			 size_t bytes)
{
	(void)ground;
	(void)va;
	(void)buf;
	(void)bytes;
}

/* A process that forks gives its child new monitors: programs under the library do. */
bool ground_can_fork(void)
{
	return false;
}

void ground_fork_prepare(struct ground *ground)
{
	(void)ground;
}

void ground_fork_child(struct ground *ground)
{
	(void)ground;
}

static bool transfer_of(enum ground_site site, enum linux_transfer *transfer)
{
	*transfer = site == GROUND_WRITE  ? LINUX_WRITE
		    : site == GROUND_READ ? LINUX_READ
					  : LINUX_FLIP;
	return site == GROUND_WRITE || site == GROUND_READ || site == GROUND_FLIP;
}

bool ground_fail(struct ground *ground, enum ground_site site, uint64_t nth)
{
	enum linux_transfer transfer;

	(void)ground;
	if (!transfer_of(site, &transfer))
		return false;
	linux_ground_fail(transfer, nth);
	return true;
}

uint64_t ground_failed(struct ground *ground, enum ground_site site)
{
	enum linux_transfer transfer;

	(void)ground;
	return transfer_of(site, &transfer) && linux_ground_failed(transfer);
}

void ground_hold(struct ground *ground)
{
	pthread_rwlock_wrlock(&ground->at_work);
}

void ground_let_go(struct ground *ground)
{
	pthread_rwlock_unlock(&ground->at_work);
}

uint64_t ground_mapped(struct ground *ground)
{
	return host_window_pages(ground->port.window);
}

const char *ground_validate(struct ground *ground, char *buf, size_t bytes)
{
	return host_window_check(ground->q, ground->port.window, buf, bytes);
}
