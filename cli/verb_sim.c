/* SPDX-License-Identifier: MIT */
/* verb_sim.c - `quire sim SUBJECT`: figures computed rather than measured. */
#include "cli/cli.h"
#include "cli/sim.h"
#include "cli/sim_kernel.h"
#include "cli/sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct qr_sim_subject *const subjects[] = {
	&qr_sim_buddy,
	&qr_sim_frames,
};
#define NR_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

enum {
	KEY_JSON = 256,
	KEY_SEED,
	KEY_SHOW,
	KEY_RAM,
	KEY_BUDDY,
};

#define RAM_USUAL (64u << 20)

struct words {
	const struct qr_sim_subject *subject;
	struct qr_sim_options options;
};

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "Show it as JSON", 0},
	{"seed", KEY_SEED, "N", 0, "Where the random numbers start (default 1)", 0},
	{"show", KEY_SHOW, "WHAT", 0,
	 "frames: only buddyinfo, zoneinfo, pagetypeinfo, slabinfo, picture or svg", 0},
	{"ram", KEY_RAM, "SIZE", 0, "frames: the machine's memory (default 64M)", 0},
	{"buddy", KEY_BUDDY, "KIND", 0,
	 "frames: binary (default), fibonacci, weighted or tertiary", 0},
	{0},
};

static error_t parse_seed(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0')
		return 0;
	(void)qr_cli_fail(0, "sim: --seed: '%s' is not a number", text);
	return QR_ARGS_SAID;
}

static error_t parse_show(const char *name, const char **out)
{
	*out = name;
	if (qr_sim_view_exists(name))
		return 0;
	(void)qr_cli_fail(0, "sim: --show: unknown '%s' (see 'quire help sim')", name);
	return QR_ARGS_SAID;
}

static error_t parse_ram(const char *text, uint64_t *out)
{
	const char *wrong = qr_size_parse(text, 0, out);

	if (wrong == NULL && (*out < QR_SIM_RAM_LEAST || *out > QR_SIM_RAM_MOST))
		wrong = "is not between 8M and 64G";
	if (wrong == NULL)
		return 0;
	(void)qr_cli_fail(0, "sim: --ram: '%s' %s", text, wrong);
	return QR_ARGS_SAID;
}

static error_t parse_buddy(const char *name, enum quire_buddy_kind *out)
{
	static const char *const names[QUIRE_BUDDY_KINDS] = {
		[QUIRE_BUDDY_BINARY] = "binary",
		[QUIRE_BUDDY_FIBONACCI] = "fibonacci",
		[QUIRE_BUDDY_WEIGHTED] = "weighted",
		[QUIRE_BUDDY_TERTIARY] = "tertiary",
	};

	for (uint32_t kind = 0; kind < QUIRE_BUDDY_KINDS; kind++)
		if (strcmp(names[kind], name) == 0) {
			*out = (enum quire_buddy_kind)kind;
			return 0;
		}
	(void)qr_cli_fail(0, "sim: --buddy: unknown '%s' (see 'quire help sim')", name);
	return QR_ARGS_SAID;
}

static error_t parse_subject(const char *name, struct words *words)
{
	if (words->subject != NULL) {
		(void)qr_cli_fail(0, "sim: one subject at a time, not '%s' too", name);
		return QR_ARGS_SAID;
	}
	for (size_t i = 0; i < NR_SUBJECTS; i++)
		if (strcmp(subjects[i]->name, name) == 0)
			words->subject = subjects[i];
	if (words->subject != NULL)
		return 0;
	(void)qr_cli_fail(0, "sim: unknown subject '%s' (see 'quire help sim')", name);
	return QR_ARGS_SAID;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct words *words = state->input;

	switch (key) {
	case KEY_JSON:
		words->options.json = true;
		return 0;
	case KEY_SEED:
		return parse_seed(arg, &words->options.seed);
	case KEY_SHOW:
		return parse_show(arg, &words->options.view);
	case KEY_RAM:
		return parse_ram(arg, &words->options.ram);
	case KEY_BUDDY:
		return parse_buddy(arg, &words->options.buddy);
	case ARGP_KEY_ARG:
		return parse_subject(arg, words);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp sim_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "SUBJECT",
	.doc = "Compute figures of memory management, beside the literature's."
	       "\vSubjects:\n"
	       "  buddy    what buddy systems waste, and how often they split\n"
	       "  frames   the frames and objects of a kernel that is short of memory\n"
	       "The exit status is 1 where a figure differs from the literature's.",
};

static int sim_verb(int argc, char **argv)
{
	struct words words = {.options = {.seed = 1, .ram = RAM_USUAL}};
	int status = qr_args_parse(&qr_verb_sim, argc, argv, &words);

	if (status >= 0)
		return status;
	if (words.subject == NULL)
		return qr_cli_fail(QR_EXIT_QUIRE,
				   "sim: no subject given (see 'quire help sim')");
	return words.subject->run(&words.options);
}

const struct qr_verb qr_verb_sim = {
	.name = "sim",
	.what = "compute figures beside the literature's",
	.argp = &sim_argp,
	.run = sim_verb,
};
