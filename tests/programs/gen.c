/* SPDX-License-Identifier: MIT */
/* gen - write made-up input for a program under test, the same on every machine.
 *
 *     gen lines BYTES       text lines for a sort: keys in random order, some equal
 *     gen mixed BYTES       words, tables and repeats from far back, for a compressor
 *     gen source FUNCTIONS  one C file, for a compiler
 *     gen redis KEYS BYTES  SET commands in Redis's protocol, random values
 *
 * Everything follows from one fixed seed and the two numbers.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX    65536
#define WORDS	     4096
#define WORD_MAX     12
#define HISTORY	     (64u << 20)
#define REPEAT_BYTES 4096

/* xorshift64*: a full period over every non-zero state (Vigna 2016). */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static uint64_t below(uint64_t *state, uint64_t bound)
{
	return (next(state) >> 11) % bound;
}

static int gen_lines(uint64_t *state, uint64_t bytes, uint64_t unused)
{
	uint64_t done = 0;

	(void)unused;
	while (done < bytes) {
		uint64_t key = below(state, UINT64_C(1) << 40);
		int got = printf("%010" PRIx64 "\t%016" PRIx64 "%016" PRIx64
				 "\trecord %" PRIu64 " of the made-up list\n",
				 key, next(state), next(state), below(state, 1000));

		if (got < 0)
			return 1;
		done += (uint64_t)got;
	}
	return 0;
}

struct dictionary {
	char word[WORDS][WORD_MAX + 1];
};

static void make_dictionary(uint64_t *state, struct dictionary *dict)
{
	for (size_t i = 0; i < WORDS; i++) {
		size_t bytes = 2 + (size_t)below(state, WORD_MAX - 2);

		for (size_t k = 0; k < bytes; k++)
			dict->word[i][k] = (char)('a' + below(state, 26));
		dict->word[i][bytes] = ' ';
		dict->word[i][bytes + 1 < WORD_MAX ? bytes + 1 : WORD_MAX] = '\0';
	}
}

/* The product of two uniform numbers leans to the small ones, as words do. */
static size_t put_words(uint64_t *state, const struct dictionary *dict, char *to,
			size_t room)
{
	size_t done = 0;

	while (done + WORD_MAX < room) {
		uint64_t rank = below(state, WORDS) * below(state, WORDS) / WORDS;
		size_t bytes = strlen(dict->word[rank]);

		memcpy(to + done, dict->word[rank], bytes);
		done += bytes;
	}
	memset(to + done, '\n', room - done);
	return room;
}

static size_t put_table(uint64_t *state, char *to, size_t room)
{
	uint32_t row = (uint32_t)next(state);

	for (size_t at = 0; at + sizeof(row) <= room; at += sizeof(row)) {
		row += at % 16 ? 3 : (uint32_t)below(state, 65536);
		memcpy(to + at, &row, sizeof(row));
	}
	return room;
}

/* Of 16 pieces 13 repeat old ones, and words, a table and noise take one each: much for
 * a long window to find, little that costs a compressor time. */
static void put_piece(uint64_t *state, const struct dictionary *dict, char *buf,
		      size_t at)
{
	uint64_t kind = below(state, 16);
	size_t i;

	if (kind < 13 && at >= REPEAT_BYTES)
		memcpy(buf + at, buf + below(state, at - REPEAT_BYTES + 1), REPEAT_BYTES);
	else if (kind < 14)
		put_words(state, dict, buf + at, REPEAT_BYTES);
	else if (kind < 15)
		put_table(state, buf + at, REPEAT_BYTES);
	else
		for (i = 0; i < REPEAT_BYTES; i++)
			buf[at + i] = (char)next(state);
}

