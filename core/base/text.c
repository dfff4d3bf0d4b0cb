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

static void put(struct qr_text *text, const char *string)
{
	for (; *string != '\0'; string++)
		qr_text_char(text, *string);
}

void qr_text_string(struct qr_text *text, const char *string, uint32_t width)
{
	blanks(text, length_of(string), width);
	put(text, string);
}

void qr_text_left(struct qr_text *text, const char *string, uint32_t width)
{
	put(text, string);
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

	put(text, "0x");
	put(text, digits(number, 16, buffer));
}
