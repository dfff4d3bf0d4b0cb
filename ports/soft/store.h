/* SPDX-License-Identifier: MIT */
/* store.h - what stands behind a file on the software machine: pages in the host's memory,
 * whose transfers fail on command (QR_SOFT_FILE_READ and its like).
 *
 * Always on: a transfer of a page that the file does not have, or of too many or no pages, a
 * write of anything but zeros behind the end of the file, any use after release: each
 * stops the machine. */
#ifndef QUIRE_PORTS_SOFT_STORE_H
#define QUIRE_PORTS_SOFT_STORE_H

#include "ports/soft/soft.h"
#include "quire/file.h"

struct qr_soft_store;

struct qr_soft_store_counts {
	uint64_t reads, writes; /* calls */
	uint64_t pages_read, pages_written;
};

/* So many bytes, all zero; NULL where the host has no memory for it. */
struct qr_soft_store *qr_soft_store_new(struct qr_soft *soft, uint64_t bytes);
/* The machine has released it, or never had it. */
void qr_soft_store_delete(struct qr_soft_store *store);
/* A file's configuration on it. */
struct quire_file_config qr_soft_store_config(struct qr_soft_store *store,
					      const char *name);
bool qr_soft_store_is_released(const struct qr_soft_store *store);
struct qr_soft_store_counts qr_soft_store_counts(const struct qr_soft_store *store);

/* Past the machine: bytes as the store has them; what it does not have is zeros. */
void qr_soft_store_peek(const struct qr_soft_store *store, uint64_t at, void *buf,
			size_t bytes);
/* Within its size; false where the host has no memory for it. */
bool qr_soft_store_poke(struct qr_soft_store *store, uint64_t at, const void *buf,
			size_t bytes);
uint64_t qr_soft_store_bytes(const struct qr_soft_store *store);

#endif
