/* SPDX-License-Identifier: MIT */
/* sizes.h - amounts of memory as people write and read them. */
#ifndef QUIRE_CLI_SIZES_H
#define QUIRE_CLI_SIZES_H

#include <stdint.h>

/* Reads 4096, 256M, 1GiB, 100MB (powers of ten) or 50% (of whole; no percentage is taken
 * where whole is 0).  NULL, or what is wrong, to be set behind the text; *bytes is
 * written on success only and is never 0. */
const char *qr_size_parse(const char *text, uint64_t whole, uint64_t *bytes);

#define QR_SIZE_TEXT 24u

/* "0 B", "812 B", "4.0 KiB", "256.0 MiB"; returns text. */
const char *qr_size_show(uint64_t bytes, char text[QR_SIZE_TEXT]);

#endif
