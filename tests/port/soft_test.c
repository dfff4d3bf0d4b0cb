/* SPDX-License-Identifier: MIT */
/* soft_test.c - the software machine itself: its MMU and TLB against the manual's rules,
 * its failures on command, and that its checks find what is wrong. */
#include "ports/soft/soft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define P  1ull
#define RW 2ull
#define US 4ull
#define A  32ull
#define D  64ull

/* Frames 0..3 are the four tables, 4.. the pages; one leaf is enough. */
enum { ROOT, UPPER, MIDDLE, LEAF, PAGES };

struct bench {
	struct qr_soft *soft;
	const struct quire_port *port;
	uint64_t base;
	uint32_t nr_faults;
};

static uint64_t *table(const struct bench *b, uint32_t frame)
{
	return (uint64_t *)(void *)(b->port->direct + (size_t)frame * QUIRE_PAGE_BYTES);
}

static quire_vaddr page_at(const struct bench *b, uint32_t i)
{
	return (quire_vaddr){b->base + i * QUIRE_PAGE_BYTES};
}

static uint64_t *entry(const struct bench *b, uint32_t i)
{
	return &table(b, LEAF)[page_at(b, i).a >> 12 & 511];
}

static uint64_t *upper_entry(const struct bench *b)
{
	return &table(b, ROOT)[b->base >> 39 & 511];
}

static enum quire_status on_fault(void *ctx, uint32_t cpu, quire_vaddr page,
				  uint32_t access)
{
	struct bench *b = ctx;

	(void)cpu;
	(void)page;
	(void)access;
	b->nr_faults++;
	return QUIRE_INVALID;
}

static void set_area(struct bench *b, uint32_t first, uint32_t nr, uint32_t prot)
{
	struct quire_range range = {page_at(b, first), page_at(b, first + nr)};

	assert_int_equal(b->port->area_set(b->port->ctx, range, prot), QUIRE_OK);
}

static void bench_open(struct bench *b)
{
	const struct qr_soft_config config = {
		.nr_frames = 64,
		.alone = true,
		.nr_cpus = 2,
		.tlb_sets = 2,
		.tlb_ways = 2,
		.nr_disks = 1,
		.disk_extents = 8,
		.disk_room = 2,
	};

	*b = (struct bench){.soft = qr_soft_new(&config)};
	assert_non_null(b->soft);
	b->port = qr_soft_port(b->soft);
	b->base = b->port->window.start.a;
	*upper_entry(b) = (uint64_t)UPPER << 12 | P | RW | US;
	table(b, UPPER)[b->base >> 30 & 511] = (uint64_t)MIDDLE << 12 | P | RW | US;
	table(b, MIDDLE)[b->base >> 21 & 511] = (uint64_t)LEAF << 12 | P | RW | US;
	for (uint32_t i = 0; i < 8; i++)
		*entry(b, i) = (uint64_t)(PAGES + i) << 12 | P | RW | US;
	set_area(b, 0, 8, QUIRE_READ | QUIRE_WRITE);
	qr_soft_boot(b->soft, (quire_pfn){ROOT}, on_fault, b);
}

static void bench_close(struct bench *b)
{
	char text[128];

	for (uint32_t i = 0; i < 8; i++)
		*entry(b, i) = 0;
	set_area(b, 0, 8, QUIRE_PROT_GONE);
	assert_null(qr_soft_validate(b->soft, text, sizeof(text)));
	assert_int_equal(qr_soft_mapped(b->soft), 0);
	assert_int_equal(qr_soft_counts(b->soft).areas, 0);
	qr_soft_destroy(b->soft);
}

static enum quire_status load(struct bench *b, uint32_t cpu, uint32_t page)
{
	unsigned char byte;

	return qr_soft_load(b->soft, cpu, page_at(b, page), &byte, 1);
}

static enum quire_status store(struct bench *b, uint32_t cpu, uint32_t page,
			       unsigned char byte)
{
	return qr_soft_store(b->soft, cpu, page_at(b, page), &byte, 1);
}

static void flush(struct bench *b, uint32_t page)
{
	struct quire_run run = {page_at(b, page), 1};

	b->port->protect(b->port->ctx, &run, 1, true);
}

/* SDM 3A, 4.8: A on use at every level, D on a write in the last. */
static void accessed_and_dirty(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(load(&b, 0, 0), QUIRE_OK);
	assert_int_equal(*entry(&b, 0) & (A | D), A);
	assert_int_equal(*upper_entry(&b) & (A | D), A);
	assert_int_equal(store(&b, 0, 0, 9), QUIRE_OK);
	assert_int_equal(*entry(&b, 0) & (A | D), A | D);
	assert_int_equal(*upper_entry(&b) & D, 0);
	assert_int_equal(*entry(&b, 1) & (A | D), 0);
	assert_int_equal(b.port->direct[PAGES * QUIRE_PAGE_BYTES], 9);
	/* Cached: A that is taken away comes back only after a flush. */
	*entry(&b, 0) &= ~A;
	assert_int_equal(load(&b, 0, 0), QUIRE_OK);
	assert_int_equal(*entry(&b, 0) & A, 0);
	flush(&b, 0);
	assert_int_equal(load(&b, 0, 0), QUIRE_OK);
	assert_int_equal(*entry(&b, 0) & A, A);
	bench_close(&b);
}

