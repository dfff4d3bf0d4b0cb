/* SPDX-License-Identifier: MIT */
/* text.h - text put together where there is no libc. */
#ifndef QUIRE_CORE_REPORT_TEXT_H
#define QUIRE_CORE_REPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* What does not fit is counted and left out. */
struct qr_text {
	char *at;
	size_t room; /* the zero byte included */
	size_t used; /* that all of it takes */
};

void qr_text_put(struct qr_text *text, const char *string);
void qr_text_char(struct qr_text *text, char c);
/* At least width characters, with blanks before. */
void qr_text_number(struct qr_text *text, uint64_t n, uint32_t width);
void qr_text_signed(struct qr_text *text, int64_t n, uint32_t width);
/* At least width digits, with zeros before. */
void qr_text_hex(struct qr_text *text, uint64_t n, uint32_t width);
/* Blanks up to column, counted from the line's start, which began at used == start. */
void qr_text_column(struct qr_text *text, size_t start, uint32_t column);
/* Ends the text; returns the bytes that it takes. */
size_t qr_text_end(struct qr_text *text);

#endif