static int gen_mixed(uint64_t *state, uint64_t bytes, uint64_t unused)
{
	static struct dictionary dict;
	char *buf = malloc(HISTORY);
	size_t at = 0;

	(void)unused;
	if (!buf)
		return 1;
	make_dictionary(state, &dict);
	for (uint64_t done = 0; done < bytes; done += REPEAT_BYTES) {
		if (at == HISTORY)
			at = HISTORY / 2;
		put_piece(state, &dict, buf, at);
		if (fwrite(buf + at, 1, REPEAT_BYTES, stdout) != REPEAT_BYTES)
			return 1;
		at += REPEAT_BYTES;
	}
	free(buf);
	return 0;
}

static void gen_statement(uint64_t *state, uint64_t line)
{
	static const char *const form[] = {
		"\tt[%u] = (t[%u] * %uu) ^ (x >> %u);\n",
		"\tif (t[%u] > t[%u] + %uu)\n\t\tx += %u;\n",
		"\tfor (unsigned i%u = 0; i%u < (x & %u); i%u++)\n",
		"\tx = t[%u] + t[%u] * %uu - (unsigned)(y * %u.5);\n",
		"\ty += (double)(x + t[%u]) / (double)(t[%u] + %uu) + %u;\n",
	};
	unsigned a = (unsigned)below(state, 16), b = (unsigned)below(state, 16);
	unsigned c = 1 + (unsigned)below(state, 1000), d = 1 + (unsigned)below(state, 7);
	unsigned which = (unsigned)below(state, 5);

	if (which != 2) {
		printf(form[which], a, b, c, d);
		return;
	}
	a = (unsigned)line;
	printf(form[which], a, a, c | 7, a);
	printf("\t\tt[(i%u + %u) & 15] += (unsigned)line_%u[(i%u * %u) & 63];\n", a, b,
	       d % 4, a, c);
}

static int gen_source(uint64_t *state, uint64_t functions, uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < 4; i++) {
		printf("static const int line_%u[64] = {", i);
		for (unsigned k = 0; k < 64; k++)
			printf("%" PRIu64 ",", below(state, 1000000));
		printf("};\n");
	}
	for (uint64_t f = 0; f < functions; f++) {
		printf("unsigned work_%" PRIu64
		       "(unsigned x, double y, unsigned *t)\n{\n",
		       f);
		for (uint64_t line = 0; line < 24; line++)
			gen_statement(state, line);
		if (f > 0)
			printf("\tx += work_%" PRIu64 "(x ^ 1, y, t);\n",
			       below(state, f));
		printf("\treturn x + (unsigned)y;\n}\n\n");
	}
	return ferror(stdout) ? 1 : 0;
}

/* Half of a value's bytes are random letters, the rest repeats them. */
static int gen_redis(uint64_t *state, uint64_t keys, uint64_t bytes)
{
	static char value[VALUE_MAX + 8];

	if (bytes < 2 || bytes > VALUE_MAX)
		return 1;
	for (uint64_t k = 0; k < keys; k++) {
		for (size_t i = 0; i < bytes / 2; i++)
			value[i] = (char)('!' + below(state, 90));
		memcpy(value + bytes / 2, value, bytes - bytes / 2);
		value[bytes / 2] = '~';
		value[bytes] = '\0';
		if (printf("*3\r\n$3\r\nSET\r\n$14\r\nk:%012" PRIu64 "\r\n$%" PRIu64
			   "\r\n%s\r\n",
			   k, bytes, value) < 0)
			return 1;
	}
	return 0;
}

struct kind {
	const char *name;
	int (*write)(uint64_t *state, uint64_t a, uint64_t b);
};

static const struct kind kinds[] = {
	{"lines", gen_lines},
	{"mixed", gen_mixed},
	{"source", gen_source},
	{"redis", gen_redis},
};

int main(int argc, char **argv)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; argc > 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name))
			continue;
		return kinds[i].write(&state, strtoull(argv[2], NULL, 10),
				      argc > 3 ? strtoull(argv[3], NULL, 10) : 0) ||
		       fflush(stdout) != 0;
	}
	fprintf(stderr, "usage: gen lines|mixed|source|redis NUMBER [NUMBER]\n");
	return 2;
}
