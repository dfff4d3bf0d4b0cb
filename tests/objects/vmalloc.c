/* SPDX-License-Identifier: MIT */
/* vmalloc.c - areas of vmalloc, seen through the MMU of the software machine. */
#include "quire/vmalloc.h"
#include "core/base/lock.h"
#include "core/frames/zone.h"
#include "ports/soft/soft.h"
#include "tests/model/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 512u
#define BASE	  0x700000000000ull
#define PAGES(n)  ((uint64_t)(n) << QUIRE_PAGE_SHIFT)
#define CPU	  0u

static jmp_buf *escape;

struct stage {
	struct qr_soft *soft;
	const struct quire_port *port;
	struct quire_stats stats;
	struct quire_zone zone;
	struct quire_lock zone_lock;
	struct quire_objects *objects;
	struct quire_vmalloc *v;
	uint64_t free_at_start;
};

static enum quire_status on_fault(void *ctx, uint32_t cpu, quire_vaddr page,
				  uint32_t access)
{
	(void)ctx;
	(void)cpu;
	(void)page;
	(void)access;
	return QUIRE_FAULT;
}

static void on_panic(void *ctx, const char *why)
{
	(void)ctx;
	if (escape == NULL) {
		print_error("%s\n", why);
		abort();
	}
	assert_non_null(strstr(why, "vmalloc: free of 0x"));
	longjmp(*escape, 1);
}

static void stage_open_sized(struct stage *s, uint32_t nr_frames, uint64_t nr_window,
			     uint64_t lazy_max)
{
	const struct qr_soft_config soft = {
		.nr_frames = nr_frames, .alone = true, .nr_cpus = 2, .panic = on_panic};
	struct quire_objects_config config = {
		.zone = &s->zone, .zone_lock = &s->zone_lock, .nr_cpus = 1};
	struct quire_vmalloc_config v = {.window = {{BASE}, {BASE + PAGES(nr_window)}},
					 .lazy_max = lazy_max};

	memset(s, 0, sizeof(*s));
	s->soft = qr_soft_new(&soft);
	assert_non_null(s->soft);
	s->port = qr_soft_port(s->soft);
	qr_zone_init(&s->zone, s->port, &s->stats, qr_zone_table_frames(nr_frames));
	qr_lock_init(&s->zone_lock, s->port);
	s->free_at_start = qr_zone_free_frames(&s->zone);
	assert_int_equal(quire_objects_open(&s->objects, &config), QUIRE_OK);
	v.objects = s->objects;
	assert_int_equal(quire_vmalloc_open(&s->v, &v), QUIRE_OK);
	qr_soft_boot(s->soft, quire_vmalloc_root(s->v), on_fault, s);
}

static void stage_open(struct stage *s, uint64_t nr_window, uint64_t lazy_max)
{
	stage_open_sized(s, NR_FRAMES, nr_window, lazy_max);
}

static void stage_validate(struct stage *s)
{
	assert_null(quire_vmalloc_validate(s->v));
	assert_null(quire_objects_validate(s->objects));
	assert_null(qr_zone_validate(&s->zone));
}

static void stage_close(struct stage *s)
{
	stage_validate(s);
	assert_int_equal(quire_vmalloc_close(s->v), QUIRE_OK);
	assert_int_equal(quire_objects_close(s->objects, NULL, NULL), 0);
	assert_null(qr_zone_validate(&s->zone));
	assert_int_equal(qr_zone_free_frames(&s->zone), s->free_at_start);
	qr_soft_destroy(s->soft);
}

static enum quire_status peek(struct stage *s, uint64_t va)
{
	unsigned char byte;

	return qr_soft_load(s->soft, CPU, (quire_vaddr){va}, &byte, 1);
}

static void write_all(struct stage *s, quire_vaddr va, uint64_t bytes, uint64_t mark)
{
	for (uint64_t at = 0; at < bytes; at += sizeof(mark)) {
		uint64_t word = mark + at;

		assert_int_equal(qr_soft_store(s->soft, CPU, (quire_vaddr){va.a + at},
					       &word, sizeof(word)),
				 QUIRE_OK);
	}
}

