/* SPDX-License-Identifier: MIT */
/* cli.h - what the verbs of the command share: exit statuses, the one-line complaint, and
 * the reading of options.
 *
 * The statuses are those of env(1), timeout(1) and the shells, so that a script that
 * knows them knows these. */
#ifndef QUIRE_CLI_CLI_H
#define QUIRE_CLI_CLI_H

#include <argp.h>

enum {
	QR_EXIT_QUIRE = 125,   /* Quire's own failure; the program has not run, or not to
				* its end */
	QR_EXIT_BARRED = 126,  /* the program is there and cannot be run */
	QR_EXIT_MISSING = 127, /* no such program */
	QR_EXIT_SIGNAL = 128,  /* + the signal that ended the program */
};

struct qr_verb {
	const char *name;
	const char *what; /* one line for `quire --help` */
	const struct argp *argp;
	int (*run)(int argc,
		   char **argv); /* argv[0] is the verb; gives the exit status */
};

extern const struct qr_verb qr_verb_run;
extern const struct qr_verb qr_verb_doctor;
extern const struct qr_verb qr_verb_report;
extern const struct qr_verb qr_verb_sim;

/* Writes "quire: " and the text as one line to stderr, and returns status.  Control
 * characters, which a program may put into its name, are shown as '?'. */
int qr_cli_fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What a verb's parser returns after it has complained by qr_cli_fail(). */
#define QR_ARGS_SAID ECANCELED

/* Reads argv by verb->argp, whose parser gets input.  -1: go on; else the exit status,
 * and all has been said.  A wrong option is one line and QR_EXIT_QUIRE. */
int qr_args_parse(const struct qr_verb *verb, int argc, char **argv, void *input);
void qr_args_help(const struct qr_verb *verb);

#endif
