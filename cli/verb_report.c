/* SPDX-License-Identifier: MIT */
/* verb_report.c - `quire report`: a report file shown again. */
#include "cli/cli.h"
#include "cli/report_json.h"

#include <stdio.h>

enum {
	KEY_JSON = 256,
};

struct words {
	const char *file;
	bool json;
};

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "Show it as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct words *words = state->input;

	switch (key) {
	case KEY_JSON:
		words->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (words->file) {
			(void)qr_cli_fail(0, "report: one file at a time, not '%s' too",
					  arg);
			return QR_ARGS_SAID;
		}
		words->file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp report_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE.json",
	.doc = "Show the account that 'quire run --report FILE.json' wrote.",
};

static int show(const json_t *json, const struct words *words)
{
	struct qr_report report;
	const char *wrong = qr_report_from_json(json, &report);
	int status = 0;

	if (wrong) {
		status = qr_cli_fail(QR_EXIT_QUIRE,
				     "%s: not a report of this version (at \"%s\")",
				     words->file, wrong);
	} else if (words->json) {
		(void)json_dumpf(json, stdout, JSON_INDENT(1));
		(void)putchar('\n');
	} else {
		qr_report_print(stdout, &report);
		qr_report_print_series(stdout, &report);
	}
	qr_report_free(&report);
	return status;
}

static int report_verb(int argc, char **argv)
{
	struct words words = {0};
	int status = qr_args_parse(&qr_verb_report, argc, argv, &words);
	json_error_t error;
	json_t *json;

	if (status >= 0)
		return status;
	if (!words.file)
		return qr_cli_fail(QR_EXIT_QUIRE, "report: no file given");
	json = json_load_file(words.file, 0, &error);
	if (!json)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s: line %d: %s", words.file,
				   error.line, error.text);
	status = show(json, &words);
	json_decref(json);
	return status;
}

const struct qr_verb qr_verb_report = {
	.name = "report",
	.what = "show a report file again",
	.argp = &report_argp,
	.run = report_verb,
};
