/* SPDX-License-Identifier: MIT */
/* conf.c - the heap's settings, from QUIRE_CONF="key:value,...".
 *
 * Keys: decay (milliseconds until free pages go back), stats (1: print the account at
 * exit), and those of profile.h: profile (1: on), profile_rate (bytes for each sample),
 * profile_file (a path, in which %p is the process), profile_signal (a signal that has
 * the file written), hardened and guard_sample (hard.h), leaks (1: name what is in use at exit).  Keys that begin with the name of another part of the library ("run.") are
 * that part's.  Not read in programs that run with another's rights.
 */
#include "heap/detour.h"

#include <stdlib.h>
#include <string.h>

struct qr_heap_conf qr_heap_conf = {
	.decay_ms = 500,
	.profile_file = "quire-heap.%p.pb",
};

struct key {
	const char *name;
	void (*set)(size_t value);
	/* Where the value is not a number; false if it will not do. */
	bool (*set_text)(const char *text, size_t length);
};

static void set_decay(size_t value)
{
	qr_heap_conf.decay_ms = value;
}

static void set_stats(size_t value)
{
	qr_heap_conf.stats = value != 0;
}

static void set_profile(size_t value)
{
	qr_heap_conf.profile = value != 0;
}

static void set_profile_rate(size_t value)
{
	qr_heap_conf.profile_rate = value;
}

static void set_profile_signal(size_t value)
{
	qr_heap_conf.profile_signal = value;
}

static bool set_profile_file(const char *text, size_t length)
{
	if (length == 0 || length >= sizeof(qr_heap_conf.profile_file))
		return false;
	memcpy(qr_heap_conf.profile_file, text, length);
	qr_heap_conf.profile_file[length] = '\0';
	return true;
}

static void set_hardened(size_t value)
{
	qr_heap_conf.hardened = value != 0;
}

static void set_guard_sample(size_t value)
{
	qr_heap_conf.guard_sample = value;
}

static void set_leaks(size_t value)
{
	qr_heap_conf.leaks = value != 0;
}

static const struct key keys[] = {
	{"decay", set_decay, NULL},
	{"guard_sample", set_guard_sample, NULL},
	{"hardened", set_hardened, NULL},
	{"leaks", set_leaks, NULL},
	{"profile", set_profile, NULL},
	{"profile_file", NULL, set_profile_file},
	{"profile_rate", set_profile_rate, NULL},
	{"profile_signal", set_profile_signal, NULL},
	{"stats", set_stats, NULL},
};

static const struct key *find_key(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].name) == length &&
		    memcmp(keys[i].name, name, length) == 0)
			return &keys[i];
	}
	return NULL;
}

static bool read_value(const char *text, size_t length, size_t *value)
{
	size_t n = 0;

	if (length == 0 || length > 9)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (size_t)(text[i] - '0');
	}
	*value = n;
	return true;
}

static bool set_value(const struct key *key, const char *text, size_t length)
{
	size_t value;

	if (key->set_text != NULL)
		return key->set_text(text, length);
	if (!read_value(text, length, &value))
		return false;
	key->set(value);
	return true;
}

/* One "key:value". */
static void set_one(const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);
	size_t name_length = colon != NULL ? (size_t)(colon - text) : length;
	const struct key *key = find_key(text, name_length);

	if (memchr(text, '.', name_length) != NULL)
		return;
	if (key == NULL)
		qr_heap_warn("QUIRE_CONF: unknown key: ", text, name_length);
	else if (colon == NULL || !set_value(key, colon + 1, length - name_length - 1))
		qr_heap_warn("QUIRE_CONF: not a value of this key: ", text, length);
}

void qr_conf_parse(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ",");

		if (length != 0)
			set_one(text, length);
		text += length;
		text += *text == ',';
	}
}

/* Before the constructors without a number. */
__attribute__((constructor(102))) static void read_environment(void)
{
	const char *text = secure_getenv("QUIRE_CONF");

	if (text != NULL)
		qr_conf_parse(text);
	qr_detour_start();
}
