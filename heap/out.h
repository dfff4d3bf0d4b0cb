/* SPDX-License-Identifier: MIT */
/* out.h - text or bytes that are put together before they are written: in pages of the
 * host's, so that neither the heap nor a stream of the program's takes part. */
#ifndef QUIRE_HEAP_OUT_H
#define QUIRE_HEAP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at first. */
struct qr_out {
	unsigned char *data;
	size_t length, room;
	bool failed; /* no memory: what was added since is missing */
};

void qr_out_bytes(struct qr_out *out, const void *data, size_t bytes);
void qr_out_text(struct qr_out *out, const char *text);
void qr_out_number(struct qr_out *out, uint64_t n, unsigned base);
/* Replaces the file; false where that failed.  The pages go back. */
bool qr_out_write(struct qr_out *out, const char *path);
/* To a descriptor. */
bool qr_out_send(struct qr_out *out, int fd);
void qr_out_drop(struct qr_out *out);

#endif