static void read_all(struct stage *s, quire_vaddr va, uint64_t bytes, uint64_t mark)
{
	for (uint64_t at = 0; at < bytes; at += sizeof(mark)) {
		uint64_t word;

		assert_int_equal(qr_soft_load(s->soft, CPU, (quire_vaddr){va.a + at},
					      &word, sizeof(word)),
				 QUIRE_OK);
		assert_int_equal(word, mark + at);
	}
}

/* Takes single frames till none is left and frees every other one: no two frames that
 * touch are free. */
static void areas_lie_over_scattered_frames(void **state)
{
	static quire_pfn taken[NR_FRAMES];
	uint32_t nr = 0, nr_breaks = 0;
	quire_pfn last, pfn;
	struct stage s;
	quire_vaddr va;

	(void)state;
	stage_open(&s, 1024, 0);
	while (qr_zone_alloc(&s.zone, QUIRE_FRAME_TABLE, QUIRE_ALLOC_RESERVE, &pfn))
		taken[nr++] = pfn;
	for (uint32_t i = 0; i < nr; i += 2)
		qr_zone_free(&s.zone, taken[i]);
	assert_null(quire_kmalloc(s.objects, 0, PAGES(64), 0));

	va = quire_vzalloc(s.v, 0, PAGES(64) - 5, 0);
	assert_int_not_equal(va.a, 0);
	assert_true(quire_vmalloc_to_page(s.v, va, &last));
	for (uint64_t i = 1; i < 64; i++) {
		quire_vaddr at = {va.a + PAGES(i) + 17};

		assert_true(quire_vmalloc_to_page(s.v, at, &pfn));
		nr_breaks += pfn.n != last.n + 1;
		last = pfn;
	}
	assert_int_equal(nr_breaks, 63);
	for (uint64_t at = 0; at < PAGES(64); at += 512)
		assert_int_equal(peek(&s, va.a + at), QUIRE_OK);
	write_all(&s, va, PAGES(64), 77);
	read_all(&s, va, PAGES(64), 77);
	stage_validate(&s);
	quire_vfree(s.v, va);
	for (uint32_t i = 1; i < nr; i += 2)
		qr_zone_free(&s.zone, taken[i]);
	stage_close(&s);
}

static void the_mmu_and_the_tables_agree(void **state)
{
	unsigned char bytes[16] = "through the MMU";
	struct stage s;
	quire_vaddr va;
	quire_pfn pfn;

	(void)state;
	stage_open(&s, 1024, 0);
	va = quire_vmalloc(s.v, 0, PAGES(3), 0);
	assert_int_equal(qr_soft_store(s.soft, CPU, (quire_vaddr){va.a + PAGES(2) + 100},
				       bytes, sizeof(bytes)),
			 QUIRE_OK);
	assert_true(quire_vmalloc_to_page(s.v, (quire_vaddr){va.a + PAGES(2) + 9}, &pfn));
	assert_memory_equal((unsigned char *)qr_zone_address(&s.zone, pfn) + 100, bytes,
			    sizeof(bytes));
	quire_vfree(s.v, va);
	stage_close(&s);
}

static void a_guard_page_lies_behind_each(void **state)
{
	quire_vaddr areas[20];
	struct stage s;
	quire_pfn pfn;

	(void)state;
	stage_open(&s, 1024, 0);
	for (uint32_t i = 0; i < 20; i++) {
		areas[i] = quire_vmalloc(s.v, 0, PAGES(i % 3 + 1), 0);
		assert_int_not_equal(areas[i].a, 0);
	}
	for (uint32_t i = 0; i < 20; i++) {
		uint64_t end = areas[i].a + PAGES(i % 3 + 1);

		assert_int_equal(peek(&s, end - 1), QUIRE_OK);
		assert_int_equal(peek(&s, end), QUIRE_FAULT);
		assert_int_equal(peek(&s, end + PAGES(1) - 1), QUIRE_FAULT);
		assert_false(quire_vmalloc_to_page(s.v, (quire_vaddr){end}, &pfn));
		for (uint32_t k = 0; k < 20; k++)
			assert_true(areas[k].a != end);
	}
	for (uint32_t i = 0; i < 20; i++)
		quire_vfree(s.v, areas[i]);
	stage_close(&s);
}

