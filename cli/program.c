/* SPDX-License-Identifier: MIT */
/* program.c - finds the program, and says beforehand why Quire could not run it.
 *
 * Preloading fails silently: the dynamic loader drops LD_PRELOAD for a program that
 * changes its user, and a static program has no loader at all.  Such a program would run
 * without Quire and without its bound, so it is refused here.
 *
 * A script is run by its interpreter, so it is the interpreter that is checked. */
#include "cli/program.h"

#include "cli/cli.h"
#include "cli/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel's own bounds: length of the #! line, and scripts run by scripts. */
#define SCRIPT_LINE_BYTES 256
#define SCRIPT_DEPTH	  5

static int bar(struct qr_program *out, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int bar(struct qr_program *out, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(out->why, sizeof(out->why), format, ap);
	va_end(ap);
	return status;
}

static int status_of(int error)
{
	return error == ENOENT ? QR_EXIT_MISSING : QR_EXIT_BARRED;
}

/* 0 or an errno: what execve() would say before it opens the file. */
static int candidate_error(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static bool candidate_join(char *path, const char *dir, size_t dir_bytes,
			   const char *name)
{
	int used = dir_bytes == 0 ? snprintf(path, PATH_MAX, "./%s", name)
				  : snprintf(path, PATH_MAX, "%.*s/%s", (int)dir_bytes,
					     dir, name);

	return used > 0 && used < PATH_MAX;
}

/* As execvp(3): the first that can be run; what is there but cannot be is remembered. */
static int search(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	char candidate[PATH_MAX];
	int error = ENOENT;

	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t bytes = strcspn(dirs, ":");
		int got = ENAMETOOLONG;

		if (candidate_join(candidate, dirs, bytes, name))
			got = candidate_error(candidate);
		if (got == 0 || (got != ENOENT && got != ENOTDIR && error == ENOENT)) {
			(void)snprintf(path, PATH_MAX, "%s", candidate);
			error = got;
		}
		if (got == 0 || dirs[bytes] == '\0')
			return error;
		dirs += bytes + 1;
	}
}

static int locate(const char *name, struct qr_program *out)
{
	int error;

	if (strlen(name) >= sizeof(out->path))
		return bar(out, QR_EXIT_BARRED, "%.200s...: %s", name,
			   strerror(ENAMETOOLONG));
	(void)snprintf(out->path, sizeof(out->path), "%s", name);
	if (name[0] == '\0')
		error = ENOENT;
	else if (strchr(name, '/'))
		error = candidate_error(name);
	else
		error = search(name, out->path);
	if (error == 0)
		return 0;
	if (error == ENOENT)
		return bar(out, QR_EXIT_MISSING, "%s: no such program", name);
	return bar(out, status_of(error), "%s: %s", out->path, strerror(error));
}

static bool own_elf(struct qr_elf *own)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && qr_elf_read(fd, NULL, own) == QR_ELF_GOOD;

	if (fd >= 0)
		(void)close(fd);
	return good;
}

/* The loader of another C library would not know what libquire.so asks of it. */
static int loader_check(const struct qr_elf *elf, const struct qr_elf *own,
			const char *path, struct qr_program *out)
{
	const char *ours = strrchr(own->loader, '/');
	const char *theirs = strrchr(elf->loader, '/');

	if (elf->loader[0] == '\0')
		return bar(out, QR_EXIT_BARRED,
			   "%s: statically linked: no library can be preloaded", path);
	if (!ours || !theirs || strcmp(ours, theirs) != 0)
		return bar(out, QR_EXIT_BARRED,
			   "%s: made for another C library (its loader is %s)", path,
			   elf->loader);
	if (access(elf->loader, F_OK) != 0)
		return bar(out, QR_EXIT_MISSING, "%s: its loader %s: %s", path,
			   elf->loader, strerror(errno));
	return 0;
}

static int elf_check(int fd, const char *path, struct qr_program *out)
{
	struct qr_elf own, elf;

	if (!own_elf(&own))
		return bar(out, QR_EXIT_QUIRE, "cannot read /proc/self/exe: %s",
			   strerror(errno));
	switch (qr_elf_read(fd, &own, &elf)) {
	case QR_ELF_GOOD:
		return loader_check(&elf, &own, path, out);
	case QR_ELF_FOREIGN:
		return bar(out, QR_EXIT_BARRED,
			   "%s: made for another architecture (ELF machine %u, %d bits)",
			   path, elf.machine, elf.class == 1 ? 32 : 64);
	case QR_ELF_BROKEN:
		return bar(out, QR_EXIT_BARRED, "%s: damaged ELF file", path);
	case QR_ELF_NOT:
		break;
	}
	return bar(out, QR_EXIT_BARRED,
		   "%s: neither an ELF program nor a script with a #! line", path);
}

static int privilege_check(int fd, const char *path, struct qr_program *out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return bar(out, QR_EXIT_BARRED, "%s: %s", path, strerror(errno));
	if (st.st_mode & (S_ISUID | S_ISGID))
		return bar(out, QR_EXIT_BARRED,
			   "%s: %s: no library may be preloaded into it", path,
			   st.st_mode & S_ISUID ? "setuid" : "setgid");
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return bar(
			out, QR_EXIT_BARRED,
			"%s: has file capabilities: no library may be preloaded into it",
			path);
	return 0;
}

/* The interpreter of "#! /bin/sh -e\n"; false when fd holds no script. */
static bool script_read(int fd, char line[SCRIPT_LINE_BYTES], char **interpreter)
{
	ssize_t got = pread(fd, line, SCRIPT_LINE_BYTES - 1, 0);

	if (got < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	*interpreter = line + 2 + strspn(line + 2, " \t");
	(*interpreter)[strcspn(*interpreter, " \t")] = '\0';
	return true;
}

/* One file of the chain script, script, program.  *next is the interpreter or empty. */
static int file_check(int fd, const char *path, char next[SCRIPT_LINE_BYTES],
		      struct qr_program *out)
{
	char line[SCRIPT_LINE_BYTES], *interpreter;
	int error;

	next[0] = '\0';
	/* The kernel takes privileges from what it loads, never from a script. */
	if (!script_read(fd, line, &interpreter)) {
		int status = privilege_check(fd, path, out);

		return status ? status : elf_check(fd, path, out);
	}
	if (*interpreter == '\0')
		return bar(out, QR_EXIT_BARRED, "%s: its #! line names nothing", path);
	error = candidate_error(interpreter);
	if (error)
		return bar(out, status_of(error), "%s: its interpreter %s: %s", path,
			   interpreter, strerror(error));
	(void)snprintf(next, SCRIPT_LINE_BYTES, "%s", interpreter);
	return 0;
}

static int chain_check(struct qr_program *out)
{
	char path[PATH_MAX], next[SCRIPT_LINE_BYTES];

	(void)snprintf(path, sizeof(path), "%s", out->path);
	for (int depth = 0; depth < SCRIPT_DEPTH; depth++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		int status;

		if (fd < 0)
			return bar(out, QR_EXIT_BARRED, "%s: cannot be read: %s", path,
				   strerror(errno));
		status = file_check(fd, path, next, out);
		(void)close(fd);
		if (status || next[0] == '\0')
			return status;
		(void)snprintf(path, sizeof(path), "%s", next);
	}
	return bar(out, QR_EXIT_BARRED, "%s: %s", out->path, strerror(ELOOP));
}

int qr_program_find(const char *name, struct qr_program *out)
{
	int status = locate(name, out);

	return status ? status : chain_check(out);
}
