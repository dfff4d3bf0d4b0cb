/* SPDX-License-Identifier: MIT */
/* handler.c - the threads that answer faults. */
#include "ports/linux/handler.h"

#include "ports/linux/doorbell.h"
#include "ports/linux/features.h"
#include "ports/linux/ground.h"
#include "ports/linux/outcome.h"
#include "ports/linux/pin.h"
#include "ports/linux/place.h"
#include "ports/linux/swapfile.h"
#include "ports/linux/sys.h"
#include "ports/linux/text.h"
#include "ports/linux/thread.h"
#include "ports/linux/uffd.h"
#include "ports/linux/uffd_abi.h"
#include "ports/linux/window.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define STACK_BYTES ((size_t)64 << 10)
#define GUARD_BYTES QUIRE_PAGE_BYTES

/* What a thread area must have on x86-64: its own address, for code that asks where it
 * is, and the canary of stack protectors.  libc's own fields lie around it; room is left
 * for them so that a stray access hits nothing else. */
#define AREA_BYTES  QUIRE_PAGE_BYTES
#define AREA_OFFSET (AREA_BYTES / 2)
#define AREA_SELF   (0x10 / sizeof(uint64_t))
#define AREA_CANARY (0x28 / sizeof(uint64_t))

#define THREAD_FLAGS                                                                     \
	(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |        \
	 CLONE_FILES)

enum stage { STARTING, FAILED, READY, GOING };

/* Threads beside the lanes' handlers; their stacks lie behind the lanes'. */
enum helper { WRITER, DAEMON, WATCHER, NR_HELPERS };

static unsigned char *stacks; /* one for each lane and helper */
static uint32_t nr_stacks;
static _Atomic uint32_t made; /* bit i: lane i's handler exists */

/* The start of the first handler. */
static struct {
	_Atomic uint32_t stage;
	uint32_t lane;
	const int *keep;
	uint32_t nr_keep;
	const char *fault;
} boot;

static unsigned char *stack_of(uint32_t lane)
{
	return stacks + lane * STACK_BYTES;
}

static bool make_stacks(void)
{
	size_t bytes;
	long at;

	if (stacks != NULL)
		return true;
	nr_stacks = qr_place_lanes() + NR_HELPERS;
	bytes = nr_stacks * STACK_BYTES;
	at = qr_host_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (qr_failed(at))
		return false;
	stacks = (unsigned char *)at;
	for (uint32_t i = 0; i < nr_stacks; i++)
		(void)qr_host_mprotect(stack_of(i), GUARD_BYTES, PROT_NONE);
	return true;
}

bool qr_handler_is_here(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	return here - (uintptr_t)stacks < nr_stacks * STACK_BYTES;
}

static uint64_t *make_area(uint32_t lane)
{
	uint64_t *area = (uint64_t *)(void *)(stack_of(lane) + STACK_BYTES - AREA_OFFSET);
	uint64_t canary = 0;

	(void)qr_sys(SYS_getrandom, qr_address(&canary), sizeof(canary), 0, 0, 0, 0);
	area[0] = area[AREA_SELF] = (uint64_t)(uintptr_t)area;
	/* Its lowest byte is 0, so that no text runs into it. */
	area[AREA_CANARY] = canary << 8;
	return area;
}

static long start_thread(uint32_t lane, void (*run)(void *))
{
	return qr_thread_clone(THREAD_FLAGS, stack_of(lane) + STACK_BYTES - AREA_BYTES,
			       make_area(lane), run, (void *)(uintptr_t)lane);
}

static const char *const helper_names[NR_HELPERS] = {"write", "out", "watch"};

static void set_name(uint32_t lane)
{
	char name[16];
	struct qr_text text = {.at = name, .room = sizeof(name)};

	qr_text_add(&text, "quire/");
	if (lane < qr_place_lanes())
		qr_text_number(&text, lane);
	else
		qr_text_add(&text, helper_names[lane - qr_place_lanes()]);
	(void)qr_sys(SYS_prctl, PR_SET_NAME, qr_address(qr_text_end(&text)), 0, 0, 0, 0);
}

static void answer(uint32_t lane, const struct uffd_msg *msg)
{
	const uint64_t write = UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP;
	quire_vaddr va = {msg->arg.pagefault.address & ~(QUIRE_PAGE_BYTES - 1)};
	bool is_write = (msg->arg.pagefault.flags & write) != 0;
	enum quire_status status;

	if (msg->event != UFFD_EVENT_PAGEFAULT)
		return;
	if (va.a == qr_ground.doorbell) {
		qr_doorbell_answer(lane);
		return;
	}
	status = quire_fault(qr_ground.q, lane, va, is_write ? QUIRE_WRITE : QUIRE_READ);
	qr_outcome_settle(status, va);
	quire_after_fault(qr_ground.q, lane);
	if (msg->arg.pagefault.feat.ptid != 0) {
		qr_place_note(msg->arg.pagefault.feat.ptid);
		qr_pin_note(msg->arg.pagefault.feat.ptid);
	}
}

static void serve(uint32_t lane)
{
	struct uffd_msg msg;

	set_name(lane);
	qr_place_bind(lane);
	for (;;) {
		qr_place_wait(lane);
		if (qr_host_read(qr_ground.fds.uffd, &msg, sizeof(msg)) ==
		    (long)sizeof(msg))
			answer(lane, &msg);
	}
}

static void run_other(void *arg)
{
	serve((uint32_t)(uintptr_t)arg);
}

