/* SPDX-License-Identifier: MIT */
/* signals.c - signals sent to `quire run`, passed on to its program.
 *
 * Model.  The program stays in the supervisor's process group, so that the terminal's own
 * signals (interrupt, quit, stop, hang-up, new window size) reach it from the kernel, and
 * passing them on would deliver them twice.  A signal sent by a process was meant for the
 * program, which the sender knows under the supervisor's number; it is passed on, unless
 * the sender is of the program's own tree: then it was sent to the whole group.
 *
 * Stopping.  The shell sees the supervisor, not the program.  So when a stop asked of both
 * has stopped the program, the supervisor stops too, and the shell has its job back. */
#include "cli/host.h"
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int passed_on[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP,
};

bool qr_signals_open(struct qr_signals *signals)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t set;

	*signals = (struct qr_signals){.fd = -1};
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		(void)sigaddset(&set, passed_on[i]);
	(void)sigaddset(&set, SIGCHLD);
	/* Ignored, as some parents leave it, it would let the exit status go. */
	if (sigaction(SIGCHLD, &plain, &signals->child) != 0 ||
	    sigprocmask(SIG_BLOCK, &set, &signals->mask) != 0)
		return false;
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		qr_signals_restore(signals);
	return signals->fd >= 0;
}

void qr_signals_restore(const struct qr_signals *signals)
{
	(void)sigaction(SIGCHLD, &signals->child, NULL);
	(void)sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

void qr_signals_close(struct qr_signals *signals)
{
	(void)close(signals->fd);
	qr_signals_restore(signals);
}

/* 0 when the process is gone.  The name in the second field may hold anything, so the
 * fields are counted from its last parenthesis. */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[1024];
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!qr_host_read(path, text, sizeof(text)))
		return 0;
	at = strrchr(text, ')');
	/* ") S 1234 ..." */
	return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

static bool descends(pid_t pid, pid_t from)
{
	while (pid > 1 && pid != from)
		pid = parent_of(pid);
	return pid == from;
}

static bool was_for_program(const struct signalfd_siginfo *info, pid_t program)
{
	return info->ssi_code != SI_KERNEL && !descends((pid_t)info->ssi_pid, program);
}

void qr_signals_forward(struct qr_signals *signals, pid_t program)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_signo == SIGTSTP)
			signals->stop_asked = true;
		if (was_for_program(&info, program))
			(void)kill(program, (int)info.ssi_signo);
	}
}
