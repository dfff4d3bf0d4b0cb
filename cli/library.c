/* SPDX-License-Identifier: MIT */
/* library.c - finds libquire.so. */
#include "cli/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY_NAME "libquire.so"

/* From the executable's folder: a build tree, then an installed one. */
static const char *const places[] = {
	LIBRARY_NAME,
	"../lib/" LIBRARY_NAME,
	QUIRE_LIBRARY_FROM_BINDIR "/" LIBRARY_NAME,
};

static bool own_folder(char folder[PATH_MAX])
{
	ssize_t got = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	char *slash;

	if (got < 0)
		return false;
	folder[got] = '\0';
	slash = strrchr(folder, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static bool search(char path[PATH_MAX])
{
	char folder[PATH_MAX], candidate[PATH_MAX + 256];

	if (!own_folder(folder))
		return false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		(void)snprintf(candidate, sizeof(candidate), "%s/%s", folder, places[i]);
		if (access(candidate, R_OK) == 0 && realpath(candidate, path))
			return true;
	}
	return false;
}

bool qr_library_find(char path[PATH_MAX], char *why, size_t bytes)
{
	const char *named = getenv("QUIRE_LIBRARY");

	if (named && *named) {
		if (access(named, R_OK) != 0 || !realpath(named, path)) {
			(void)snprintf(why, bytes, "QUIRE_LIBRARY: %s: %s", named,
				       strerror(errno));
			return false;
		}
	} else if (!search(path)) {
		(void)snprintf(why, bytes,
			       LIBRARY_NAME " is neither beside quire nor installed; "
					    "QUIRE_LIBRARY may name it");
		return false;
	}
	/* The loader parts LD_PRELOAD at both and knows no escape. */
	if (strpbrk(path, ": ")) {
		(void)snprintf(why, bytes, "%s: no space or colon may be in its path",
			       path);
		return false;
	}
	return true;
}
