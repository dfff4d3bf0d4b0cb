/* SPDX-License-Identifier: MIT */
/* hard_check.c - what the hardened heap finds at a fault and at exit. */
#include "heap/hard.h"
#include "heap/stats.h"
#include "heap/walk.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct sigaction before;

/* Names the block if the fault is at one; otherwise the instruction is run again, under
 * the action that there was. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	qr_report_fault((uintptr_t)info->si_addr);
	(void)sigaction(signal, &before, NULL);
}

void qr_hard_watch(void)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK};

	(void)sigaction(SIGSEGV, &action, &before);
}

/* From /proc/self/stat, after the name, which may hold anything but ends with the last
 * parenthesis: the eighteenth word is the number of threads. */
static bool is_alone(void)
{
	char text[1024];
	const char *at;

	if (!qr_proc_read("/proc/self/stat", text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	for (int word = 0; at != NULL && word < 18; word++)
		at = strchr(at + 1, ' ');
	return at != NULL && strtol(at, NULL, 10) == 1;
}

static void check_slots(const struct qr_span *span)
{
	for (uint32_t slot = 0; slot < span->nr_slots; slot++) {
		size_t offset = (size_t)slot * span->slot_bytes;
		const void *block = (const void *)(span->start + offset);

		if ((span->slot[slot] & QR_SLOT_LIVE) != 0)
			(void)qr_hard_asked(span, block);
		else if (!qr_hard_is_zero(block, span->slot_bytes))
			qr_report_written(block, span->slot_bytes, "after it was freed");
	}
}

/* With other threads about, a block may be half way between two states. */
__attribute__((destructor)) static void check_at_exit(void)
{
	struct qr_span *span;
	uintptr_t at = 0;

	if ((qr_detour & QR_DETOUR_HARDENED) == 0 || !is_alone())
		return;
	qr_heap_lock();
	while ((span = qr_walk_run(&at)) != NULL) {
		if (!span->hard)
			continue;
		if (span->kind == QR_SPAN_SLOTS)
			check_slots(span);
		else if (!span->kept)
			qr_hard_check_large(span);
	}
	qr_heap_unlock();
}
