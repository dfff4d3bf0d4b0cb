/* SPDX-License-Identifier: MIT */
/* supervise.c - stands by while the program runs: signals, samples, and the end. */
#include "cli/cli.h"
#include "cli/report_file.h"
#include "cli/run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A look each 50 ms; at first more often, since short programs have peaks too. */
#define LOOK_FIRST_MS 2
#define LOOK_MS	      50

struct watch {
	struct qr_run *run;
	struct qr_tree tree;
	struct qr_signals signals;
	struct qr_report_file file;
	pid_t program;
};

/* True at the program's end, with info of it. */
static bool program_ended(struct watch *watch, siginfo_t *info)
{
	for (;;) {
		info->si_pid = 0;
		if (waitid(P_PID, (id_t)watch->program, info,
			   WEXITED | WSTOPPED | WNOHANG) != 0 ||
		    info->si_pid == 0)
			return false;
		if (info->si_code != CLD_STOPPED)
			return true;
		if (watch->signals.stop_asked) {
			watch->signals.stop_asked = false;
			(void)raise(SIGSTOP);
		}
	}
}

static void look(struct watch *watch)
{
	qr_tree_look(&watch->tree);
	if (watch->file.stream)
		qr_report_file_sample(&watch->file, &watch->tree.now);
}

static void watch_to_end(struct watch *watch, siginfo_t *info)
{
	struct pollfd poll_fd = {.fd = watch->signals.fd, .events = POLLIN};
	uint64_t due = qr_clock_ns();
	int step_ms = LOOK_FIRST_MS;

	while (!program_ended(watch, info)) {
		uint64_t now = qr_clock_ns();

		if (now >= due) {
			look(watch);
			due = now + (uint64_t)step_ms * 1000000;
			step_ms = step_ms * 2 < LOOK_MS ? step_ms * 2 : LOOK_MS;
		}
		now = qr_clock_ns();
		(void)poll(&poll_fd, 1, now < due ? (int)((due - now) / 1000000) + 1 : 0);
		qr_signals_forward(&watch->signals, watch->program);
	}
}

static int own_status(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status
					   : QR_EXIT_SIGNAL + info->si_status;
}

static int status_of(const siginfo_t *info, const struct qr_report *report)
{
	int own = own_status(info);

	if (!report->has_main && own == 0)
		return qr_cli_fail(QR_EXIT_QUIRE, "the program ran without Quire: "
						  "libquire.so did not get into it");
	if (!report->has_main)
		(void)qr_cli_fail(0, "the program ended before Quire was in it");
	switch (report->main.end) {
	case QUIRE_END_OOM:
		return QR_EXIT_SIGNAL + SIGKILL;
	case QUIRE_END_CORRUPT:
	case QUIRE_END_PANIC:
	case QUIRE_END_REFUSED:
		return QR_EXIT_QUIRE;
	default:
		return own;
	}
}

static void command_text(char *text, size_t bytes, char *const *argv)
{
	size_t used = 0;

	for (; *argv && used < bytes; argv++) {
		int got = snprintf(text + used, bytes - used, "%s%s", used ? " " : "",
				   *argv);

		used += got > 0 ? (size_t)got : 0;
	}
}

static void settings_note(const struct quire_settings *settings, struct qr_report *report)
{
	static const char *const names[] = {
		[QUIRE_SWAP_NONE] = "none",
		[QUIRE_SWAP_RAM] = "ram",
		[QUIRE_SWAP_FILE] = "file",
	};

	report->ram_bytes = settings->ram_bytes;
	report->store_bytes = settings->store_bytes;
	report->swap_bytes = settings->swap_bytes;
	(void)snprintf(report->swap, sizeof(report->swap), "%s", names[settings->swap]);
	(void)snprintf(report->swap_path, sizeof(report->swap_path), "%s",
		       settings->swap_path);
}

static int finish(struct watch *watch, const siginfo_t *info)
{
	struct qr_run *run = watch->run;
	struct qr_report report = {0};
	int error = 0, status;

	qr_tree_finish(&watch->tree, &report);
	report.status = (uint64_t)status_of(info, &report);
	settings_note(&run->settings, &report);
	command_text(report.command, sizeof(report.command), run->argv);
	if (report.nr_refused && report.has_main)
		(void)qr_cli_fail(0, "%llu processes ran without Quire",
				  (unsigned long long)report.nr_refused);
	if (run->stats)
		qr_report_print(stderr, &report);
	if (watch->file.stream) {
		qr_report_file_sample(&watch->file, &watch->tree.now);
		error = qr_report_file_commit(&watch->file, &report);
	}
	if (error)
		(void)qr_cli_fail(0, "the report could not be written: %s: %s",
				  run->report, strerror(error));
	status = (int)report.status;
	qr_report_free(&report);
	return status;
}

static int launch_and_watch(struct watch *watch)
{
	struct qr_run *run = watch->run;
	siginfo_t info = {0};
	int status;

	run->settings.supervisor = getpid();
	run->settings.segment_fd = watch->tree.fd;
	watch->tree.detailed = run->stats || run->report;
	watch->program = qr_run_launch(run, &watch->signals, &status);
	if (watch->program < 0)
		return status;
	watch->tree.main = watch->program;
	/* A reader of our own output that has gone must not cost the exit status. */
	(void)signal(SIGPIPE, SIG_IGN);
	watch_to_end(watch, &info);
	return finish(watch, &info);
}

static int with_signals(struct watch *watch)
{
	int status;

	if (!qr_signals_open(&watch->signals))
		return qr_cli_fail(QR_EXIT_QUIRE, "cannot take signals: %s",
				   strerror(errno));
	status = launch_and_watch(watch);
	qr_signals_close(&watch->signals);
	return status;
}

static int with_tree(struct watch *watch)
{
	int status;

	if (!qr_tree_open(&watch->tree))
		return qr_cli_fail(QR_EXIT_QUIRE, "cannot make the segment: %s",
				   strerror(errno));
	status = with_signals(watch);
	qr_tree_close(&watch->tree);
	return status;
}

int qr_run_supervise(struct qr_run *run)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int status, error = 0;

	if (!watch)
		return qr_cli_fail(QR_EXIT_QUIRE, "%s", strerror(ENOMEM));
	watch->run = run;
	if (run->report)
		error = qr_report_file_open(&watch->file, run->report);
	if (error)
		status = qr_cli_fail(QR_EXIT_QUIRE, "--report %s: %s", run->report,
				     strerror(error));
	else
		status = with_tree(watch);
	/* An early end leaves no half a report. */
	if (watch->file.stream)
		qr_report_file_abandon(&watch->file);
	free(watch);
	return status;
}
