/* SPDX-License-Identifier: MIT */
/* tree.h - the machines of a tree of processes, as their seats in the segment show them.
 *
 * Model.  A *look* goes over all seats: adds up the live ones, and *folds* those whose
 * machine is at its end: the account is copied out and the seat is free again.  So a tree
 * of any number of processes needs no more seats than it has processes between two looks.
 *
 * A machine is at its end when its owner says so, when its process is gone, or when its
 * process has taken a newer seat (by an exec). */
#ifndef QUIRE_CLI_TREE_H
#define QUIRE_CLI_TREE_H

#include "cli/report.h"
#include "ports/linux/segment.h"
#include "quire/types.h"

#include <sys/types.h>

/* Accounts kept one by one; of those past it only the sum is kept. */
#define QR_TREE_LISTED 4096u

struct qr_tree {
	struct quire_segment *segment;
	int fd;
	pid_t main; /* the process that is waited for */
	uint64_t start_ns;
	bool detailed; /* resident memory is wanted */
	size_t bound;  /* seats from here on are free */

	/* What /proc showed of each seat's process, and whether its end was told. */
	struct qr_seat_seen {
		struct qr_resident peak;
		uint64_t peak_outside;
		bool told;
	} seen[QUIRE_SEATS];

	struct quire_stats ended; /* counts of the folded ones */
	struct quire_stats peaks; /* of the tree */
	struct qr_sample now;	  /* by the last look */

	bool has_main;
	struct qr_process main_process; /* the newest machine of main */
	struct qr_process *others;
	size_t nr_others;
	uint64_t nr_processes;
};

/* Makes the segment; false with errno. */
bool qr_tree_open(struct qr_tree *tree);
void qr_tree_close(struct qr_tree *tree);
/* One look.  A machine that has ended badly is told on stderr, once. */
void qr_tree_look(struct qr_tree *tree);
/* The last look: what still lives is listed as running.  The tree's list moves into the
 * report. */
void qr_tree_finish(struct qr_tree *tree, struct qr_report *report);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t qr_clock_ns(void);

/* Reads the resident memory of a process from root's /proc/PID/status; false when the
 * process is gone, or only a zombie is left. */
bool qr_resident_read(const char *root, pid_t pid, struct qr_resident *out);

#endif