static void one_flush_serves_many_frees(void **state)
{
	quire_vaddr areas[40];
	uint64_t free_frames, releases;
	struct stage s;
	quire_pfn pfn;

	(void)state;
	stage_open(&s, 1024, 100);
	for (uint32_t i = 0; i < 40; i++) {
		areas[i] = quire_vmalloc(s.v, 0, PAGES(4), 0);
		write_all(&s, areas[i], PAGES(4), i);
	}
	free_frames = qr_zone_free_frames(&s.zone);
	releases = qr_soft_counts(s.soft).releases;
	for (uint32_t i = 0; i < 25; i++)
		quire_vfree(s.v, areas[i]);
	/* A hundred pages are lazy: not there, but not anybody else's either. */
	assert_int_equal(quire_vmalloc_info(s.v).lazy_pages, 100);
	assert_int_equal(qr_zone_free_frames(&s.zone), free_frames);
	assert_int_equal(qr_soft_counts(s.soft).releases, releases);
	assert_false(quire_vmalloc_to_page(s.v, areas[0], &pfn));
	stage_validate(&s);

	quire_vfree(s.v, areas[25]);
	assert_int_equal(quire_vmalloc_info(s.v).lazy_pages, 0);
	assert_int_equal(qr_soft_counts(s.soft).releases, releases + 1);
	assert_true(qr_zone_free_frames(&s.zone) >= free_frames + 104);
	for (uint32_t i = 0; i < 26; i++)
		assert_int_equal(peek(&s, areas[i].a), QUIRE_FAULT);
	for (uint32_t i = 26; i < 40; i++) {
		read_all(&s, areas[i], PAGES(4), i);
		quire_vfree(s.v, areas[i]);
	}
	stage_validate(&s);
	assert_int_equal(quire_vmalloc_flush(s.v), 56);
	stage_close(&s);
}

static void addresses_and_frames_run_out_politely(void **state)
{
	quire_vaddr areas[64];
	uint32_t nr = 0;
	struct stage s;

	(void)state;
	stage_open(&s, 64, 0);
	assert_int_equal(quire_vmalloc(s.v, 0, 0, 0).a, 0);
	assert_int_equal(quire_vmalloc(s.v, 0, UINT64_MAX, 0).a, 0);
	assert_int_equal(quire_vmalloc(s.v, 0, PAGES(64), 0).a, 0);
	while ((areas[nr] = quire_vmalloc(s.v, 0, 1, 0)).a != 0)
		nr++;
	assert_int_equal(nr, 32);
	/* What is lazy has no address to give before a flush, which comes by itself. */
	for (uint32_t i = 0; i < 32; i += 2)
		quire_vfree(s.v, areas[i]);
	for (uint32_t i = 0; i < 32; i += 2) {
		areas[i] = quire_vmalloc(s.v, 0, 1, 0);
		assert_int_not_equal(areas[i].a, 0);
	}
	for (uint32_t i = 0; i < 32; i++)
		quire_vfree(s.v, areas[i]);
	stage_close(&s);

	/* More frames than there are; then all that were lazy. */
	stage_open(&s, 4096, 0);
	assert_int_equal(quire_vmalloc(s.v, 0, PAGES(NR_FRAMES - 20), 0).a, 0);
	stage_validate(&s);
	areas[0] = quire_vmalloc(s.v, 0, PAGES(300), 0);
	assert_int_not_equal(areas[0].a, 0);
	quire_vfree(s.v, areas[0]);
	areas[0] = quire_vmalloc(s.v, 0, PAGES(300), 0);
	assert_int_not_equal(areas[0].a, 0);
	quire_vfree(s.v, areas[0]);
	assert_int_equal(quire_vmalloc_info(s.v).flushes, 1);
	stage_close(&s);
}

