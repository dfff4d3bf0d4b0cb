/* SPDX-License-Identifier: MIT */
/* text.h - lines put together without libc, cut off where they do not fit. */
#ifndef QUIRE_PORTS_LINUX_TEXT_H
#define QUIRE_PORTS_LINUX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* room includes the final 0, which qr_text_end writes. */
struct qr_text {
	char *at;
	size_t used, room;
	bool overflow;
};

static inline void qr_text_char(struct qr_text *text, char c)
{
	if (text->used + 1 < text->room)
		text->at[text->used++] = c;
	else
		text->overflow = true;
}

static inline void qr_text_add(struct qr_text *text, const char *s)
{
	while (*s)
		qr_text_char(text, *s++);
}

static inline void qr_text_number(struct qr_text *text, uint64_t value)
{
	char digits[20];
	size_t nr = 0;

	do {
		digits[nr++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (nr)
		qr_text_char(text, digits[--nr]);
}

/* Ends the line; its start. */
static inline const char *qr_text_end(struct qr_text *text)
{
	text->at[text->used] = '\0';
	return text->at;
}

#endif