/* SDM 3A, 4.6: the right to write, and to be there for users, at every level. */
static void rights_at_every_level(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	*entry(&b, 0) &= ~RW;
	*entry(&b, 1) &= ~US;
	*entry(&b, 2) &= ~P;
	assert_int_equal(load(&b, 0, 0), QUIRE_OK);
	assert_int_equal(store(&b, 0, 0, 1), QUIRE_INVALID);
	assert_int_equal(load(&b, 0, 1), QUIRE_INVALID);
	assert_int_equal(load(&b, 0, 2), QUIRE_INVALID);
	assert_int_equal(b.nr_faults, 3);
	*upper_entry(&b) &= ~RW;
	assert_int_equal(load(&b, 0, 3), QUIRE_OK);
	assert_int_equal(store(&b, 0, 3, 1), QUIRE_INVALID);
	*upper_entry(&b) &= ~US;
	assert_int_equal(load(&b, 0, 4), QUIRE_INVALID);
	*upper_entry(&b) |= RW | US;
	assert_int_equal(store(&b, 0, 3, 1), QUIRE_OK);
	bench_close(&b);
}

/* A translation is cached until it is flushed, on each CPU; what is absent is not. */
static void tlb(void **state)
{
	struct qr_soft_counts before, after;
	struct quire_run run;
	uint64_t kept[1] = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	run = (struct quire_run){page_at(&b, 5), 1};
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		assert_int_equal(load(&b, cpu, 5), QUIRE_OK);
	before = qr_soft_counts(b.soft);
	*entry(&b, 5) = 0;
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		assert_int_equal(load(&b, cpu, 5), QUIRE_OK);
	after = qr_soft_counts(b.soft);
	assert_int_equal(after.tlb_hits - before.tlb_hits, 2);
	assert_int_equal(after.tlb_misses, before.tlb_misses);
	b.port->release(b.port->ctx, &run, 1, 0, kept);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		assert_int_equal(load(&b, cpu, 5), QUIRE_INVALID);
	*entry(&b, 5) = (uint64_t)(PAGES + 5) << 12 | P | RW | US;
	assert_int_equal(load(&b, 0, 5), QUIRE_OK);
	/* Two ways a set: three pages of one set do not all stay. */
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t page = 1; page < 6; page += 2)
			assert_int_equal(load(&b, 1, page), QUIRE_OK);
	assert_true(qr_soft_counts(b.soft).tlb_misses > after.tlb_misses + 4);
	bench_close(&b);
}

static void access_across_pages(void **state)
{
	const char text[] = "across the border of two pages";
	char seen[sizeof(text)];
	quire_vaddr va;
	struct bench b;

	(void)state;
	bench_open(&b);
	va = (quire_vaddr){page_at(&b, 1).a - 10};
	assert_int_equal(qr_soft_store(b.soft, 0, va, text, sizeof(text)), QUIRE_OK);
	assert_int_equal(qr_soft_load(b.soft, 1, va, seen, sizeof(seen)), QUIRE_OK);
	assert_memory_equal(seen, text, sizeof(text));
	assert_memory_equal(b.port->direct + (PAGES + 1) * QUIRE_PAGE_BYTES, text + 10,
			    sizeof(text) - 10);
	bench_close(&b);
}

static void expect_wrong(struct bench *b, const char *invariant)
{
	char text[128];
	const char *wrong = qr_soft_validate(b->soft, text, sizeof(text));

	assert_non_null(wrong);
	assert_memory_equal(wrong, invariant, 2);
}

/* Each check finds what it is there for. */
static void validate_finds(void **state)
{
	struct bench b;
	char text[128];

	(void)state;
	bench_open(&b);
	assert_null(qr_soft_validate(b.soft, text, sizeof(text)));
	*entry(&b, 0) = *entry(&b, 1);
	expect_wrong(&b, "V1");
	*entry(&b, 0) = 0;
	set_area(&b, 3, 1, QUIRE_READ);
	expect_wrong(&b, "V2");
	set_area(&b, 3, 1, QUIRE_PROT_GONE);
	expect_wrong(&b, "V2");
	set_area(&b, 3, 1, QUIRE_READ | QUIRE_WRITE);
	assert_null(qr_soft_validate(b.soft, text, sizeof(text)));
	assert_int_equal(store(&b, 1, 4, 1), QUIRE_OK);
	*entry(&b, 4) &= ~D;
	expect_wrong(&b, "V4");
	*entry(&b, 4) |= D;
	*entry(&b, 4) &= ~RW;
	expect_wrong(&b, "V4");
	flush(&b, 4);
	assert_null(qr_soft_validate(b.soft, text, sizeof(text)));
	bench_close(&b);
}