__attribute__((noreturn)) static void end_thread(void)
{
	for (;;)
		(void)qr_sys(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void run_writer(void *arg)
{
	set_name((uint32_t)(uintptr_t)arg);
	while (quire_write_back(qr_ground.q))
		continue;
	end_thread();
}

static void run_daemon(void *arg)
{
	set_name((uint32_t)(uintptr_t)arg);
	while (quire_page_out(qr_ground.q))
		continue;
	end_thread();
}

static void run_watcher(void *arg)
{
	set_name((uint32_t)(uintptr_t)arg);
	qr_pin_watch();
}

static long start_helper(enum helper which, void (*run)(void *))
{
	return start_thread(qr_place_lanes() + which, run);
}

/* Without a writer or a daemon the lanes write and evict themselves. */
static void make_helpers(void)
{
	const struct quire_config *config = &qr_ground.config;
	long tid;

	if (config->has_writer && start_helper(WRITER, run_writer) <= 0)
		quire_stop_writing(qr_ground.q);
	if (qr_place_lanes() > 1)
		(void)start_helper(WATCHER, run_watcher);
	if (!config->has_daemon)
		return;
	tid = start_helper(DAEMON, run_daemon);
	if (tid > 0)
		qr_place_keep_apart((uint32_t)tid);
	else
		quire_stop_paging_out(qr_ground.q);
}

bool qr_handler_make(uint32_t lane)
{
	uint32_t bit = 1u << lane;

	if ((atomic_fetch_or(&made, bit) & bit) != 0)
		return true;
	if (start_thread(lane, run_other) > 0)
		return true;
	atomic_fetch_and(&made, ~bit);
	return false;
}

static void close_span(unsigned first, unsigned last, unsigned flags)
{
	if (first <= last)
		(void)qr_sys(SYS_close_range, first, last, flags, 0, 0, 0);
}

/* A table of its own, with only what is to be kept; keep is in rising order. */
static void part_from_program(void)
{
	unsigned first = 0;
	unsigned end = boot.nr_keep > 0 ? (unsigned)boot.keep[boot.nr_keep - 1] + 1 : 0;

	close_span(end, UINT_MAX, CLOSE_RANGE_UNSHARE);
	for (uint32_t i = 0; i < boot.nr_keep; i++) {
		unsigned fd = (unsigned)boot.keep[i];

		if (fd > first)
			close_span(first, fd - 1, 0);
		first = fd + 1;
	}
}

static const char *choose_features(void)
{
	const uint32_t ways = QUIRE_FEATURE_BY_SYSCALL | QUIRE_FEATURE_BY_DEVICE;
	uint32_t features = qr_features_probe();

	features &= ~qr_ground.settings.without;
	if ((features & QUIRE_FEATURE_KERNEL_FAULTS) == 0 || (features & ways) == 0)
		return "this host does not let the process handle its page faults "
		       "(userfaultfd); `quire doctor` says what would allow it";
	if ((features & QUIRE_FEATURE_WP) == 0)
		return "this kernel cannot write-protect single pages (userfaultfd-wp); "
		       "see `quire doctor`";
	qr_ground.features = features;
	return NULL;
}

static const char *open_descriptors(void)
{
	struct qr_descriptors *fds = &qr_ground.fds;

	fds->uffd = (int)qr_uffd_open(qr_ground.features);
	if (fds->uffd < 0)
		return "the userfaultfd cannot be opened; see `quire doctor`";
	fds->memory = (int)qr_host_open("/proc/self/mem", O_RDONLY | O_CLOEXEC, 0);
	fds->status = (int)qr_host_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	fds->self = (int)qr_sys(SYS_pidfd_open, qr_host_getpid(), 0, 0, 0, 0, 0);
	if (fds->self < 0)
		qr_ground.features &= ~(uint32_t)QUIRE_FEATURE_RELEASE_VECTOR;
	if (qr_window_register() != 0)
		return "the host refused to watch the address space (userfaultfd)";
	return NULL;
}

static void set_stage(enum stage stage)
{
	const struct quire_port *port = &qr_ground.port;

	atomic_store(&boot.stage, stage);
	port->notify(port->ctx, &boot.stage, INT_MAX);
}

static enum stage wait_past(enum stage stage)
{
	const struct quire_port *port = &qr_ground.port;

	while (atomic_load(&boot.stage) == (uint32_t)stage)
		port->wait(port->ctx, &boot.stage, stage);
	return atomic_load(&boot.stage);
}

static void run_first(void *arg)
{
	uint32_t lane = (uint32_t)(uintptr_t)arg;

	part_from_program();
	boot.fault = qr_ground.features != 0 ? NULL : choose_features();
	if (boot.fault == NULL)
		boot.fault = open_descriptors();
	set_stage(boot.fault == NULL ? READY : FAILED);
	if (boot.fault != NULL)
		end_thread();
	(void)wait_past(READY);
	make_helpers();
	qr_place_spread();
	serve(lane);
}

const char *qr_handler_start(const int *keep, uint32_t nr_keep)
{
	uint32_t lane = qr_place_restart();

	if (!make_stacks())
		return "no memory for the pager's threads";
	boot.keep = keep;
	boot.nr_keep = nr_keep;
	boot.fault = NULL;
	atomic_store(&boot.stage, STARTING);
	atomic_store(&made, 1u << lane);
	if (start_thread(lane, run_first) <= 0)
		return "the pager's thread cannot be started";
	(void)wait_past(STARTING);
	return boot.fault;
}

void qr_handler_go(void)
{
	set_stage(GOING);
}

void qr_handler_forget(void)
{
	atomic_store(&made, 0);
}
