/* SPDX-License-Identifier: MIT */
/* swap_place.c - where swap files may go, checked before the program starts.
 *
 * Whether a file can be made is found by making one: permissions, quotas, read-only
 * filesystems and security modules all have their say. */
#include "cli/swap_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static bool fault(struct qr_swap_place *out, const char *path, const char *why)
{
	(void)snprintf(out->fault, sizeof(out->fault), "%.500s: %s", path, why);
	return false;
}

static bool lives_in_memory(const char *folder)
{
	struct statfs fs;

	return statfs(folder, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static const char *default_folder(void)
{
	const char *named = getenv("TMPDIR");

	if (named && *named)
		return named;
	if (lives_in_memory("/tmp") && access("/var/tmp", W_OK) == 0)
		return "/var/tmp";
	return "/tmp";
}

/* Makes the file and removes it again; 0 or an errno. */
static int try_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return unlink(path) == 0 ? 0 : errno;
}

static int try_folder(const char *folder, bool *direct)
{
	char path[PATH_MAX];
	int fd, flags;

	if (snprintf(path, sizeof(path), "%s/quire-XXXXXX", folder) >= (int)sizeof(path))
		return ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return errno;
	(void)unlink(path);
	flags = fcntl(fd, F_GETFL);
	*direct = flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
	(void)close(fd);
	return 0;
}

static bool copy_path(struct qr_swap_place *out, const char *path, const char *absolute)
{
	if (strlen(absolute) >= sizeof(out->path))
		return fault(out, path, strerror(ENAMETOOLONG));
	memcpy(out->path, absolute, strlen(absolute) + 1);
	return true;
}

/* The absolute path of the folder that path is in, and the name in it. */
static bool split(struct qr_swap_place *out, const char *path, char folder[PATH_MAX],
		  const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	*name = slash ? slash + 1 : path;
	if (**name == '\0' || strlen(path) >= sizeof(parent))
		return fault(out, path, strerror(**name ? ENAMETOOLONG : ENOENT));
	if (!slash)
		(void)snprintf(parent, sizeof(parent), ".");
	else
		(void)snprintf(parent, sizeof(parent), "%.*s",
			       slash == path ? 1 : (int)(slash - path), path);
	if (!realpath(parent, folder))
		return fault(out, path, strerror(errno));
	return true;
}

static bool check_file(const char *path, char folder[PATH_MAX], struct qr_swap_place *out)
{
	char absolute[PATH_MAX + 256];
	const char *name;
	int error;

	if (!split(out, path, folder, &name))
		return false;
	(void)snprintf(absolute, sizeof(absolute), "%s/%s", folder, name);
	if (!copy_path(out, path, absolute))
		return false;
	error = try_file(out->path);
	if (error)
		return fault(out, path, strerror(error));
	return true;
}

static bool check_folder(const char *path, char folder[PATH_MAX],
			 struct qr_swap_place *out)
{
	if (!realpath(path, folder))
		return fault(out, path, strerror(errno));
	return copy_path(out, path, folder);
}

static bool check(const char *path, bool may_be_file, struct qr_swap_place *out)
{
	char folder[PATH_MAX];
	struct statfs fs;
	struct stat st;
	bool exists = stat(path, &st) == 0;
	int error;

	*out = (struct qr_swap_place){.path = ""};
	if (exists && !S_ISDIR(st.st_mode))
		return fault(out, path,
			     "exists already; name a folder, or a file to be made");
	if (!(exists || !may_be_file ? check_folder : check_file)(path, folder, out))
		return false;
	error = try_folder(folder, &out->direct);
	if (error)
		return fault(out, path, strerror(error));
	if (statfs(folder, &fs) != 0)
		return fault(out, path, strerror(errno));
	out->free = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	out->in_memory = lives_in_memory(folder);
	return true;
}

bool qr_swap_place_check(const char *path, struct qr_swap_place *out)
{
	return check(path, true, out);
}

bool qr_swap_place_default(struct qr_swap_place *out)
{
	return check(default_folder(), false, out);
}
