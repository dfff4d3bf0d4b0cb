/* SPDX-License-Identifier: MIT */
/* test_settings.c - the text between the command and the library: what is written is read
 * back, and what is damaged is refused by the name of its key. */
#include "ports/linux/features.h"
#include "ports/linux/settings.h"
#include "tests/cli/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct quire_settings sample = {
	.ram_bytes = UINT64_MAX,
	.store_bytes = 1 << 20,
	.swap = QUIRE_SWAP_FILE,
	.swap_path = "/tmp/a,b=c%d e:\xff\n",
	.swap_bytes = 12345678901234,
	.without = QUIRE_FEATURE_MOVE | QUIRE_FEATURE_BY_DEVICE,
	.supervisor = INT32_MAX,
	.segment_fd = 3,
	.fail_swap_read = 1,
	.fail_swap_write = 2,
	.flip_swap_read = 3,
};

static void expect_same(const struct quire_settings *a, const struct quire_settings *b)
{
	assert_true(a->ram_bytes == b->ram_bytes);
	assert_true(a->store_bytes == b->store_bytes);
	assert_int_equal(a->swap, b->swap);
	assert_string_equal(a->swap_path, b->swap_path);
	assert_true(a->swap_bytes == b->swap_bytes);
	assert_int_equal(a->without, b->without);
	assert_int_equal(a->supervisor, b->supervisor);
	assert_int_equal(a->segment_fd, b->segment_fd);
	assert_true(a->fail_swap_read == b->fail_swap_read);
	assert_true(a->fail_swap_write == b->fail_swap_write);
	assert_true(a->flip_swap_read == b->flip_swap_read);
}

static void reads_what_was_written(void **state)
{
	struct quire_settings read;
	char text[QUIRE_SETTINGS_BYTES];

	(void)state;
	assert_true(qr_settings_format(&sample, text, sizeof(text)));
	assert_non_null(strchr(text, '\xff'));
	memset(&read, 0x55, sizeof(read));
	assert_null(qr_settings_parse(&read, text));
	expect_same(&sample, &read);
}

/* Every character of the longest path takes three. */
static void holds_the_longest_path(void **state)
{
	struct quire_settings settings = sample, read;
	char text[QUIRE_SETTINGS_BYTES];

	(void)state;
	memset(settings.swap_path, ',', sizeof(settings.swap_path) - 1);
	assert_true(qr_settings_format(&settings, text, sizeof(text)));
	assert_null(qr_settings_parse(&read, text));
	expect_same(&settings, &read);
}

/* At every size of the room: it fits, or it is said that it does not. */
static void never_writes_past_its_room(void **state)
{
	char whole[QUIRE_SETTINGS_BYTES], text[QUIRE_SETTINGS_BYTES + 1];

	(void)state;
	assert_true(qr_settings_format(&sample, whole, sizeof(whole)));
	for (size_t room = 0; room < strlen(whole) + 2; room++) {
		bool fits = room > strlen(whole);

		memset(text, '#', sizeof(text));
		assert_int_equal(qr_settings_format(&sample, text, room), fits);
		assert_int_equal(text[room], '#');
		assert_true(!fits || strcmp(text, whole) == 0);
	}
}

static void refuses_what_it_cannot_write(void **state)
{
	struct quire_settings settings = sample;
	char text[QUIRE_SETTINGS_BYTES];

	(void)state;
	settings.supervisor = -1;
	assert_false(qr_settings_format(&settings, text, sizeof(text)));
	settings = sample;
	settings.swap = (enum quire_swap_mode)7;
	assert_false(qr_settings_format(&settings, text, sizeof(text)));
}

static void names_the_key_at_fault(void **state)
{
	static const struct {
		const char *text, *key;
	} cases[] = {
		{"", "ram"},
		{"ram=1,swap=ram,segment=3", "supervisor"},
		{"ram=1,swap=ram,supervisor=2", "segment"},
		{"ram=,swap=ram", "ram"},
		{"ram=-1", "ram"},
		{"ram= 1", "ram"},
		{"ram=1x", "ram"},
		{"ram=18446744073709551616", "ram"},
		{"ram=1,ram=1", "ram"},
		{"ram", "ram"},
		{"ram,swap=ram", "ram"},
		{"swap=rams", "swap"},
		{"swap=ra", "swap"},
		{"without=4294967296", "without"},
		{"supervisor=2147483648", "supervisor"},
		{"path=%", "path"},
		{"path=%2", "path"},
		{"path=%2,size=1", "path"},
		{"path=%2g", "path"},
		{"path=%2c", "path"},
		{"path=%00", "path"},
		{"rams=1", "unknown key"},
		{"=1", "unknown key"},
		{"ram=1,,swap=ram", "unknown key"},
	};
	struct quire_settings read;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *key = qr_settings_parse(&read, cases[i].text);

		assert_non_null(key);
		assert_string_equal(key, cases[i].key);
	}
}

static void refuses_a_path_too_long(void **state)
{
	struct quire_settings read;
	char text[sizeof(read.swap_path) + 64] = "path=";

	(void)state;
	memset(text + 5, 'x', sizeof(read.swap_path));
	assert_string_equal(qr_settings_parse(&read, text), "path");
}

/* Cut off or altered anywhere, it is refused, or read without going astray. */
static void survives_damage(void **state)
{
	struct quire_settings read;
	char whole[QUIRE_SETTINGS_BYTES];

	(void)state;
	assert_true(qr_settings_format(&sample, whole, sizeof(whole)));
	for (size_t at = 0; whole[at]; at++) {
		/* In memory of its own size, so that a sanitizer sees the end. */
		char *cut = strndup(whole, at);

		(void)qr_settings_parse(&read, cut);
		assert_non_null(memchr(read.swap_path, 0, sizeof(read.swap_path)));
		free(cut);
		for (int c = 1; c < 256; c += 7) {
			char *altered = strdup(whole);

			altered[at] = (char)c;
			(void)qr_settings_parse(&read, altered);
			free(altered);
		}
	}
}

/* Each name is there once, and each bit. */
static void features_have_names(void **state)
{
	uint32_t bits = 0;

	(void)state;
	for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++) {
		assert_int_equal(n->bit & (n->bit - 1), 0);
		assert_int_equal(bits & n->bit, 0);
		assert_null(strchr(n->name, ','));
		bits |= n->bit;
	}
	assert_int_equal(qr_features_probe() & ~bits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_was_written, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(holds_the_longest_path, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(never_writes_past_its_room, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(refuses_what_it_cannot_write, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(names_the_key_at_fault, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(refuses_a_path_too_long, held_note,
						held_check),
		cmocka_unit_test_setup_teardown(survives_damage, held_note, held_check),
		cmocka_unit_test_setup_teardown(features_have_names, held_note,
						held_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
