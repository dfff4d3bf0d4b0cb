/* SPDX-License-Identifier: MIT */
/* environment.h - what a program to come needs in its environment to run on Quire too. */
#ifndef QUIRE_PORTS_LINUX_ENVIRONMENT_H
#define QUIRE_PORTS_LINUX_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#define QUIRE_PRELOAD_BYTES 4096u
#define QUIRE_WORDS_MAX	    2048u

/* Room for a changed environment, on the stack of whoever needs one. */
struct qr_environment {
	char preload[QUIRE_PRELOAD_BYTES];
	char *words[QUIRE_WORDS_MAX];
};

/* Notes the settings that this process was started with; false: they do not fit. */
bool qr_environment_note(const char *settings);
/* envp itself when it has what is needed, or when there is nothing to hand on; otherwise
 * a list in room. */
char *const *qr_environment_complete(char *const *envp, struct qr_environment *room);

#endif
