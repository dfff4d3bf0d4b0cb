/* SPDX-License-Identifier: MIT */
/* run.h - `quire run`: its options, and the stages from them to the exit status. */
#ifndef QUIRE_CLI_RUN_H
#define QUIRE_CLI_RUN_H

#include "cli/program.h"
#include "cli/tree.h"
#include "ports/linux/settings.h"

#include <limits.h>
#include <signal.h>

struct qr_run {
	struct quire_settings settings;
	bool stats;
	const char *report; /* a file's path, or NULL */
	char **argv;	    /* the program as the user named it, and its arguments */
	struct qr_program program;
	char library[PATH_MAX];
};

/* The signals that the supervisor takes by descriptor instead of by handlers. */
struct qr_signals {
	int fd;
	sigset_t mask;		/* as it was: the program gets it */
	struct sigaction child; /* SIGCHLD's, the same */
	bool stop_asked;	/* a SIGTSTP has come since the program last stopped */
};

bool qr_signals_open(struct qr_signals *signals);
/* Puts back what a child is to inherit; called in it. */
void qr_signals_restore(const struct qr_signals *signals);
/* Takes what has come and passes on to the program what it has not got itself. */
void qr_signals_forward(struct qr_signals *signals, pid_t program);
void qr_signals_close(struct qr_signals *signals);

/* Starts the program; its pid, or -1 with *status the exit status, after a line. */
pid_t qr_run_launch(const struct qr_run *run, const struct qr_signals *signals,
		    int *status);

/* Runs the program to its end and tells of it; the exit status. */
int qr_run_supervise(struct qr_run *run);

#endif
