/* SPDX-License-Identifier: MIT */
/* names_exec.c - the calls that start programs: those run on Quire too. */
#include "ports/linux/environment.h"
#include "ports/linux/ground.h"
#include "ports/linux/next.h"
#include "ports/linux/pin.h"

#include <alloca.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

QR_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	struct qr_environment room;

	qr_pin_disown();
	return QR_NEXT(execve)(path, argv, qr_environment_complete(envp, &room));
}

QR_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

QR_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct qr_environment room;

	qr_pin_disown();
	return QR_NEXT(execvpe)(file, argv, qr_environment_complete(envp, &room));
}

QR_EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

QR_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	struct qr_environment room;

	qr_pin_disown();
	return QR_NEXT(fexecve)(fd, argv, qr_environment_complete(envp, &room));
}

QR_EXPORT int execveat(int folder, const char *path, char *const argv[],
		       char *const envp[], int flags)
{
	struct qr_environment room;

	qr_pin_disown();
	return QR_NEXT(execveat)(folder, path, argv, qr_environment_complete(envp, &room),
				 flags);
}

QR_EXPORT int posix_spawn(pid_t *pid, const char *path,
			  const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attributes, char *const argv[],
			  char *const envp[])
{
	struct qr_environment room;
	int error;

	qr_pin_hold();
	error = QR_NEXT(posix_spawn)(pid, path, actions, attributes, argv,
				     qr_environment_complete(envp, &room));
	qr_pin_release();
	return error;
}

QR_EXPORT int posix_spawnp(pid_t *pid, const char *file,
			   const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const argv[],
			   char *const envp[])
{
	struct qr_environment room;
	int error;

	qr_pin_hold();
	error = QR_NEXT(posix_spawnp)(pid, file, actions, attributes, argv,
				      qr_environment_complete(envp, &room));
	qr_pin_release();
	return error;
}

/* Words of a call that lists them one by one, first and the final NULL included. */
static size_t count_words(const char *first, va_list *list)
{
	size_t nr = 1;

	while (first != NULL && va_arg(*list, char *) != NULL)
		nr++;
	return nr + 1;
}

/* argv has room for all; what follows the words is left in list. */
static void take_words(char **argv, const char *first, va_list *list)
{
	*argv = (char *)(uintptr_t)first;
	while (*argv != NULL)
		*++argv = va_arg(*list, char *);
}

QR_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list list;
	char **argv;

	va_start(list, first);
	argv = alloca(count_words(first, &list) * sizeof(*argv));
	va_end(list);
	va_start(list, first);
	take_words(argv, first, &list);
	va_end(list);
	return execve(path, argv, environ);
}

QR_EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list list;
	char **argv;

	va_start(list, first);
	argv = alloca(count_words(first, &list) * sizeof(*argv));
	va_end(list);
	va_start(list, first);
	take_words(argv, first, &list);
	va_end(list);
	return execvpe(file, argv, environ);
}

QR_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list list;
	char **argv, *const *envp;

	va_start(list, first);
	argv = alloca(count_words(first, &list) * sizeof(*argv));
	va_end(list);
	va_start(list, first);
	take_words(argv, first, &list);
	envp = va_arg(list, char *const *);
	va_end(list);
	return execve(path, argv, envp);
}