static void frames_of_the_caller_stay_his(void **state)
{
	uint64_t free_frames;
	quire_pfn pfns[9], pfn;
	struct stage s;
	quire_vaddr va;

	(void)state;
	stage_open(&s, 1024, 0);
	for (uint32_t i = 0; i < 9; i++)
		assert_true(qr_zone_alloc(&s.zone, QUIRE_FRAME_TABLE, 0, &pfns[i]));
	free_frames = qr_zone_free_frames(&s.zone);
	va = quire_vmap(s.v, 0, pfns, 9, 0);
	for (uint32_t i = 0; i < 9; i++) {
		assert_true(
			quire_vmalloc_to_page(s.v, (quire_vaddr){va.a + PAGES(i)}, &pfn));
		assert_int_equal(pfn.n, pfns[i].n);
	}
	write_all(&s, va, PAGES(9), 5);
	quire_vfree(s.v, va);
	quire_vmalloc_flush(s.v);
	quire_objects_shrink(s.objects, 0, 0);
	assert_true(qr_zone_free_frames(&s.zone) >= free_frames);
	assert_null(qr_zone_validate(&s.zone));
	for (uint32_t i = 0; i < 9; i++)
		qr_zone_free(&s.zone, pfns[i]);
	stage_close(&s);
}

static void a_wrong_free_stops_the_machine(void **state)
{
	uint64_t wrong[4];
	jmp_buf here;
	struct stage s;
	quire_vaddr va;

	(void)state;
	/* Each on a machine of its own: a stopped one is of no more use, its lock held. */
	for (volatile uint32_t i = 0; i < 4; i++) {
		volatile bool is_stopped = false;

		stage_open(&s, 1024, 0);
		va = quire_vmalloc(s.v, 0, PAGES(2), 0);
		wrong[0] = va.a + PAGES(1);
		wrong[1] = va.a + 8;
		wrong[2] = va.a + PAGES(100);
		wrong[3] = va.a;
		if (i == 3)
			quire_vfree(s.v, va);
		escape = &here;
		if (setjmp(here) == 0)
			quire_vfree(s.v, (quire_vaddr){wrong[i]});
		else
			is_stopped = true;
		escape = NULL;
		assert_true(is_stopped);
		qr_soft_destroy(s.soft);
	}
}

/* The same steps with the first frame refused, the second, ... */
static void any_frame_may_be_refused(void **state)
{
	bool is_met = true;

	(void)state;
	for (uint64_t nth = 1; is_met; nth++) {
		quire_vaddr areas[8];
		struct stage s;

		stage_open(&s, 2048, 20);
		s.zone.fail_in = nth;
		for (uint32_t i = 0; i < 8; i++)
			areas[i] = quire_vmalloc(s.v, 0, PAGES(i * 5 + 1),
						 i % 2 == 0 ? QUIRE_GFP_ATOMIC : 0);
		is_met = s.zone.fail_in == 0;
		stage_validate(&s);
		for (uint32_t i = 0; i < 8; i++)
			quire_vfree(s.v, areas[i]);
		stage_close(&s);
		assert_true(nth < 1000);
	}
}

static void random_areas_keep_their_bytes(void **state)
{
	struct source source = source_seed(3);
	struct {
		quire_vaddr va;
		uint64_t bytes, mark;
	} held[16] = {0};
	struct stage s;

	(void)state;
	stage_open(&s, 600, 50);
	for (uint32_t step = 0; step < 1500; step++) {
		uint32_t i = source_below(&source, 16);

		if (held[i].va.a != 0) {
			read_all(&s, held[i].va, held[i].bytes, held[i].mark);
			quire_vfree(s.v, held[i].va);
			held[i].va.a = 0;
		} else {
			held[i].bytes = PAGES(source_below(&source, 40) + 1);
			held[i].mark = step * 1000003u;
			held[i].va = quire_vmalloc(s.v, 0, held[i].bytes, 0);
			if (held[i].va.a != 0)
				write_all(&s, held[i].va, held[i].bytes, held[i].mark);
		}
		if (step % 16 == 0)
			stage_validate(&s);
	}
	for (uint32_t i = 0; i < 16; i++)
		quire_vfree(s.v, held[i].va);
	stage_close(&s);
}

