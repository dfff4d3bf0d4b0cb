/* SPDX-License-Identifier: MIT */
/* main.c - the command: finds the verb and hands over. */
#include "cli/cli.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct qr_verb *const verbs[] = {
	&qr_verb_run,
	&qr_verb_doctor,
	&qr_verb_report,
	&qr_verb_sim,
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct qr_verb *verb_find(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	return qr_cli_fail(QR_EXIT_QUIRE, "unknown verb '%s' (see 'quire --help')", name);
}

static int help(void)
{
	(void)puts("Usage: quire VERB [OPTION...] [-- PROGRAM ARGS]\n"
		   "Run programs in less memory than they want.\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		(void)printf("  %-10s %s\n", verbs[i]->name, verbs[i]->what);
	(void)puts("  help VERB  the options of one verb\n"
		   "\n"
		   "Sizes read 268435456, 256M, 1GiB or 50% (of what this host has).\n"
		   "Exit status: the program's own, or 128 + the signal that killed it;\n"
		   "125 Quire's own failure, 126 program cannot be run, 127 not found.");
	return 0;
}

static int verb_help(int argc, char **argv)
{
	const struct qr_verb *verb;

	if (argc < 3)
		return help();
	verb = verb_find(argv[2]);
	if (!verb)
		return unknown_verb(argv[2]);
	qr_args_help(verb);
	return 0;
}

static int version(void)
{
	(void)puts("quire " QUIRE_VERSION);
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const struct qr_verb *verb;

	if (argc < 2)
		return qr_cli_fail(QR_EXIT_QUIRE, "no verb given (see 'quire --help')");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0)
		return version();
	if (strcmp(argv[1], "help") == 0)
		return verb_help(argc, argv);
	if (argv[1][0] == '-')
		return qr_cli_fail(QR_EXIT_QUIRE,
				   "unknown option '%s' (see 'quire --help')", argv[1]);
	verb = verb_find(argv[1]);
	return verb ? verb->run(argc - 1, argv + 1) : unknown_verb(argv[1]);
}

/* What could not be written was not said. */
int main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)qr_cli_fail(0, "cannot write the output: %s", strerror(errno));
		if (status == 0)
			status = QR_EXIT_QUIRE;
	}
	return status;
}
