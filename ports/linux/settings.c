/* SPDX-License-Identifier: MIT */
/* settings.c - the text between `quire run` and the library, written and read.
 *
 * One table names every key; both directions walk it, so neither can know a key that the
 * other does not. */
#include "ports/linux/settings.h"

#include "ports/linux/text.h"

#include <stddef.h>

enum kind {
	KIND_U64,
	KIND_U32,
	KIND_I32,
	KIND_SWAP,
	KIND_PATH,
};

struct key {
	const char *name;
	enum kind kind;
	bool needed;
	size_t offset;
};

#define FIELD(f) offsetof(struct quire_settings, f)

static const struct key keys[] = {
	{"ram", KIND_U64, true, FIELD(ram_bytes)},
	{"store", KIND_U64, false, FIELD(store_bytes)},
	{"swap", KIND_SWAP, true, FIELD(swap)},
	{"path", KIND_PATH, false, FIELD(swap_path)},
	{"size", KIND_U64, false, FIELD(swap_bytes)},
	{"without", KIND_U32, false, FIELD(without)},
	{"supervisor", KIND_I32, true, FIELD(supervisor)},
	{"segment", KIND_I32, true, FIELD(segment_fd)},
	{"heap", KIND_U32, false, FIELD(wants_heap)},
	{"fail-read", KIND_U64, false, FIELD(fail_swap_read)},
	{"fail-write", KIND_U64, false, FIELD(fail_swap_write)},
	{"flip-read", KIND_U64, false, FIELD(flip_swap_read)},
};

#define NR_KEYS	    (sizeof(keys) / sizeof(keys[0]))
#define UNKNOWN_KEY "unknown key"

static const char *const swap_names[] = {
	[QUIRE_SWAP_NONE] = "none",
	[QUIRE_SWAP_RAM] = "ram",
	[QUIRE_SWAP_FILE] = "file",
};

#define NR_SWAP_NAMES (sizeof(swap_names) / sizeof(swap_names[0]))

static void put_escaped(struct qr_text *out, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c != ',' && c != '=' && c != '%') {
			qr_text_char(out, *s);
			continue;
		}
		qr_text_char(out, '%');
		qr_text_char(out, hex[c >> 4]);
		qr_text_char(out, hex[c & 15]);
	}
}

static uint64_t number_of(const struct key *key, const void *field)
{
	int32_t small;

	if (key->kind == KIND_U64)
		return *(const uint64_t *)field;
	if (key->kind == KIND_U32)
		return *(const uint32_t *)field;
	small = *(const int32_t *)field;
	return (uint64_t)small;
}

static void put_value(struct qr_text *out, const struct key *key, const void *field)
{
	if (key->kind == KIND_PATH)
		put_escaped(out, field);
	else if (key->kind == KIND_SWAP)
		qr_text_add(out, swap_names[*(const enum quire_swap_mode *)field]);
	else
		qr_text_number(out, number_of(key, field));
}

bool qr_settings_format(const struct quire_settings *settings, char *text, size_t bytes)
{
	struct qr_text out = {.at = text, .room = bytes};

	if (bytes == 0 || (size_t)settings->swap >= NR_SWAP_NAMES ||
	    settings->supervisor < 0 || settings->segment_fd < 0)
		return false;
	for (size_t i = 0; i < NR_KEYS; i++) {
		if (i)
			qr_text_char(&out, ',');
		qr_text_add(&out, keys[i].name);
		qr_text_char(&out, '=');
		put_value(&out, &keys[i], (const char *)settings + keys[i].offset);
	}
	(void)qr_text_end(&out);
	return !out.overflow;
}

/* Reading: a piece of the text, [at, end). */
struct piece {
	const char *at, *end;
};

static struct piece piece_until(const char *at, char stop)
{
	struct piece piece = {at, at};

	while (*piece.end && *piece.end != ',' && *piece.end != stop)
		piece.end++;
	return piece;
}

static bool piece_is(struct piece piece, const char *word)
{
	while (piece.at < piece.end && *word && *piece.at == *word) {
		piece.at++;
		word++;
	}
	return piece.at == piece.end && !*word;
}

static bool get_number(struct piece piece, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;

	if (piece.at == piece.end)
		return false;
	for (; piece.at < piece.end; piece.at++) {
		uint64_t digit = (uint64_t)(*piece.at - '0');

		if (*piece.at < '0' || *piece.at > '9' || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool get_path(struct piece piece, char *to, size_t room)
{
	size_t used = 0;

	while (piece.at < piece.end) {
		char c = *piece.at++;

		if (c == '%') {
			int high, low;

			if (piece.end - piece.at < 2)
				return false;
			high = hex_digit(piece.at[0]);
			low = hex_digit(piece.at[1]);
			if (high < 0 || low < 0 || (high | low) == 0)
				return false;
			c = (char)(high << 4 | low);
			piece.at += 2;
		}
		if (used + 1 >= room)
			return false;
		to[used++] = c;
	}
	to[used] = '\0';
	return true;
}

static bool get_swap(struct piece piece, enum quire_swap_mode *out)
{
	for (size_t i = 0; i < NR_SWAP_NAMES; i++) {
		if (piece_is(piece, swap_names[i])) {
			*out = (enum quire_swap_mode)i;
			return true;
		}
	}
	return false;
}

static bool get_value(const struct key *key, struct piece piece, void *field)
{
	uint64_t value = 0;

	switch (key->kind) {
	case KIND_U64:
		return get_number(piece, UINT64_MAX, field);
	case KIND_U32:
		if (!get_number(piece, UINT32_MAX, &value))
			return false;
		*(uint32_t *)field = (uint32_t)value;
		return true;
	case KIND_I32:
		if (!get_number(piece, INT32_MAX, &value))
			return false;
		*(int32_t *)field = (int32_t)value;
		return true;
	case KIND_SWAP:
		return get_swap(piece, field);
	case KIND_PATH:
		return get_path(piece, field,
				sizeof(((struct quire_settings *)NULL)->swap_path));
	}
	return false;
}

static size_t find_key(struct piece name)
{
	size_t i = 0;

	while (i < NR_KEYS && !piece_is(name, keys[i].name))
		i++;
	return i;
}

static const char *first_missing(uint32_t seen)
{
	for (size_t i = 0; i < NR_KEYS; i++)
		if (keys[i].needed && !(seen & 1u << i))
			return keys[i].name;
	return NULL;
}

const char *qr_settings_parse(struct quire_settings *settings, const char *text)
{
	uint32_t seen = 0;

	*settings = (struct quire_settings){.swap = QUIRE_SWAP_NONE};
	while (*text) {
		struct piece name = piece_until(text, '='), value;
		size_t i = find_key(name);

		if (i == NR_KEYS || *name.end != '=')
			return i == NR_KEYS ? UNKNOWN_KEY : keys[i].name;
		value = piece_until(name.end + 1, ',');
		if ((seen & 1u << i) ||
		    !get_value(&keys[i], value, (char *)settings + keys[i].offset))
			return keys[i].name;
		seen |= 1u << i;
		text = *value.end ? value.end + 1 : value.end;
	}
	return first_missing(seen);
}
