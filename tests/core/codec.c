/* SPDX-License-Identifier: MIT */
/* codec.c - LZ4 and XXH3 behind the codec's four pointers. */
#include "ports/codec/lz4.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES QUIRE_PAGE_BYTES

struct pages {
	unsigned char in[BYTES], packed[BYTES], out[BYTES];
	uint64_t state[32768 / 8];
};

/* The first part is random, the rest repeats: from incompressible to all the same. */
static void fill(unsigned char *page, size_t nr_random, uint64_t seed)
{
	memset(page, (int)(seed & 0xff), BYTES);
	for (size_t i = 0; i < nr_random; i++)
		page[i] = (unsigned char)testport_random(&seed);
}

static void pages_come_back(void **state)
{
	const struct quire_codec *codec = qr_codec_lz4();
	struct pages *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	assert_true(codec->state_bytes <= sizeof(p->state));
	for (size_t nr = 0; nr <= BYTES; nr += 64) {
		size_t bytes;

		fill(p->in, nr, nr);
		bytes = codec->compress(p->state, p->in, BYTES, p->packed, BYTES - 1);
		if (bytes == 0) {
			assert_true(nr > BYTES / 2);
			continue;
		}
		assert_true(bytes < BYTES);
		memset(p->out, 0, BYTES);
		assert_true(codec->expand(p->packed, bytes, p->out, BYTES));
		assert_memory_equal(p->in, p->out, BYTES);
	}
	free(p);
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct quire_codec *codec = qr_codec_lz4();
	struct pages *p = calloc(1, sizeof(*p));
	size_t bytes;

	(void)state;
	assert_non_null(p);
	fill(p->in, BYTES, 1);
	memset(p->packed, 0x77, BYTES);
	assert_int_equal(codec->compress(p->state, p->in, BYTES, p->packed, 3638), 0);
	for (size_t i = 3638; i < BYTES; i++)
		assert_int_equal(p->packed[i], 0x77);

	fill(p->in, 1000, 1);
	bytes = codec->compress(p->state, p->in, BYTES, p->packed, BYTES);
	assert_true(bytes > 1000);
	assert_int_equal(codec->compress(p->state, p->in, BYTES, p->packed, bytes),
			 bytes);
	assert_int_equal(codec->compress(p->state, p->in, BYTES, p->packed, bytes - 20),
			 0);
	free(p);
}

/* Each bit of a packed page turned over: expanded to something else or refused, and
 * never past the page. */
static void hostile_bytes_do_no_harm(void **state)
{
	const struct quire_codec *codec = qr_codec_lz4();
	struct pages *p = calloc(1, sizeof(*p));
	unsigned char *out = malloc(BYTES);
	size_t bytes;

	(void)state;
	assert_non_null(p);
	assert_non_null(out);
	fill(p->in, 300, 2);
	bytes = codec->compress(p->state, p->in, BYTES, p->packed, BYTES);
	assert_true(bytes > 300);
	for (size_t bit = 0; bit < bytes * 8; bit++) {
		p->packed[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		(void)codec->expand(p->packed, bytes, out, BYTES);
		p->packed[bit / 8] ^= (unsigned char)(1u << (bit % 8));
	}
	assert_false(codec->expand(p->packed, bytes - 1, out, BYTES));
	assert_false(codec->expand(p->packed, bytes, out, BYTES - 1));
	assert_false(codec->expand(p->packed, 0, out, BYTES));
	assert_true(codec->expand(p->packed, bytes, out, BYTES));
	assert_memory_equal(out, p->in, BYTES);
	free(out);
	free(p);
}

static void checksums_tell_pages_apart(void **state)
{
	const struct quire_codec *codec = qr_codec_lz4();
	static unsigned char page[BYTES];
	uint32_t was;

	(void)state;
	/* XXH3's own test vector for no input at all: 2d06800538d394c2. */
	assert_int_equal(codec->checksum(page, 0), 0x38d394c2u);
	was = codec->checksum(page, BYTES);
	for (size_t bit = 0; bit < BYTES * 8; bit += 37) {
		page[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		assert_int_not_equal(codec->checksum(page, BYTES), was);
		page[bit / 8] ^= (unsigned char)(1u << (bit % 8));
	}
	assert_int_equal(codec->checksum(page, BYTES), was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(hostile_bytes_do_no_harm),
		cmocka_unit_test(checksums_tell_pages_apart),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
