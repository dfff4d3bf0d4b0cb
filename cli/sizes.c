/* SPDX-License-Identifier: MIT */
/* sizes.c - amounts of memory as people write and read them. */
#include "cli/sizes.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define KB  UINT64_C(1000)

/* As in dd(1) and head(1): a letter alone, or with iB, counts in 1024s; with B, 1000s. */
static const struct {
	const char *suffix;
	uint64_t unit;
} units[] = {
	{"", 1},
	{"B", 1},
	{"K", KIB},
	{"k", KIB},
	{"KiB", KIB},
	{"KB", KB},
	{"kB", KB},
	{"M", KIB *KIB},
	{"MiB", KIB *KIB},
	{"MB", KB *KB},
	{"G", KIB *KIB *KIB},
	{"GiB", KIB *KIB *KIB},
	{"GB", KB *KB *KB},
	{"T", KIB *KIB *KIB *KIB},
	{"TiB", KIB *KIB *KIB *KIB},
	{"TB", KB *KB *KB *KB},
};

static const char too_large[] = "is too large";

static const char *digits_read(const char **text, uint64_t *value)
{
	const char *c = *text;

	if (*c < '0' || *c > '9')
		return "is not a size (such as 256M, 1GiB or 50%)";
	for (*value = 0; *c >= '0' && *c <= '9'; c++) {
		uint64_t digit = (uint64_t)(*c - '0');

		if (*value > (UINT64_MAX - digit) / 10)
			return too_large;
		*value = *value * 10 + digit;
	}
	*text = c;
	return NULL;
}

static const char *percent(uint64_t value, uint64_t whole, uint64_t *bytes)
{
	if (whole == 0)
		return "cannot be a percentage";
	if (value > 100)
		return "is more than 100%";
	/* whole / 100 * value would lose up to value pages' worth of bytes. */
	*bytes = whole / 100 * value + whole % 100 * value / 100;
	return NULL;
}

static const char *scale(uint64_t value, const char *suffix, uint64_t *bytes)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].suffix, suffix) != 0)
			continue;
		if (value > UINT64_MAX / units[i].unit)
			return too_large;
		*bytes = value * units[i].unit;
		return NULL;
	}
	return "is not a size (such as 256M, 1GiB or 50%)";
}

const char *qr_size_parse(const char *text, uint64_t whole, uint64_t *bytes)
{
	uint64_t value, result = 0;
	const char *wrong = digits_read(&text, &value);

	if (!wrong)
		wrong = strcmp(text, "%") == 0 ? percent(value, whole, &result)
					       : scale(value, text, &result);
	if (wrong)
		return wrong;
	if (result == 0)
		return "is nothing";
	*bytes = result;
	return NULL;
}

const char *qr_size_show(uint64_t bytes, char text[QR_SIZE_TEXT])
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t unit = KIB;
	size_t i = 0;

	if (bytes < KIB) {
		(void)snprintf(text, QR_SIZE_TEXT, "%" PRIu64 " B", bytes);
		return text;
	}
	while (bytes / unit >= KIB && i + 1 < sizeof(names) / sizeof(names[0])) {
		unit *= KIB;
		i++;
	}
	(void)snprintf(text, QR_SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %s", bytes / unit,
		       bytes % unit * 10 / unit, names[i]);
	return text;
}
