/* SPDX-License-Identifier: MIT */
/* launch.c - starts the program with the library in front of it. */
#include "cli/cli.h"
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD"

extern char **environ;

/* "LD_PRELOAD=library:rest", where rest is what was preloaded before, less the library
 * itself.  NULL: no memory. */
static char *preload_text(const char *library, const char *before)
{
	size_t room = strlen(PRELOAD "=") + strlen(library) + strlen(before) + 2;
	char *text = malloc(room), *rest = strdup(before), *save = NULL;
	int used;

	if (!text || !rest) {
		free(text);
		free(rest);
		return NULL;
	}
	used = snprintf(text, room, PRELOAD "=%s", library);
	for (char *one = strtok_r(rest, ": ", &save); one;
	     one = strtok_r(NULL, ": ", &save))
		if (strcmp(one, library) != 0)
			used += snprintf(text + used, room - (size_t)used, ":%s", one);
	free(rest);
	return text;
}

static char *settings_text(const struct quire_settings *settings)
{
	const size_t head = strlen(QUIRE_SETTINGS_VARIABLE "=");
	char *text = malloc(head + QUIRE_SETTINGS_BYTES);

	if (!text)
		return NULL;
	memcpy(text, QUIRE_SETTINGS_VARIABLE "=", head);
	if (!qr_settings_format(settings, text + head, QUIRE_SETTINGS_BYTES)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool is_variable(const char *entry, const char *name)
{
	size_t bytes = strlen(name);

	return strncmp(entry, name, bytes) == 0 && entry[bytes] == '=';
}

/* The program's environment: ours, with two entries of our own making at its front. */
static void environment_free(char **env)
{
	if (!env)
		return;
	free(env[0]);
	free(env[1]);
	free(env);
}

static char **environment_make(const struct qr_run *run)
{
	const char *before = getenv(PRELOAD);
	size_t nr = 0, used = 2;
	char **env;

	while (environ[nr])
		nr++;
	env = calloc(nr + 3, sizeof(*env));
	if (!env)
		return NULL;
	env[0] = preload_text(run->library, before ? before : "");
	env[1] = settings_text(&run->settings);
	if (!env[0] || !env[1]) {
		environment_free(env);
		return NULL;
	}
	for (size_t i = 0; i < nr; i++)
		if (!is_variable(environ[i], PRELOAD) &&
		    !is_variable(environ[i], QUIRE_SETTINGS_VARIABLE))
			env[used++] = environ[i];
	return env;
}

/* A supervisor that is killed outright takes the program along, as if the program itself
 * had been killed; otherwise a time limit on `quire run` would bound nothing. */
static void child(const struct qr_run *run, const struct qr_signals *signals, char **env,
		  pid_t parent, int tell)
{
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(QR_EXIT_QUIRE);
	qr_signals_restore(signals);
	(void)execve(run->program.path, run->argv, env);
	error = errno;
	if (write(tell, &error, sizeof(error)) < 0)
		_exit(QR_EXIT_QUIRE);
	_exit(QR_EXIT_BARRED);
}

static pid_t fork_child(const struct qr_run *run, const struct qr_signals *signals,
			char **env, int *error)
{
	pid_t parent = getpid(), pid;
	int pipe_fds[2];

	/* Closed by a good exec; else it carries the errno. */
	if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
		*error = errno;
		return -1;
	}
	pid = fork();
	if (pid == 0)
		child(run, signals, env, parent, pipe_fds[1]);
	*error = errno;
	(void)close(pipe_fds[1]);
	if (pid > 0 && TEMP_FAILURE_RETRY(read(pipe_fds[0], error, sizeof(*error))) <= 0)
		*error = 0;
	(void)close(pipe_fds[0]);
	return pid;
}

pid_t qr_run_launch(const struct qr_run *run, const struct qr_signals *signals,
		    int *status)
{
	char **env = environment_make(run);
	int error = ENOMEM;
	pid_t pid = -1;

	*status = QR_EXIT_QUIRE;
	if (env)
		pid = fork_child(run, signals, env, &error);
	environment_free(env);
	if (pid < 0) {
		(void)qr_cli_fail(0, "cannot start a process: %s", strerror(error));
		return -1;
	}
	if (error == 0)
		return pid;
	*status = error == ENOENT ? QR_EXIT_MISSING : QR_EXIT_BARRED;
	(void)qr_cli_fail(0, "%s: %s", run->program.path, strerror(error));
	return -1;
}
