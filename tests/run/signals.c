/* SPDX-License-Identifier: MIT */
/* Signals while pages come and go, with handlers on stacks that went out themselves.
 *
 * The kernel writes the signal frame to the alternate stack: where its pages are out,
 * that write must bring them in, or the program dies of a second fault.
 */
#define _GNU_SOURCE 1

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"

#define STACK_BYTES (16 * PAGE_BYTES)
#define HELD_PAGES  256

static _Atomic size_t nr_seen;
static char *stack_seen;
static char *held;

/* Uses some of its stack and some of the paged memory. */
static void note(int number)
{
	volatile char local[8192];

	(void)number;
	for (size_t i = 0; i < sizeof(local); i += 512)
		local[i] = (char)i;
	for (size_t i = 0; i < sizeof(local); i += 512)
		CHECK(local[i] == (char)i);
	stack_seen = (char *)(uintptr_t)&local[0];
	if (held)
		CHECK(qr_pages_match(held, 4 * PAGE_BYTES, 41));
	atomic_fetch_add(&nr_seen, 1);
}

static void install(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	CHECK(sigaction(number, &action, NULL) == 0);
}

static void use_stack(char *at)
{
	stack_t stack = {.ss_sp = at, .ss_size = STACK_BYTES};

	CHECK(sigaltstack(&stack, NULL) == 0);
}

static void drop_stack(void)
{
	stack_t stack = {.ss_flags = SS_DISABLE};

	CHECK(sigaltstack(&stack, NULL) == 0);
}

static void raise_on_absent_stack(char *at)
{
	use_stack(at);
	install(SIGUSR1, note, SA_ONSTACK);
	for (size_t i = 0; i < 5; i++) {
		qr_pages_push_out(at, STACK_BYTES);
		atomic_store(&nr_seen, 0);
		CHECK(raise(SIGUSR1) == 0);
		CHECK(atomic_load(&nr_seen) == 1);
		CHECK(stack_seen >= at && stack_seen < at + STACK_BYTES);
	}
	drop_stack();
}

static void try_mapped_stack(void)
{
	char *at = qr_pages_map(STACK_BYTES);

	raise_on_absent_stack(at);
	qr_pages_unmap(at, STACK_BYTES);
}

static void try_malloced_stack(void)
{
	char *at = aligned_alloc(PAGE_BYTES, STACK_BYTES);

	CHECK(at);
	memset(at, 1, STACK_BYTES);
	raise_on_absent_stack(at);
	free(at);
}

/* A timer that interrupts the program at any instruction of its faults. */
static void try_timer(void)
{
	struct itimerval soon = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	size_t bytes = 3 * qr_ram_bytes();
	char *stack = qr_pages_map(STACK_BYTES), *data = qr_pages_map(bytes);

	held = qr_pages_map(HELD_PAGES * PAGE_BYTES);
	qr_pages_fill(held, HELD_PAGES * PAGE_BYTES, 41);
	use_stack(stack);
	install(SIGALRM, note, SA_ONSTACK | SA_RESTART);
	atomic_store(&nr_seen, 0);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	for (uint64_t round = 0; round < 4; round++) {
		qr_pages_fill(data, bytes, round + 1);
		CHECK(qr_pages_match(data, bytes, round + 1));
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(atomic_load(&nr_seen) > 0);
	drop_stack();
	qr_pages_unmap(held, HELD_PAGES * PAGE_BYTES);
	held = NULL;
	qr_pages_unmap(data, bytes);
	qr_pages_unmap(stack, STACK_BYTES);
}

/* Threads with alternate stacks of their own, all bombarded by one another. */
#define NR_TARGETS 4

static _Atomic bool targets_run;
static _Atomic size_t nr_ready;

static void *be_target(void *arg)
{
	size_t bytes = qr_ram_bytes();
	char *stack = qr_pages_map(STACK_BYTES), *data = qr_pages_map(bytes);
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	use_stack(stack);
	atomic_fetch_add(&nr_ready, 1);
	do {
		qr_pages_fill(data, bytes, ++seed);
		CHECK(qr_pages_match(data, bytes, seed));
	} while (atomic_load(&targets_run));
	drop_stack();
	qr_pages_unmap(data, bytes);
	qr_pages_unmap(stack, STACK_BYTES);
	return NULL;
}

static void try_threads(void)
{
	pthread_t threads[NR_TARGETS];

	install(SIGUSR2, note, SA_ONSTACK | SA_RESTART);
	atomic_store(&targets_run, true);
	atomic_store(&nr_seen, 0);
	for (size_t i = 0; i < NR_TARGETS; i++)
		CHECK(pthread_create(&threads[i], NULL, be_target, (void *)(i * 1000)) ==
		      0);
	while (atomic_load(&nr_ready) < NR_TARGETS)
		usleep(1000);
	for (size_t i = 0; i < 2000; i++) {
		CHECK(pthread_kill(threads[i % NR_TARGETS], SIGUSR2) == 0);
		usleep(100);
	}
	atomic_store(&targets_run, false);
	for (size_t i = 0; i < NR_TARGETS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(atomic_load(&nr_seen) > NR_TARGETS);
}

/* A program's own handler for SIGSEGV, which leaves by a jump. */
static sigjmp_buf back;
static siginfo_t info_seen;

static void leave(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	info_seen = *info;
	siglongjmp(back, 1);
}

static void try_own_segv(void)
{
	struct sigaction action = {.sa_sigaction = leave,
				   .sa_flags = SA_ONSTACK | SA_SIGINFO};
	struct sigaction old;
	char *stack = qr_pages_map(STACK_BYTES), *gone = qr_pages_map(PAGE_BYTES);

	qr_pages_unmap(gone, PAGE_BYTES);
	use_stack(stack);
	CHECK(sigaction(SIGSEGV, &action, &old) == 0);
	CHECK(old.sa_handler == SIG_DFL);
	for (int i = 0; i < 20; i++) {
		qr_pages_push_out(stack, STACK_BYTES);
		if (sigsetjmp(back, 1) == 0) {
			*(volatile char *)(gone + i) = 1;
			qr_check_fail(__FILE__, __LINE__,
				      "a write to an unmapped page faults");
		}
		CHECK(info_seen.si_addr == gone + i && info_seen.si_code == SEGV_MAPERR);
	}
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	drop_stack();
	qr_pages_unmap(stack, STACK_BYTES);
}

/* Masks that block everything, SIGSEGV and SIGBUS too, while pages come in. */
static void try_all_blocked(void)
{
	size_t bytes = 3 * qr_ram_bytes();
	char *data = qr_pages_map(bytes);
	sigset_t all, before;

	sigfillset(&all);
	CHECK(sigprocmask(SIG_SETMASK, &all, &before) == 0);
	qr_pages_fill(data, bytes, 45);
	qr_pages_push_out(data, bytes);
	CHECK(qr_pages_match(data, bytes, 45));
	CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	qr_pages_unmap(data, bytes);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"mapped-stack", try_mapped_stack},
		{"malloced-stack", try_malloced_stack},
		{"timer", try_timer},
		{"threads", try_threads},
		{"own-segv", try_own_segv},
		{"all-blocked", try_all_blocked},
	};

	return TRIALS_RUN(trials, argc, argv);
}
