/* SPDX-License-Identifier: MIT */
/* stats.h - the account of quire_heap_stats(), and what malloc_info shows beside it. */
#ifndef QUIRE_HEAP_STATS_H
#define QUIRE_HEAP_STATS_H

#include "heap/heap.h"
#include "quire/heap.h"

/* Slots by class, and free runs. */
struct qr_heap_sizes {
	size_t used[QR_NR_CLASSES];
	size_t unused[QR_NR_CLASSES]; /* in bins, or available */
	size_t cached[QR_NR_CLASSES]; /* of these, in bins */
	size_t nr_free, free_bytes;   /* runs of free pages */
};

/* The beginning of a file in /proc, as text, with no allocation; false: there is none. */
bool qr_proc_read(const char *path, char *text, size_t room);
/* sizes may be NULL. */
void qr_heap_stats(struct quire_heap_stats *stats, struct qr_heap_sizes *sizes);
/* The account as text, one sum below the other, to a descriptor. */
void qr_heap_stats_print(int fd);

#endif