#define MANY 100000u

/* Half of them are freed and taken again while the other half stands: each finds the
 * lowest room.  All look through frames that they share. */
static void a_hundred_thousand_areas(void **state)
{
	quire_vaddr *areas = malloc(MANY * sizeof(areas[0]));
	struct stage s;
	quire_pfn pfn, found;

	(void)state;
	assert_non_null(areas);
	stage_open_sized(&s, 8192, 2 * MANY, MANY);
	assert_true(qr_zone_alloc(&s.zone, QUIRE_FRAME_TABLE, 0, &pfn));
	for (uint32_t i = 0; i < MANY; i++) {
		areas[i] = quire_vmap(s.v, 0, &pfn, 1, 0);
		assert_int_equal(areas[i].a, BASE + PAGES(2 * i));
	}
	assert_int_equal(quire_vmap(s.v, 0, &pfn, 1, 0).a, 0);
	assert_int_equal(quire_vmalloc_info(s.v).areas, MANY);
	stage_validate(&s);
	for (uint32_t i = 0; i < MANY; i += 2)
		quire_vfree(s.v, areas[i]);
	assert_int_equal(quire_vmalloc_info(s.v).lazy_pages, MANY / 2);
	stage_validate(&s);
	for (uint32_t i = 0; i < MANY; i += 2)
		assert_int_equal(quire_vmap(s.v, 0, &pfn, 1, 0).a, areas[i].a);
	assert_int_equal(quire_vmalloc_info(s.v).flushes, 1);
	stage_validate(&s);
	for (uint32_t i = MANY; i-- > 0;) {
		assert_true(quire_vmalloc_to_page(s.v, areas[i], &found));
		assert_int_equal(found.n, pfn.n);
		quire_vfree(s.v, areas[i]);
	}
	quire_vmalloc_flush(s.v);
	quire_objects_shrink(s.objects, 0, 0);
	qr_zone_free(&s.zone, pfn);
	stage_close(&s);
	free(areas);
}

static void wrong_windows_are_refused(void **state)
{
	const struct quire_range wrong[] = {
		{{0}, {PAGES(5)}},
		{{BASE + 1}, {BASE + PAGES(5)}},
		{{BASE}, {BASE}},
		{{BASE}, {(1ull << 47) + PAGES(1)}},
	};
	struct quire_vmalloc *v;
	quire_vaddr va;
	struct stage s;

	(void)state;
	stage_open(&s, 64, 0);
	for (uint32_t i = 0; i < 4; i++) {
		const struct quire_vmalloc_config config = {.objects = s.objects,
							    .window = wrong[i]};

		assert_int_equal(quire_vmalloc_open(&v, &config), QUIRE_INVALID);
	}
	va = quire_vmalloc(s.v, 0, 1, 0);
	assert_int_equal(quire_vmalloc_close(s.v), QUIRE_BUSY);
	quire_vfree(s.v, va);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(areas_lie_over_scattered_frames),
		cmocka_unit_test(the_mmu_and_the_tables_agree),
		cmocka_unit_test(a_guard_page_lies_behind_each),
		cmocka_unit_test(one_flush_serves_many_frees),
		cmocka_unit_test(addresses_and_frames_run_out_politely),
		cmocka_unit_test(frames_of_the_caller_stay_his),
		cmocka_unit_test(a_wrong_free_stops_the_machine),
		cmocka_unit_test(any_frame_may_be_refused),
		cmocka_unit_test(random_areas_keep_their_bytes),
		cmocka_unit_test(a_hundred_thousand_areas),
		cmocka_unit_test(wrong_windows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
