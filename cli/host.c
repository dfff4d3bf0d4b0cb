/* SPDX-License-Identifier: MIT */
/* host.c - what the host has: memory, CPUs, and small files of its own that say so. */
#include "cli/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool qr_host_read(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got = -1;

	if (fd < 0)
		return false;
	while (used + 1 < bytes) {
		got = read(fd, text + used, bytes - 1 - used);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	(void)close(fd);
	text[used] = '\0';
	return got >= 0;
}

bool qr_host_number(const char *path, uint64_t *value)
{
	char text[64], *end;

	if (!qr_host_read(path, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && (*end == '\n' || *end == '\0');
}

/* "MemTotal:       49368192 kB" */
static uint64_t memory_total(const char *root)
{
	char path[PATH_MAX], text[4096];
	const char *line;

	(void)snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (!qr_host_read(path, text, sizeof(text)))
		return 0;
	line = strstr(text, "MemTotal:");
	return line ? strtoull(line + strlen("MemTotal:"), NULL, 10) * 1024 : 0;
}

/* Walks from the cgroup up to the top of its hierarchy: a limit binds all below it.  A
 * container sees its own cgroup as the top, so names on the way may be missing. */
static uint64_t tightest(const char *mount, const char *group, const char *file)
{
	char dir[PATH_MAX / 2], path[PATH_MAX];
	uint64_t least = 0, value;
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", group);
	do {
		(void)snprintf(path, sizeof(path), "%.2000s%s/%s", mount, dir, file);
		/* A v1 group without a limit holds the largest page-aligned number. */
		if (qr_host_number(path, &value) && value < INT64_MAX / 4096 * 4096 &&
		    (least == 0 || value < least))
			least = value;
		slash = strrchr(dir, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return least;
}

/* One line of /proc/self/cgroup: "4:memory:/path" in v1, "0::/path" in v2. */
static uint64_t cgroup_line_limit(const char *root, char *line)
{
	char mount[PATH_MAX / 2];
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group)
		return 0;
	*group++ = '\0';
	if (strcmp(controllers, ":memory") == 0) {
		(void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/memory", root);
		return tightest(mount, group, "memory.limit_in_bytes");
	}
	if (strcmp(controllers, ":") == 0) {
		(void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		return tightest(mount, group, "memory.max");
	}
	return 0;
}

static uint64_t cgroup_limit(const char *root)
{
	char path[PATH_MAX], text[8192];
	uint64_t least = 0;
	char *save = NULL;

	(void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	if (!qr_host_read(path, text, sizeof(text)))
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		uint64_t limit = cgroup_line_limit(root, line);

		if (limit && (least == 0 || limit < least))
			least = limit;
	}
	return least;
}

struct qr_host_memory qr_host_memory(const char *root)
{
	return (struct qr_host_memory){
		.total = memory_total(root),
		.cgroup = cgroup_limit(root),
	};
}

uint64_t qr_host_memory_usable(struct qr_host_memory memory)
{
	if (memory.cgroup && (memory.total == 0 || memory.cgroup < memory.total))
		return memory.cgroup;
	return memory.total;
}

uint32_t qr_host_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}
