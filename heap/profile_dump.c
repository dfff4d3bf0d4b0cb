/* SPDX-License-Identifier: MIT */
/* profile_dump.c - when and where to the profile is written, and leaks are named. */
#include "heap/out.h"
#include "heap/profile.h"
#include "quire/heap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Places that leaks are named of. */
#define LEAKS_SHOWN 20
/* Above what programs count on. */
#define LEAKS_FD_MIN 100

static uint64_t started_ns;
static pid_t started_pid;
static volatile sig_atomic_t wanted;
/* Programs close stderr before they end. */
static int leaks_fd = -1;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note_wanted(int signal)
{
	(void)signal;
	wanted = 1;
}

void qr_profile_begin(void)
{
	struct sigaction action = {.sa_handler = note_wanted, .sa_flags = SA_RESTART};

	started_ns = now_ns();
	started_pid = getpid();
	if (qr_heap_conf.leaks)
		leaks_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LEAKS_FD_MIN);
	if (qr_heap_conf.profile_signal != 0 &&
	    sigaction((int)qr_heap_conf.profile_signal, &action, NULL) != 0)
		qr_heap_warn("QUIRE_CONF: profile_signal is none", "", 0);
}

/* "%p" becomes the process's number, and suffix goes behind; false where that is too
 * long. */
static bool make_path(char *to, const char *path, const char *suffix)
{
	struct qr_out out = {.data = NULL};
	const char *mark = strstr(path, "%p");
	bool fits;

	qr_out_bytes(&out, path, mark != NULL ? (size_t)(mark - path) : strlen(path));
	if (mark != NULL) {
		qr_out_number(&out, (uint64_t)getpid(), 10);
		qr_out_text(&out, mark + 2);
	}
	qr_out_text(&out, suffix);
	qr_out_bytes(&out, "", 1);
	fits = !out.failed && out.length <= QR_PATH_MAX;
	if (fits)
		memcpy(to, out.data, out.length);
	qr_out_drop(&out);
	return fits;
}

static bool write_to(struct qr_out *out, const char *path, const char *suffix)
{
	char full[QR_PATH_MAX];
	bool done = make_path(full, path, suffix) && qr_out_write(out, full);

	qr_out_drop(out);
	return done;
}

bool qr_profile_dump(const char *path)
{
	struct qr_modules *modules = qr_modules_make();
	struct qr_out proto = {.data = NULL}, allocated = proto, live = proto;
	bool done;

	if (modules == NULL)
		return false;
	qr_profile_lock();
	qr_profile_proto(&proto, modules, qr_heap_conf.profile_rate, started_ns,
			 now_ns());
	qr_profile_folded(&allocated, modules, false);
	qr_profile_folded(&live, modules, true);
	qr_profile_unlock();
	qr_modules_free(modules);
	done = write_to(&proto, path, "");
	done = write_to(&allocated, path, ".folded") && done;
	return write_to(&live, path, ".live.folded") && done;
}

bool quire_heap_profile_dump(const char *path)
{
	return (qr_detour & QR_DETOUR_PROFILE) != 0 && qr_profile_dump(path);
}

static void dump_to_file(void)
{
	const char *path = qr_heap_conf.profile_file;

	/* A child of a fork would write over its parent's. */
	if (getpid() != started_pid && strstr(path, "%p") == NULL)
		return;
	if (!qr_profile_dump(path))
		qr_heap_warn("the profile cannot be written to ", path, strlen(path));
}

void qr_profile_answer(void)
{
	if (!wanted)
		return;
	wanted = 0;
	dump_to_file();
}

/* The stack with the most live bytes of those below limit, or as many and later on the
 * list. */
static struct qr_stack *next_leak(struct qr_stack *last)
{
	struct qr_stack *best = NULL;
	bool behind = false;

	for (struct qr_stack *s = qr_profile_stacks(); s != NULL; s = s->linked) {
		uint64_t bytes = s->live.bytes;
		bool left = last == NULL || bytes < last->live.bytes ||
			    (bytes == last->live.bytes && behind);

		if (s == last)
			behind = true;
		else if (s->live.blocks_1024 != 0 && left &&
			 (best == NULL || bytes > best->live.bytes))
			best = s;
	}
	return best;
}

static void add_amount(struct qr_out *out, struct qr_weight weight)
{
	qr_out_number(out, weight.bytes, 10);
	qr_out_text(out, " bytes in ");
	qr_out_number(out, (weight.blocks_1024 + 512) / 1024, 10);
	qr_out_text(out, " blocks");
}

static void add_leaks(struct qr_out *out, struct qr_modules *modules)
{
	struct qr_stack *leak = NULL;

	for (int i = 0; i < LEAKS_SHOWN && (leak = next_leak(leak)) != NULL; i++) {
		qr_out_text(out, "  ");
		add_amount(out, leak->live);
		qr_out_text(out, " from");
		for (uint32_t k = 0; k < leak->nr; k++) {
			qr_out_text(out, k == 0 ? " " : " < ");
			qr_profile_frame(out, modules, leak->pc[k]);
		}
		qr_out_text(out, "\n");
	}
}

static void name_leaks(void)
{
	struct qr_modules *modules = qr_modules_make();
	struct qr_out out = {.data = NULL};
	struct qr_weight sum = {.bytes = 0};
	uint64_t nr = 0;

	if (modules == NULL)
		return;
	qr_profile_lock();
	for (struct qr_stack *s = qr_profile_stacks(); s != NULL; s = s->linked) {
		sum.bytes += s->live.bytes;
		sum.blocks_1024 += s->live.blocks_1024;
		nr += s->live.blocks_1024 != 0;
	}
	qr_out_text(&out, "quire: heap: in use at exit: ");
	add_amount(&out, sum);
	qr_out_text(&out, " from ");
	qr_out_number(&out, nr, 10);
	qr_out_text(&out, " places\n");
	add_leaks(&out, modules);
	qr_profile_unlock();
	qr_modules_free(modules);
	(void)qr_out_send(&out, leaks_fd);
}

__attribute__((destructor)) static void at_exit(void)
{
	if ((qr_detour & QR_DETOUR_PROFILE) == 0)
		return;
	if (qr_heap_conf.profile)
		dump_to_file();
	if (qr_heap_conf.leaks)
		name_leaks();
}
