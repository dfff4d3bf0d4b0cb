/* SPDX-License-Identifier: MIT */
/* text.c - numbers and words into a buffer. */
#include "core/base/text.h"

void qr_text_init(struct qr_text *text, char *bytes, size_t room)
{
	*text = (struct qr_text){.bytes = bytes, .room = room};
	bytes[0] = '\0';
}

void qr_text_char(struct qr_text *text, char c)
{
	if (text->length + 1 < text->room) {
		text->bytes[text->length] = c;
		text->bytes[text->length + 1] = '\0';
	}
	text->length++;
}

static void blanks(struct qr_text *text, uint32_t length, uint32_t width)
{
	for (; length < width; length++)
		qr_text_char(text, ' ');
}

static uint32_t length_of(const char *string)
{
	uint32_t length = 0;

	while (string[length] != '\0')
		length++;
	return length;
}

void qr_text_put(struct qr_text *text, const char *string)
{
	for (; *string != '\0'; string++)
		qr_text_char(text, *string);
}

void qr_text_string(struct qr_text *text, const char *string, uint32_t width)
{
	blanks(text, length_of(string), width);
	qr_text_put(text, string);
}

void qr_text_left(struct qr_text *text, const char *string, uint32_t width)
{
	qr_text_put(text, string);
	blanks(text, length_of(string), width);
}

/* The number's digits, written to the end of the buffer. */
static const char *digits(uint64_t number, uint32_t radix, char buffer[32])
{
	char *at = buffer + 31;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % radix];
		number /= radix;
	} while (number != 0);
	return at;
}

void qr_text_number(struct qr_text *text, uint64_t number, uint32_t width)
{
	char buffer[32];

	qr_text_string(text, digits(number, 10, buffer), width);
}

void qr_text_hex(struct qr_text *text, uint64_t number)
{
	char buffer[32];

	qr_text_put(text, "0x");
	qr_text_put(text, digits(number, 16, buffer));
}

void qr_text_digits(struct qr_text *text, uint64_t number, uint32_t width)
{
	char buffer[32];
	const char *string = digits(number, 16, buffer);

	for (uint32_t length = length_of(string); length < width; length++)
		qr_text_char(text, '0');
	qr_text_put(text, string);
}

void qr_text_signed(struct qr_text *text, int64_t number, uint32_t width)
{
	char buffer[32];
	const char *string;

	if (number >= 0) {
		qr_text_number(text, (uint64_t)number, width);
		return;
	}
	string = digits(0 - (uint64_t)number, 10, buffer);
	blanks(text, length_of(string) + 1, width);
	qr_text_char(text, '-');
	qr_text_put(text, string);
}

void qr_text_column(struct qr_text *text, size_t start, uint32_t column)
{
	while (text->length - start < column)
		qr_text_char(text, ' ');
}
