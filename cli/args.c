/* SPDX-License-Identifier: MIT */
/* args.c - options read by glibc's argp, with complaints of one line.
 *
 * argp's own messages take two lines and its own exit.  So it is kept silent here, and
 * what it stumbled over is found again from where it stopped. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_HELP = 'h',
};

/* Returned by the parser below once the help is printed. */
#define HELPED EINTR

struct context {
	const struct qr_verb *verb;
	void *input;
	int next; /* where argp stopped */
};

int qr_cli_fail(int status, const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	(void)fflush(stdout);
	(void)fprintf(stderr, "quire: %s\n", line);
	return status;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct context *ctx = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = ctx->input;
		return 0;
	case ARGP_KEY_ERROR:
		ctx->next = state->next;
		return 0;
	case KEY_HELP:
		qr_args_help(ctx->verb);
		return HELPED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
	{"help", KEY_HELP, NULL, 0, "Show this and exit", -1},
	{0},
};

void qr_args_help(const struct qr_verb *verb)
{
	const struct argp_child children[] = {{verb->argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.options = common_options, .parser = parse_common, .children = children};
	char name[64];

	(void)snprintf(name, sizeof(name), "quire %s", verb->name);
	argp_help(&argp, stdout,
		  ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG |
			  ARGP_HELP_POST_DOC,
		  name);
}

/* The option that name abbreviates; *nr counts the candidates. */
static const struct argp_option *option_find(const struct argp_option *options,
					     const char *name, size_t bytes, int *nr)
{
	const struct argp_option *found = NULL;

	for (*nr = 0; options->name; options++) {
		if (strncmp(options->name, name, bytes) != 0)
			continue;
		found = options;
		++*nr;
		if (options->name[bytes] == '\0') {
			*nr = 1;
			break;
		}
	}
	return found;
}

static int complain(const struct qr_verb *verb, const char *word)
{
	size_t bytes = strcspn(word, "=");
	const struct argp_option *option = NULL;
	int nr = 0;

	if (strncmp(word, "--", 2) == 0)
		option = option_find(verb->argp->options, word + 2, bytes - 2, &nr);
	if (nr > 1)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s: option '%.*s' is ambiguous",
				   verb->name, (int)bytes, word);
	if (option && option->arg)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s: option '%.*s' needs a value",
				   verb->name, (int)bytes, word);
	if (option)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s: option '%.*s' takes no value",
				   verb->name, (int)bytes, word);
	return qr_cli_fail(QR_EXIT_QUIRE, "%s: unknown option '%s' (see 'quire help %s')",
			   verb->name, word, verb->name);
}

/* A cluster of short options is not stepped over when one inside it is unknown. */
static const char *offender(int argc, char **argv, int next)
{
	if (next < argc && argv[next][0] == '-' && argv[next][1] != '-' &&
	    argv[next][1] != '\0' && argv[next][2] != '\0')
		return argv[next];
	return next > 1 ? argv[next - 1] : argv[next < argc ? next : 0];
}

int qr_args_parse(const struct qr_verb *verb, int argc, char **argv, void *input)
{
	const struct argp_child children[] = {{verb->argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.options = common_options, .parser = parse_common, .children = children};
	struct context ctx = {.verb = verb, .input = input};
	error_t error =
		argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_SILENT, NULL, &ctx);

	if (error == 0)
		return -1;
	if (error == HELPED)
		return 0;
	if (error == QR_ARGS_SAID)
		return QR_EXIT_QUIRE;
	if (error == ENOMEM)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s", strerror(error));
	return complain(verb, offender(argc, argv, ctx.next));
}
