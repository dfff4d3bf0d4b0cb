/* SPDX-License-Identifier: MIT */
/* verb_run.c - `quire run`: the options, read and checked.
 *
 * Everything that can be known beforehand is checked before the program starts, so that
 * no run ends half done for a reason that was there from the beginning. */
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/library.h"
#include "cli/run.h"
#include "cli/sizes.h"
#include "cli/swap_place.h"
#include "ports/codec/lz4.h"
#include "ports/linux/features.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	KEY_RAM = 256,
	KEY_SWAP,
	KEY_STORE,
	KEY_WITHOUT,
	KEY_STATS,
	KEY_REPORT,
	KEY_FAULT,
};

/* The options as written; what some mean hangs on others, so they are read at the end. */
struct words {
	struct qr_run *run;
	const char *ram, *store, *swap;
};

static const struct argp_option options[] = {
	{"ram", KEY_RAM, "SIZE", 0,
	 "Keep each process's managed memory, and Quire's own, within SIZE (required)",
	 0},
	{"swap", KEY_SWAP, "WHERE", 0,
	 "Where pages go past that: 'none'; 'ram', compressed only; 'file', compressed, "
	 "then a file in $TMPDIR (default); 'file:PATH[,SIZE]', the same with a folder or "
	 "file of your choice, of at most SIZE",
	 0},
	{"store", KEY_STORE, "SIZE", 0,
	 "Fix what compressed pages may take of --ram (default: by what pays)", 0},
	{"without", KEY_WITHOUT, "NAME[,NAME]", 0,
	 "Do without features of the kernel ('quire doctor' lists them)", 0},
	{"stats", KEY_STATS, NULL, 0, "Print the account to stderr at the end", 0},
	{"report", KEY_REPORT, "FILE", 0, "Write the account and a time series as JSON",
	 0},
	{"fault", KEY_FAULT, "KIND:N", OPTION_HIDDEN,
	 "For tests: let the N-th swap transfer fail (swap-read, swap-write, swap-flip)",
	 0},
	{0},
};

static int said(const char *option, const char *text, const char *why)
{
	(void)qr_cli_fail(0, "%s: '%s' %s", option, text, why);
	return QR_ARGS_SAID;
}

static uint32_t feature_named(const char *name, size_t bytes)
{
	for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++)
		if (strlen(n->name) == bytes && strncmp(n->name, name, bytes) == 0)
			return n->bit;
	return 0;
}

static int parse_without(const char *arg, uint32_t *without)
{
	const char *at = arg;

	for (;;) {
		size_t bytes = strcspn(at, ",");
		uint32_t bit = feature_named(at, bytes);

		if (!bit)
			return said("--without", arg,
				    "names no feature ('quire doctor' lists them)");
		*without |= bit;
		if (at[bytes] == '\0')
			return 0;
		at += bytes + 1;
	}
}