static void copies_validate_finds(void **state)
{
	const struct qr_soft_config config = {.nr_frames = 8, .copies = true};
	struct qr_soft *soft = qr_soft_new(&config);
	const struct quire_port *port = qr_soft_port(soft);
	struct quire_range range = {port->window.start,
				    {port->window.start.a + QUIRE_PAGE_BYTES}};
	char text[128];

	(void)state;
	qr_soft_boot(soft, (quire_pfn){ROOT}, NULL, NULL);
	assert_int_equal(port->area_set(port->ctx, range, QUIRE_READ), QUIRE_OK);
	assert_null(qr_soft_validate(soft, text, sizeof(text)));
	assert_int_equal(port->fill(port->ctx, range.start, 1, NULL, 0), QUIRE_OK);
	assert_int_equal(qr_soft_mapped(soft), 1);
	assert_non_null(qr_soft_validate(soft, text, sizeof(text)));
	assert_memory_equal(text, "V3", 2);
	assert_int_equal(port->area_set(port->ctx, range, QUIRE_PROT_GONE), QUIRE_OK);
	assert_null(qr_soft_validate(soft, text, sizeof(text)));
	qr_soft_destroy(soft);
}

/* The nth call, then as many as were asked for, then no more. */
static void failures_on_command(void **state)
{
	static const enum quire_status expected[] = {QUIRE_OK, QUIRE_NO_MEMORY,
						     QUIRE_NO_MEMORY, QUIRE_OK};
	struct bench b;

	(void)state;
	bench_open(&b);
	qr_soft_fail(b.soft, QR_SOFT_FILL, 2, 2);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(b.port->fill(b.port->ctx, page_at(&b, i), 1, NULL, 0),
				 expected[i]);
	assert_int_equal(qr_soft_failed(b.soft, QR_SOFT_FILL), 2);
	assert_int_equal(qr_soft_failed(b.soft, QR_SOFT_READ), 0);
	bench_close(&b);
}

static void disk_failures(void **state)
{
	static _Alignas(4096) unsigned char buf[QUIRE_PAGE_BYTES];
	const quire_pfn pfn = {PAGES + 20};
	uint64_t nr_extents;
	struct bench b;

	(void)state;
	bench_open(&b);
	memset(b.port->direct + pfn.n * QUIRE_PAGE_BYTES, 0x37, QUIRE_PAGE_BYTES);
	assert_int_equal(b.port->swap_open(b.port->ctx, 0, &nr_extents), QUIRE_OK);
	assert_int_equal(nr_extents, 8);
	/* Room for two of its eight extents; a rewrite needs no more. */
	assert_int_equal(b.port->swap_write(b.port->ctx, 0, 7, &pfn, 1), QUIRE_OK);
	assert_int_equal(b.port->swap_write(b.port->ctx, 0, 3, &pfn, 1), QUIRE_OK);
	assert_int_equal(b.port->swap_write(b.port->ctx, 0, 0, &pfn, 1), QUIRE_NO_SPACE);
	assert_int_equal(b.port->swap_write(b.port->ctx, 0, 7, &pfn, 1), QUIRE_OK);
	qr_soft_fail(b.soft, QR_SOFT_FLIP, 1, 1);
	assert_int_equal(b.port->swap_read(b.port->ctx, 0, 7 * QUIRE_EXTENT_BYTES, buf,
					   sizeof(buf)),
			 QUIRE_OK);
	assert_memory_not_equal(buf, b.port->direct + pfn.n * QUIRE_PAGE_BYTES,
				sizeof(buf));
	assert_int_equal(b.port->swap_read(b.port->ctx, 0, 7 * QUIRE_EXTENT_BYTES, buf,
					   sizeof(buf)),
			 QUIRE_OK);
	assert_memory_equal(buf, b.port->direct + pfn.n * QUIRE_PAGE_BYTES, sizeof(buf));
	assert_int_equal(qr_soft_counts(b.soft).disk_extents, 2);
	bench_close(&b);
}

static jmp_buf panicked;
static char last_words[160];

static void catch_panic(void *ctx, const char *why)
{
	(void)ctx;
	strncpy(last_words, why, sizeof(last_words) - 1);
	longjmp(panicked, 1);
}

/* Mistakes of a core stop the machine: here, a wait that nobody could end. */
static void panic_is_the_tests(void **state)
{
	const struct qr_soft_config config = {
		.nr_frames = 4, .alone = true, .panic = catch_panic};
	struct qr_soft *soft = qr_soft_new(&config);
	const struct quire_port *port = qr_soft_port(soft);
	_Atomic uint32_t word = 1;

	(void)state;
	if (setjmp(panicked) == 0) {
		port->wait(port->ctx, &word, 1);
		fail();
	}
	assert_non_null(strstr(last_words, "nobody"));
	qr_soft_destroy(soft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(rights_at_every_level),
		cmocka_unit_test(tlb),
		cmocka_unit_test(access_across_pages),
		cmocka_unit_test(validate_finds),
		cmocka_unit_test(copies_validate_finds),
		cmocka_unit_test(failures_on_command),
		cmocka_unit_test(disk_failures),
		cmocka_unit_test(panic_is_the_tests),
	};

	return cmocka_run_group_tests_name("soft", tests, NULL, NULL);
}
