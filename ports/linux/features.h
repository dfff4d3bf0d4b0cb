/* SPDX-License-Identifier: MIT */
/* features.h - what the host offers to a pager, probed one by one. */
#ifndef QUIRE_PORTS_LINUX_FEATURES_H
#define QUIRE_PORTS_LINUX_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* A userfaultfd that also serves faults taken inside system calls. */
	QUIRE_FEATURE_KERNEL_FAULTS = 1u << 0,
	/* Only faults taken in user mode (what an unprivileged process gets). */
	QUIRE_FEATURE_USER_FAULTS = 1u << 1,
	QUIRE_FEATURE_WP = 1u << 2,
	QUIRE_FEATURE_MOVE = 1u << 3,
	QUIRE_FEATURE_WP_UNPOPULATED = 1u << 4,
	QUIRE_FEATURE_WP_ASYNC = 1u << 5,
	QUIRE_FEATURE_PAGEMAP_SCAN = 1u << 6,
	/* process_madvise(self, MADV_DONTNEED) of a vector of ranges. */
	QUIRE_FEATURE_RELEASE_VECTOR = 1u << 7,
	QUIRE_FEATURE_THREAD_ID = 1u << 8,
	/* How the userfaultfd was had. */
	QUIRE_FEATURE_BY_SYSCALL = 1u << 16,
	QUIRE_FEATURE_BY_DEVICE = 1u << 17,
};

struct quire_feature_name {
	uint32_t bit;
	const char *name; /* as `--without NAME` spells it */
	const char *what; /* one line for `quire doctor` */
};
/* Ends with bit 0. */
extern const struct quire_feature_name qr_feature_names[];

/* What this process may use now.  Opens and closes descriptors; no other effect. */
uint32_t qr_features_probe(void);

#endif
