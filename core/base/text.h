/* SPDX-License-Identifier: MIT */
/* text.h - text put together in a buffer, for panics and reports: what does not fit is
 * cut, and the buffer always ends with a zero byte. */
#ifndef QUIRE_CORE_BASE_TEXT_H
#define QUIRE_CORE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct qr_text {
	char *bytes;
	size_t room;   /* at least 1 */
	size_t length; /* as long as it would be with enough room */
};

void qr_text_init(struct qr_text *text, char *bytes, size_t room);
void qr_text_char(struct qr_text *text, char c);
/* Right-aligned in width where it is shorter; 0: as it is. */
void qr_text_string(struct qr_text *text, const char *string, uint32_t width);
void qr_text_number(struct qr_text *text, uint64_t number, uint32_t width);
/* Left-aligned. */
void qr_text_left(struct qr_text *text, const char *string, uint32_t width);
/* As 0x1f. */
void qr_text_hex(struct qr_text *text, uint64_t number);

#endif
