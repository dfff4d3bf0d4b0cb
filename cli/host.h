/* SPDX-License-Identifier: MIT */
/* host.h - what the host has: memory, CPUs, and small files of its own that say so. */
#ifndef QUIRE_CLI_HOST_H
#define QUIRE_CLI_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The beginning of a small file, as text with a final 0; false when it cannot be read. */
bool qr_host_read(const char *path, char *text, size_t bytes);
/* The number that a small file holds; false when it cannot be read or is no number. */
bool qr_host_number(const char *path, uint64_t *value);

struct qr_host_memory {
	uint64_t total;	 /* of the host; 0 when unknown */
	uint64_t cgroup; /* the tightest limit of a memory cgroup above us; 0: none */
};

/* root stands before /proc and /sys: "" but for tests. */
struct qr_host_memory qr_host_memory(const char *root);
/* The smaller of the two, or 0. */
uint64_t qr_host_memory_usable(struct qr_host_memory memory);

/* The CPUs that this process may run on; at least 1. */
uint32_t qr_host_cpus(void);

#endif
