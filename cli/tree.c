/* SPDX-License-Identifier: MIT */
/* tree.c - the machines of a tree of processes, as their seats in the segment show them.
 *
 * The segment is written by the programs' processes, so nothing in it is trusted further
 * than to be printed: texts are ended here, and no value is used as an index. */
#include "cli/tree.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

uint64_t qr_clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* Sealed at its size: a program that shrinks it must not make the supervisor fault.  The
 * number stays clear of the three standard ones, which may have been closed. */
static int segment_make(void)
{
	int low = memfd_create("quire", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 3);

	if (low >= 0)
		(void)close(low);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, sizeof(struct quire_segment)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

bool qr_tree_open(struct qr_tree *tree)
{
	void *map;

	tree->fd = segment_make();
	if (tree->fd < 0)
		return false;
	map = mmap(NULL, sizeof(*tree->segment), PROT_READ | PROT_WRITE, MAP_SHARED,
		   tree->fd, 0);
	if (map == MAP_FAILED) {
		(void)close(tree->fd);
		return false;
	}
	tree->segment = map;
	tree->segment->magic = QUIRE_SEGMENT_MAGIC;
	tree->segment->version = QUIRE_SEGMENT_VERSION;
	tree->start_ns = qr_clock_ns();
	return true;
}

void qr_tree_close(struct qr_tree *tree)
{
	(void)munmap(tree->segment, sizeof(*tree->segment));
	(void)close(tree->fd);
	free(tree->others);
	tree->others = NULL;
}

static bool process_lives(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

static bool taken(struct quire_seat *seat)
{
	/* A seat whose owner has not yet written its number tells nothing yet. */
	return atomic_load(&seat->state) != QUIRE_SEAT_FREE && seat->pid > 0;
}

static bool superseded(struct qr_tree *tree, const struct quire_seat *seat)
{
	for (size_t i = 0; i < tree->bound; i++) {
		struct quire_seat *other = &tree->segment->seats[i];

		if (other != seat && taken(other) && other->pid == seat->pid &&
		    other->started_ns > seat->started_ns)
			return true;
	}
	return false;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void note_resident(struct qr_tree *tree, struct qr_seat_seen *seen,
			  const struct quire_seat *seat, struct qr_resident resident)
{
	uint64_t used =
		(seat->stats.nr_frames - seat->stats.frames_free) * QUIRE_PAGE_BYTES;

	seen->peak.anon = higher(seen->peak.anon, resident.anon);
	seen->peak.file = higher(seen->peak.file, resident.file);
	seen->peak.shmem = higher(seen->peak.shmem, resident.shmem);
	if (resident.anon > used)
		seen->peak_outside = higher(seen->peak_outside, resident.anon - used);
	tree->now.resident.anon += resident.anon;
	tree->now.resident.file += resident.file;
	tree->now.resident.shmem += resident.shmem;
}

/* Whether the machine lives still; if so what the host shows of it is noted. */
static bool seat_lives(struct qr_tree *tree, struct quire_seat *seat,
		       struct qr_seat_seen *seen)
{
	struct qr_resident resident;

	if (atomic_load(&seat->state) != QUIRE_SEAT_LIVE || !process_lives(seat->pid) ||
	    superseded(tree, seat))
		return false;
	if (!tree->detailed)
		return true;
	if (!qr_resident_read("", seat->pid, &resident))
		return false;
	note_resident(tree, seen, seat, resident);
	return true;
}

static void process_copy(const struct qr_tree *tree, struct quire_seat *seat,
			 const struct qr_seat_seen *seen, struct qr_process *out)
{
	*out = (struct qr_process){
		.pid = seat->pid,
		.parent = seat->parent,
		.features = seat->features,
		.end = atomic_load(&seat->end),
		.startup_ns = seat->startup_ns,
		.foreign_bytes = seat->foreign_bytes,
		.peak = seen->peak,
		.peak_outside = seen->peak_outside,
		.stats = seat->stats,
		.heap = seat->heap,
	};
	if (seat->started_ns > tree->start_ns)
		out->started_ns = seat->started_ns - tree->start_ns;
	memcpy(out->name, seat->name, sizeof(out->name));
	out->name[sizeof(out->name) - 1] = '\0';
	memcpy(out->text, seat->text, sizeof(out->text));
	out->text[sizeof(out->text) - 1] = '\0';
}

static void list_other(struct qr_tree *tree, const struct qr_process *process)
{
	struct qr_process *list = tree->others;
	size_t nr = tree->nr_others;

	if (nr >= QR_TREE_LISTED)
		return;
	/* Grows at the powers of two. */
	if ((nr & (nr - 1)) == 0) {
		list = realloc(list, (nr ? nr * 2 : 1) * sizeof(*list));
		if (!list)
			return;
		tree->others = list;
	}
	list[tree->nr_others++] = *process;
}

/* The newest machine of the main process is kept apart. */
static void list(struct qr_tree *tree, const struct qr_process *process)
{
	tree->nr_processes++;
	if (process->pid != tree->main) {
		list_other(tree, process);
		return;
	}
	if (tree->has_main && tree->main_process.started_ns > process->started_ns) {
		list_other(tree, process);
		return;
	}
	if (tree->has_main)
		list_other(tree, &tree->main_process);
	tree->main_process = *process;
	tree->has_main = true;
}

static void seat_free(struct quire_seat *seat, struct qr_seat_seen *seen)
{
	const size_t head = offsetof(struct quire_seat, end);

	memset((char *)seat + head, 0, sizeof(*seat) - head);
	*seen = (struct qr_seat_seen){0};
	atomic_store(&seat->state, QUIRE_SEAT_FREE);
}

static void seat_fold(struct qr_tree *tree, struct quire_seat *seat,
		      struct qr_seat_seen *seen)
{
	struct qr_process process;

	process_copy(tree, seat, seen, &process);
	qr_figures_add(&tree->ended, &process.stats, false);
	qr_figures_raise(&tree->peaks, &process.stats);
	list(tree, &process);
	seat_free(seat, seen);
}

/* The line that stands for an end which is not the program's own. */
static void tell_end(struct quire_seat *seat, struct qr_seat_seen *seen)
{
	static const char *const kinds[] = {
		[QUIRE_END_OOM] = "out of memory: ",
		[QUIRE_END_CORRUPT] = "memory lost: ",
		[QUIRE_END_PANIC] = "failed: ",
		[QUIRE_END_REFUSED] = "refused: ",
	};
	uint32_t end = atomic_load(&seat->end);
	const char *kind;
	char text[QUIRE_SEAT_TEXT_BYTES];

	if (seen->told || end == QUIRE_END_NONE ||
	    end >= sizeof(kinds) / sizeof(kinds[0]))
		return;
	memcpy(text, seat->text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	kind = kinds[end];
	if (strncmp(text, kind, strlen(kind)) == 0)
		kind = "";
	(void)qr_cli_fail(0, "%s%s", kind, text);
	seen->told = true;
}

static void look_at(struct qr_tree *tree, size_t i)
{
	struct quire_seat *seat = &tree->segment->seats[i];
	struct qr_seat_seen *seen = &tree->seen[i];

	if (!taken(seat))
		return;
	if (!seat_lives(tree, seat, seen)) {
		tell_end(seat, seen);
		seat_fold(tree, seat, seen);
		return;
	}
	tell_end(seat, seen);
	tree->now.nr_live++;
	qr_figures_add(&tree->now.stats, &seat->stats, true);
	qr_figures_raise(&tree->peaks, &seat->stats);
}

static size_t seats_bound(struct qr_tree *tree)
{
	size_t bound = QUIRE_SEATS;

	while (bound > 0 && !taken(&tree->segment->seats[bound - 1]))
		bound--;
	return bound;
}

void qr_tree_look(struct qr_tree *tree)
{
	tree->now = (struct qr_sample){.ns = qr_clock_ns() - tree->start_ns};
	tree->bound = seats_bound(tree);
	for (size_t i = 0; i < tree->bound; i++)
		look_at(tree, i);
	qr_figures_add(&tree->now.stats, &tree->ended, false);
	qr_figures_raise(&tree->now.stats, &tree->peaks);
	qr_figures_peak(&tree->now.stats);
	qr_figures_raise(&tree->peaks, &tree->now.stats);
}

void qr_tree_finish(struct qr_tree *tree, struct qr_report *report)
{
	qr_tree_look(tree);
	for (size_t i = 0; i < tree->bound; i++) {
		struct quire_seat *seat = &tree->segment->seats[i];
		struct qr_process process;

		if (!taken(seat))
			continue;
		process_copy(tree, seat, &tree->seen[i], &process);
		process.running = true;
		list(tree, &process);
	}
	report->ns = tree->now.ns;
	report->total = tree->now.stats;
	report->nr_refused = atomic_load(&tree->segment->nr_refused);
	report->nr_processes = tree->nr_processes;
	report->has_main = tree->has_main;
	report->main = tree->main_process;
	report->others = tree->others;
	report->nr_others = tree->nr_others;
	tree->others = NULL;
	tree->nr_others = 0;
}
