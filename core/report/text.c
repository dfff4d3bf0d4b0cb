/* SPDX-License-Identifier: MIT */
/* text.c - strings and numbers appended. */
#include "core/report/text.h"

#define DIGITS_MAX 20

void qr_text_char(struct qr_text *text, char c)
{
	if (text->used + 1 < text->room)
		text->at[text->used] = c;
	text->used++;
}

void qr_text_put(struct qr_text *text, const char *string)
{
	while (*string != 0)
		qr_text_char(text, *string++);
}

static void put_digits(struct qr_text *text, uint64_t n, uint32_t base, uint32_t width,
		       char filler)
{
	char digits[DIGITS_MAX];
	uint32_t nr = 0;

	do {
		digits[nr++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	for (uint32_t i = nr; i < width; i++)
		qr_text_char(text, filler);
	while (nr > 0)
		qr_text_char(text, digits[--nr]);
}

void qr_text_number(struct qr_text *text, uint64_t n, uint32_t width)
{
	put_digits(text, n, 10, width, ' ');
}

void qr_text_hex(struct qr_text *text, uint64_t n, uint32_t width)
{
	put_digits(text, n, 16, width, '0');
}

void qr_text_signed(struct qr_text *text, int64_t n, uint32_t width)
{
	uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	uint32_t digits = 1;

	for (uint64_t rest = size; rest >= 10; rest /= 10)
		digits++;
	for (uint32_t i = digits + (n < 0); i < width; i++)
		qr_text_char(text, ' ');
	if (n < 0)
		qr_text_char(text, '-');
	put_digits(text, size, 10, 1, ' ');
}

void qr_text_column(struct qr_text *text, size_t start, uint32_t column)
{
	while (text->used - start < column)
		qr_text_char(text, ' ');
}

size_t qr_text_end(struct qr_text *text)
{
	if (text->room > 0)
		text->at[text->used < text->room ? text->used : text->room - 1] = 0;
	return text->used;
}
