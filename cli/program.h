/* SPDX-License-Identifier: MIT */
/* program.h - finds the program, and says beforehand why Quire could not run it. */
#ifndef QUIRE_CLI_PROGRAM_H
#define QUIRE_CLI_PROGRAM_H

#include <limits.h>
#include <stddef.h>

struct qr_program {
	char path[PATH_MAX];	  /* for execve() */
	char why[PATH_MAX + 256]; /* one line, when it cannot be run */
};

/* Looks name up as execvp(3) does and checks that libquire.so can be preloaded into it,
 * or into its interpreter.  0, or the exit status QR_EXIT_BARRED or QR_EXIT_MISSING with
 * a reason in why. */
int qr_program_find(const char *name, struct qr_program *out);

#endif
