/* SPDX-License-Identifier: MIT */
/* resident.c - the resident memory of a process, as the host counts it. */
#include "cli/host.h"
#include "cli/tree.h"

#include <stdlib.h>
#include <string.h>

/* "RssAnon:\t    1234 kB" */
static uint64_t kib_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

bool qr_resident_read(const char *root, pid_t pid, struct qr_resident *out)
{
	char path[512], text[4096];

	(void)snprintf(path, sizeof(path), "%s/proc/%d/status", root, (int)pid);
	if (!qr_host_read(path, text, sizeof(text)))
		return false;
	/* A zombie has no memory any more, and so none of these lines. */
	if (!strstr(text, "\nRssAnon:"))
		return false;
	*out = (struct qr_resident){
		.anon = kib_field(text, "\nRssAnon:"),
		.file = kib_field(text, "\nRssFile:"),
		.shmem = kib_field(text, "\nRssShmem:"),
	};
	return true;
}
