/* SPDX-License-Identifier: MIT */
/* verb_doctor.c - `quire doctor`: what this host offers and lacks, and what would help. */
#include "cli/cli.h"
#include "cli/doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_JSON = 256,
};

static const struct {
	const char *name, *what;
} modes[] = {
	{"run", "quire run --ram SIZE -- PROGRAM"},
	{"preload", "LD_PRELOAD=libquire.so PROGRAM (malloc alone)"},
};

#define NR_MODES (sizeof(modes) / sizeof(modes[0]))

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "Show it as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case KEY_JSON:
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		(void)qr_cli_fail(0, "doctor: takes no argument such as '%s'", arg);
		return QR_ARGS_SAID;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp doctor_argp = {
	.options = options,
	.parser = parse,
	.doc = "Say what this host offers for each mode, and the command that would grant "
	       "what is missing.\v"
	       "Exit status: 0 when 'quire run' works here, 1 when not.",
};

static const char *mark(const struct qr_finding *f)
{
	if (f->good)
		return "ok";
	return f->needed ? "MISSING" : "no";
}

static void print_one(const struct qr_finding *f)
{
	(void)printf("  %-8s %-16s %s\n", mark(f), f->check, f->detail);
	if (f->fix[0])
		(void)printf("  %-8s %-16s -> %s\n", "", "", f->fix);
}

static void print_mode(const struct qr_findings *findings, const char *mode)
{
	for (size_t i = 0; i < findings->nr; i++)
		if (strcmp(findings->list[i].mode, mode) == 0)
			print_one(&findings->list[i]);
}

static void print_text(const struct qr_findings *findings)
{
	(void)printf("this host\n");
	print_mode(findings, "host");
	for (size_t i = 0; i < NR_MODES; i++) {
		bool works = qr_doctor_works(findings, modes[i].name);

		(void)printf("%s: %s\n", modes[i].what,
			     works ? "works" : "does not work");
		print_mode(findings, modes[i].name);
	}
}

static json_t *finding_to_json(const struct qr_finding *f)
{
	json_t *to = json_object();

	(void)json_object_set_new(to, "mode", json_string(f->mode));
	(void)json_object_set_new(to, "check", json_string(f->check));
	(void)json_object_set_new(to, "ok", json_boolean(f->good));
	(void)json_object_set_new(to, "needed", json_boolean(f->needed));
	(void)json_object_set_new(to, "detail", json_string(f->detail));
	(void)json_object_set_new(to, "fix",
				  f->fix[0] ? json_string(f->fix) : json_null());
	return to;
}

static void print_json(const struct qr_findings *findings)
{
	json_t *to = json_object(), *works = json_object(), *list = json_array();

	for (size_t i = 0; i < NR_MODES; i++)
		(void)json_object_set_new(
			works, modes[i].name,
			json_boolean(qr_doctor_works(findings, modes[i].name)));
	for (size_t i = 0; i < findings->nr; i++)
		(void)json_array_append_new(list, finding_to_json(&findings->list[i]));
	(void)json_object_set_new(to, "works", works);
	(void)json_object_set_new(to, "findings", list);
	(void)json_dumpf(to, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(to);
}

static int doctor_verb(int argc, char **argv)
{
	struct qr_findings findings;
	bool json = false;
	int status = qr_args_parse(&qr_verb_doctor, argc, argv, &json);

	if (status >= 0)
		return status;
	qr_doctor_find(&findings);
	if (json)
		print_json(&findings);
	else
		print_text(&findings);
	return qr_doctor_works(&findings, "run") ? 0 : 1;
}

const struct qr_verb qr_verb_doctor = {
	.name = "doctor",
	.what = "say what this host offers, and what would grant the rest",
	.argp = &doctor_argp,
	.run = doctor_verb,
};