static int parse_fault(const char *arg, struct quire_settings *settings)
{
	const struct {
		const char *kind;
		uint64_t *nth;
	} kinds[] = {
		{"swap-read:", &settings->fail_swap_read},
		{"swap-write:", &settings->fail_swap_write},
		{"swap-flip:", &settings->flip_swap_read},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t bytes = strlen(kinds[i].kind);

		if (strncmp(arg, kinds[i].kind, bytes) == 0 &&
		    !qr_size_parse(arg + bytes, 0, kinds[i].nth))
			return 0;
	}
	return said("--fault", arg, "is not KIND:N");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct words *words = state->input;
	struct qr_run *run = words->run;

	switch (key) {
	case KEY_RAM:
		words->ram = arg;
		return 0;
	case KEY_SWAP:
		words->swap = arg;
		return 0;
	case KEY_STORE:
		words->store = arg;
		return 0;
	case KEY_WITHOUT:
		return parse_without(arg, &run->settings.without);
	case KEY_STATS:
		run->stats = true;
		return 0;
	case KEY_REPORT:
		run->report = arg;
		return 0;
	case KEY_FAULT:
		return parse_fault(arg, &run->settings);
	case ARGP_KEY_ARG:
		/* The rest is the program's. */
		run->argv = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp run_argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[--] PROGRAM [ARGS]",
	.doc = "Run PROGRAM with its heap and private memory paged by Quire within "
	       "--ram.\v"
	       "Programs started by PROGRAM run on Quire too, each within the same "
	       "--ram.\n\n"
	       "Environment: QUIRE_LIBRARY names libquire.so where it is not found "
	       "beside the command; TMPDIR is where swap files go.",
};

static int fail(const char *option, const char *text, const char *why)
{
	return qr_cli_fail(QR_EXIT_QUIRE, "%s: '%s' %s", option, text, why);
}

/* The bound in whole pages. */
static int ram_read(const char *text, uint64_t *bytes)
{
	const char *wrong;

	if (!text)
		return qr_cli_fail(QR_EXIT_QUIRE, "run: --ram SIZE is needed");
	wrong = qr_size_parse(text, qr_host_memory_usable(qr_host_memory("")), bytes);
	if (wrong)
		return fail("--ram", text, wrong);
	*bytes -= *bytes % QUIRE_PAGE_BYTES;
	/* Frames are counted in 32 bits. */
	if (*bytes / QUIRE_PAGE_BYTES > UINT32_MAX)
		return fail("--ram", text, "is more than Quire can manage (16 TiB)");
	return 0;
}

static int store_read(const char *text, struct quire_settings *settings)
{
	const char *wrong;

	if (!text)
		return 0;
	wrong = qr_size_parse(text, settings->ram_bytes, &settings->store_bytes);
	if (wrong)
		return fail("--store", text, wrong);
	if (settings->swap == QUIRE_SWAP_NONE)
		return fail("--store", text, "is of no use with --swap none");
	if (settings->store_bytes > settings->ram_bytes)
		return fail("--store", text, "is more than --ram");
	return 0;
}

static int place_note(const struct qr_swap_place *place, struct quire_settings *settings)
{
	char wanted[QR_SIZE_TEXT], there[QR_SIZE_TEXT];

	if (settings->swap_bytes > place->free)
		return qr_cli_fail(QR_EXIT_QUIRE, "--swap: %s has %s free, not %s",
				   place->path, qr_size_show(place->free, there),
				   qr_size_show(settings->swap_bytes, wanted));
	if (place->in_memory)
		(void)qr_cli_fail(0,
				  "warning: %s lives in RAM: swapping there frees none",
				  place->path);
	memcpy(settings->swap_path, place->path, sizeof(place->path));
	return 0;
}

/* The comma before SIZE, or NULL.  What begins as a number or is nothing is meant as a
 * size, unless the whole names a folder. */
static const char *size_find(const char *text)
{
	const char *comma = strrchr(text, ',');
	struct stat st;

	if (!comma || !strchr("+-0123456789", comma[1]))
		return NULL;
	return stat(text, &st) == 0 && S_ISDIR(st.st_mode) ? NULL : comma;
}

static int swap_size_read(const char *text, uint64_t *bytes)
{
	const char *wrong = qr_size_parse(text, 0, bytes);

	if (wrong)
		return fail("--swap: SIZE", text, wrong);
	if (*bytes < QUIRE_EXTENT_BYTES)
		return qr_cli_fail(QR_EXIT_QUIRE,
				   "--swap: SIZE: '%s' is too little: at least %zuK is "
				   "needed",
				   text, QUIRE_EXTENT_BYTES / 1024);
	return 0;
}

/* "PATH" or "PATH,SIZE". */
static int file_read(const char *text, const char *word, struct quire_settings *settings)
{
	struct qr_swap_place place;
	char path[PATH_MAX];
	const char *comma = size_find(text);
	size_t bytes = comma ? (size_t)(comma - text) : strlen(text);
	int status = comma ? swap_size_read(comma + 1, &settings->swap_bytes) : 0;

	if (status)
		return status;
	if (bytes == 0 || bytes >= sizeof(path))
		return fail("--swap", word, "is not file:PATH[,SIZE]");
	memcpy(path, text, bytes);
	path[bytes] = '\0';
	if (!qr_swap_place_check(path, &place))
		return qr_cli_fail(QR_EXIT_QUIRE, "--swap: %s", place.fault);
	return place_note(&place, settings);
}

static int default_read(struct quire_settings *settings)
{
	struct qr_swap_place place;

	if (!qr_swap_place_default(&place))
		return qr_cli_fail(QR_EXIT_QUIRE, "--swap: %s", place.fault);
	return place_note(&place, settings);
}

static int swap_read(const char *text, struct quire_settings *settings)
{
	settings->swap = QUIRE_SWAP_FILE;
	if (!text || strcmp(text, "file") == 0)
		return default_read(settings);
	if (strncmp(text, "file:", 5) == 0)
		return file_read(text + 5, text, settings);
	if (strcmp(text, "ram") == 0)
		settings->swap = QUIRE_SWAP_RAM;
	else if (strcmp(text, "none") == 0)
		settings->swap = QUIRE_SWAP_NONE;
	else
		return fail("--swap", text, "is none of none, ram, file:PATH[,SIZE]");
	return 0;
}

static int least_check(const char *text, const struct quire_settings *settings)
{
	uint32_t cpus = qr_host_cpus();
	const struct quire_config config = {
		.codec = qr_codec_lz4(),
		.swap = settings->swap,
		.store_bytes = settings->store_bytes,
		.nr_lanes = cpus < QUIRE_LANES_MAX ? cpus : QUIRE_LANES_MAX,
	};
	uint64_t least = (uint64_t)quire_frames_least(&config) * QUIRE_PAGE_BYTES;
	const uint64_t kib = 1024;

	if (settings->ram_bytes >= least)
		return 0;
	return qr_cli_fail(QR_EXIT_QUIRE,
			   "--ram: '%s' is too little: at least %" PRIu64 "K is needed",
			   text, (least + kib - 1) / kib);
}

static int features_check(uint32_t without)
{
	const uint32_t either = QUIRE_FEATURE_BY_SYSCALL | QUIRE_FEATURE_BY_DEVICE;
	const uint32_t needed = QUIRE_FEATURE_KERNEL_FAULTS | QUIRE_FEATURE_WP;
	uint32_t had = qr_features_probe();
	uint32_t left = had & ~without;

	if ((had & needed) != needed || !(had & either))
		return qr_cli_fail(QR_EXIT_QUIRE,
				   "this user or kernel may not page a process: 'quire "
				   "doctor' says what is missing");
	if ((left & needed) != needed || !(left & either))
		return qr_cli_fail(
			QR_EXIT_QUIRE,
			"--without leaves too little: kernel-faults and wp are "
			"needed, and one of syscall and device");
	return 0;
}

/* The options in the order in which they build on one another. */
static int settings_read(const struct words *words, struct quire_settings *settings)
{
	int status = ram_read(words->ram, &settings->ram_bytes);

	if (!status)
		status = swap_read(words->swap, settings);
	if (!status)
		status = store_read(words->store, settings);
	if (!status)
		status = least_check(words->ram, settings);
	return status;
}

static int program_read(struct qr_run *run)
{
	int status;

	if (!run->argv)
		return qr_cli_fail(QR_EXIT_QUIRE, "run: no program given");
	status = qr_program_find(run->argv[0], &run->program);
	return status ? qr_cli_fail(status, "%s", run->program.why) : 0;
}

/* -1: go on; else the exit status, and all has been said. */
static int run_read(struct qr_run *run, int argc, char **argv)
{
	struct words words = {.run = run};
	char why[PATH_MAX + 128];
	int status = qr_args_parse(&qr_verb_run, argc, argv, &words);

	if (status >= 0)
		return status;
	status = settings_read(&words, &run->settings);
	run->settings.wants_heap = run->stats || run->report != NULL;
	if (!status)
		status = program_read(run);
	if (!status)
		status = features_check(run->settings.without);
	if (status)
		return status;
	if (!qr_library_find(run->library, why, sizeof(why)))
		return qr_cli_fail(QR_EXIT_QUIRE, "%s", why);
	return -1;
}

static int run_verb(int argc, char **argv)
{
	struct qr_run *run = calloc(1, sizeof(*run));
	int status;

	if (!run)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s", strerror(ENOMEM));
	status = run_read(run, argc, argv);
	if (status < 0)
		status = qr_run_supervise(run);
	free(run);
	return status;
}

const struct qr_verb qr_verb_run = {
	.name = "run",
	.what = "run a program within a bound of memory",
	.argp = &run_argp,
	.run = run_verb,
};
