/* SPDX-License-Identifier: MIT */
/* clauses_pages.c - [P1] to [P12]: frames, and pages that come and go. */
#include "tests/port/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

static bool copies(const struct port_fixture *f)
{
	return (f->port->caps & QUIRE_PORT_COPIES) != 0;
}

static quire_vaddr page_at(const struct port_fixture *f, uint32_t i)
{
	return (quire_vaddr){f->base.a + ((uint64_t)i << QUIRE_PAGE_SHIFT)};
}

static unsigned char *frame_at(const struct port_fixture *f, uint32_t i)
{
	return f->port->direct + ((size_t)(f->first_frame + i) << QUIRE_PAGE_SHIFT);
}

static struct quire_run run_of(const struct port_fixture *f, uint32_t first, uint32_t nr)
{
	return (struct quire_run){page_at(f, first), nr};
}

/* The byte that byte at of page i has in these tests. */
static unsigned char byte_of(uint32_t i, uint32_t at)
{
	return (unsigned char)(i * 7 + at * 13 + at / 256 + 1);
}

static void set_area(struct port_fixture *f, uint32_t first, uint32_t nr, uint32_t prot)
{
	struct quire_range range = {page_at(f, first), page_at(f, first + nr)};

	assert_int_equal(f->port->area_set(f->port->ctx, range, prot), QUIRE_OK);
}

/* Tables of a plain ground: page i is frame i. */
static void map_pages(struct port_fixture *f, uint32_t first, uint32_t nr, bool writable)
{
	for (uint32_t i = first; i < first + nr && f->map != NULL; i++)
		f->map(f, page_at(f, i), (quire_pfn){f->first_frame + i}, writable);
}

static void unmap_pages(struct port_fixture *f, uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr && f->unmap != NULL; i++)
		f->unmap(f, page_at(f, i));
}

static unsigned char source[QUIRE_FILL_MAX * QUIRE_PAGE_BYTES];

/* One fill of pages [first, first + nr), with bytes of their own or zeros. */
static enum quire_status fill(struct port_fixture *f, uint32_t first, uint32_t nr,
			      bool zero, uint32_t flags)
{
	const void *src = copies(f) && !zero ? source : NULL;

	for (uint32_t i = 0; i < nr; i++) {
		unsigned char *to = copies(f) ? source + i * QUIRE_PAGE_BYTES
					      : frame_at(f, first + i);

		for (uint32_t at = 0; at < QUIRE_PAGE_BYTES; at++)
			to[at] = zero ? 0 : byte_of(first + i, at);
	}
	map_pages(f, first, nr, (flags & QUIRE_FILL_READONLY) == 0);
	return f->port->fill(f->port->ctx, page_at(f, first), nr, src, flags);
}

static void fill_ok(struct port_fixture *f, uint32_t first, uint32_t nr, uint32_t flags)
{
	assert_int_equal(fill(f, first, nr, false, flags), QUIRE_OK);
}

static void protect(struct port_fixture *f, uint32_t first, uint32_t nr, bool on)
{
	struct quire_run run = run_of(f, first, nr);

	map_pages(f, first, nr, !on);
	f->port->protect(f->port->ctx, &run, 1, on);
}

static void release(struct port_fixture *f, uint32_t first, uint32_t nr)
{
	struct quire_run run = run_of(f, first, nr);
	uint64_t kept[(PORT_PAGES + 63) / 64] = {0};

	unmap_pages(f, first, nr);
	f->port->release(f->port->ctx, &run, 1, 0, kept);
	for (uint32_t i = 0; i < (PORT_PAGES + 63) / 64; i++)
		assert_int_equal(kept[i], 0);
}

static void leave(struct port_fixture *f, uint32_t first, uint32_t nr)
{
	unmap_pages(f, first, nr);
	set_area(f, first, nr, QUIRE_PROT_GONE);
}

static void expect_load(struct port_fixture *f, quire_vaddr va, unsigned char expected)
{
	unsigned char byte = (unsigned char)~expected;

	assert_int_equal(f->load(f, 0, va, &byte), PORT_DONE);
	assert_int_equal(byte, expected);
}

static void expect_page(struct port_fixture *f, uint32_t i)
{
	for (uint32_t at = 0; at < QUIRE_PAGE_BYTES; at += 97)
		expect_load(f, (quire_vaddr){page_at(f, i).a + at}, byte_of(i, at));
	expect_load(f, (quire_vaddr){page_at(f, i).a + QUIRE_PAGE_BYTES - 1},
		    byte_of(i, QUIRE_PAGE_BYTES - 1));
}

static void expect_missing(struct port_fixture *f, uint32_t i)
{
	unsigned char byte;

	assert_int_equal(f->load(f, 0, page_at(f, i), &byte), PORT_FAULT_READ);
	assert_int_equal(f->store(f, 0, page_at(f, i), 1), PORT_FAULT_WRITE);
}

/* Not done, in whichever way the ground says no. */
static void expect_refused(enum port_access access)
{
	assert_int_not_equal(access, PORT_DONE);
}

/* [P1] Frames are page aligned and read as zero before their first use. */
static void check_frames_read_zero(struct port_fixture *f)
{
	assert_int_equal((uintptr_t)f->port->direct % QUIRE_PAGE_BYTES, 0);
	assert_true(f->first_frame + PORT_FRAMES <= f->port->nr_frames);
	for (uint32_t i = 0; i < PORT_FRAMES; i++)
		for (uint32_t at = 0; at < QUIRE_PAGE_BYTES; at++)
			assert_int_equal(frame_at(f, i)[at], 0);
	for (uint32_t i = 0; i < PORT_FRAMES; i++)
		memset(frame_at(f, i), (int)i | 1, QUIRE_PAGE_BYTES);
	for (uint32_t i = 0; i < PORT_FRAMES; i++)
		assert_int_equal(frame_at(f, i)[QUIRE_PAGE_BYTES / 2],
				 (unsigned char)(i | 1));
}

static void check_window(struct port_fixture *f)
{
	const struct quire_range *window = &f->port->window;

	assert_int_equal(f->port->version, QUIRE_PORT_VERSION);
	assert_true(window->start.a > 0 && window->start.a < window->end.a);
	assert_true(window->end.a <= 1ull << 47);
	assert_int_equal((window->start.a | window->end.a) % QUIRE_PAGE_BYTES, 0);
	assert_true(f->base.a >= window->start.a);
	assert_true(page_at(f, PORT_PAGES).a <= window->end.a);
}

/* [P2] After fill each byte reads as given. */
static void check_fill_gives_bytes(struct port_fixture *f)
{
	set_area(f, 0, QUIRE_FILL_MAX + 1, QUIRE_READ | QUIRE_WRITE);
	expect_missing(f, 0);
	fill_ok(f, 0, QUIRE_FILL_MAX, 0);
	for (uint32_t i = 0; i < QUIRE_FILL_MAX; i++)
		expect_page(f, i);
	expect_missing(f, QUIRE_FILL_MAX);
	leave(f, 0, QUIRE_FILL_MAX + 1);
}

static void check_fill_gives_zeros(struct port_fixture *f)
{
	set_area(f, 0, 3, QUIRE_READ | QUIRE_WRITE);
	assert_int_equal(fill(f, 0, 3, true, 0), QUIRE_OK);
	for (uint32_t at = 0; at < 3 * QUIRE_PAGE_BYTES; at += 61)
		expect_load(f, (quire_vaddr){f->base.a + at}, 0);
	leave(f, 0, 3);
}

/* [P3] Everybody who waits for one of the pages is woken. */
static void check_fill_wakes(struct port_fixture *f)
{
	set_area(f, 0, 8, QUIRE_READ | QUIRE_WRITE);
	f->begin(f, page_at(f, 7), false, 0);
	f->await_faults(f, 1);
	fill_ok(f, 0, 8, 0);
	assert_int_equal(f->end(f), byte_of(7, 0));
	leave(f, 0, 8);
}

/* [P4] */
static void check_fill_readonly(struct port_fixture *f)
{
	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 2, QUIRE_FILL_READONLY);
	fill_ok(f, 2, 2, 0);
	for (uint32_t i = 0; i < 2; i++) {
		expect_page(f, i);
		assert_int_equal(f->store(f, 0, page_at(f, i), 9), PORT_FAULT_WRITE);
		expect_page(f, i);
		assert_int_equal(f->store(f, 0, page_at(f, i + 2), 9), PORT_DONE);
		expect_load(f, page_at(f, i + 2), 9);
	}
	leave(f, 0, 4);
}

static void check_fill_no_memory(struct port_fixture *f)
{
	if (!f->fail_next(f, PORT_FAIL_FILL)) {
		print_message("skip: this ground cannot make fill() fail\n");
		return;
	}
	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	assert_int_equal(fill(f, 0, 4, false, 0), QUIRE_NO_MEMORY);
	unmap_pages(f, 0, 4);
	for (uint32_t i = 0; i < 4; i++)
		expect_missing(f, i);
	fill_ok(f, 0, 4, 0);
	expect_page(f, 3);
	leave(f, 0, 4);
}

static void check_fill_of_what_left(struct port_fixture *f)
{
	unsigned char byte;

	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	f->lose(f, page_at(f, 0), 4);
	assert_int_equal(fill(f, 0, 4, false, 0), QUIRE_FAULT);
	unmap_pages(f, 0, 4);
	for (uint32_t i = 0; i < 4; i++)
		expect_refused(f->load(f, 0, page_at(f, i), &byte));
}

/* [P5] */
static void check_protect(struct port_fixture *f)
{
	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 4, 0);
	assert_int_equal(f->store(f, 0, page_at(f, 1), byte_of(1, 0)), PORT_DONE);
	protect(f, 1, 2, true);
	for (uint32_t i = 0; i < 4; i++) {
		bool is_protected = i == 1 || i == 2;

		assert_int_equal(f->store(f, 0, page_at(f, i), byte_of(i, 0)),
				 is_protected ? PORT_FAULT_WRITE : PORT_DONE);
		expect_page(f, i);
	}
	protect(f, 1, 2, false);
	assert_int_equal(f->store(f, 0, page_at(f, 1), 77), PORT_DONE);
	expect_load(f, page_at(f, 1), 77);
	leave(f, 0, 4);
}

/* A thread that accesses one page until it is told no. */
struct storm {
	struct port_fixture *f;
	quire_vaddr va;
	_Atomic uint32_t nr_done;
	_Atomic bool is_over; /* set by the suite when accesses have to fault */
	bool late;	      /* one was done after that */
	enum port_access end;
};

static void *store_storm(void *arg)
{
	struct storm *storm = arg;
	unsigned char byte = 0;

	do {
		storm->end = storm->f->store(storm->f, 1, storm->va, ++byte);
		atomic_fetch_add(&storm->nr_done, 1);
	} while (storm->end == PORT_DONE);
	return NULL;
}

static void *load_storm(void *arg)
{
	struct storm *storm = arg;
	unsigned char byte;

	for (;;) {
		bool was_over = atomic_load(&storm->is_over);

		storm->end = storm->f->load(storm->f, 1, storm->va, &byte);
		atomic_fetch_add(&storm->nr_done, 1);
		if (storm->end != PORT_DONE)
			return NULL;
		storm->late |= was_over;
		if (was_over)
			return NULL;
	}
}

static pthread_t storm_start(struct storm *storm, void *(*run)(void *))
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, storm), 0);
	while (atomic_load(&storm->nr_done) < 100)
		sched_yield();
	return thread;
}

static void check_protect_stops_writers(struct port_fixture *f)
{
	struct storm storm = {.f = f, .va = page_at(f, 0)};
	unsigned char seen;
	pthread_t thread;

	set_area(f, 0, 1, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 1, 0);
	thread = storm_start(&storm, store_storm);
	protect(f, 0, 1, true);
	assert_int_equal(f->load(f, 0, storm.va, &seen), PORT_DONE);
	pthread_join(thread, NULL);
	assert_int_equal(storm.end, PORT_FAULT_WRITE);
	expect_load(f, storm.va, seen);
	leave(f, 0, 1);
}

/* [P6] */
static void check_protect_off_wakes(struct port_fixture *f)
{
	set_area(f, 0, 2, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 2, QUIRE_FILL_READONLY);
	f->begin(f, page_at(f, 1), true, 55);
	f->await_faults(f, 1);
	protect(f, 0, 2, false);
	f->end(f);
	expect_load(f, page_at(f, 1), 55);
	expect_page(f, 0);
	leave(f, 0, 2);
}

static void check_absent_pages_are_passed_over(struct port_fixture *f)
{
	struct quire_run runs[2] = {run_of(f, 0, 4), run_of(f, 8, 2)};
	uint64_t kept[1] = {0};

	set_area(f, 0, 16, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 2, 1, 0);
	f->port->protect(f->port->ctx, runs, 2, true);
	f->port->protect(f->port->ctx, runs, 2, false);
	expect_page(f, 2);
	expect_missing(f, 0);
	unmap_pages(f, 2, 1);
	f->port->release(f->port->ctx, runs, 2, 0, kept);
	assert_int_equal(kept[0], 0);
	for (uint32_t i = 0; i < 16; i++)
		expect_missing(f, i);
	leave(f, 0, 16);
}

/* [P7] */
static void check_release(struct port_fixture *f)
{
	set_area(f, 0, 6, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 6, 0);
	release(f, 2, 3);
	for (uint32_t i = 0; i < 6; i++) {
		if (i >= 2 && i < 5)
			expect_missing(f, i);
		else
			expect_page(f, i);
	}
	fill_ok(f, 3, 1, 0);
	expect_page(f, 3);
	leave(f, 0, 6);
}

static void check_release_stops_readers(struct port_fixture *f)
{
	struct storm storm = {.f = f, .va = page_at(f, 0)};
	pthread_t thread;

	set_area(f, 0, 1, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 1, 0);
	thread = storm_start(&storm, load_storm);
	protect(f, 0, 1, true);
	release(f, 0, 1);
	atomic_store(&storm.is_over, true);
	pthread_join(thread, NULL);
	assert_false(storm.late);
	assert_int_equal(storm.end, PORT_FAULT_READ);
	leave(f, 0, 1);
}

/* [P8] Two runs: the bits count on from one to the next. */
static void check_release_keeps_pinned(struct port_fixture *f)
{
	struct quire_run runs[2] = {run_of(f, 0, 70), run_of(f, 80, 4)};
	uint64_t kept[2] = {0};

	set_area(f, 0, 90, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 64, 0);
	fill_ok(f, 64, 20, 0);
	if (!f->pin(f, page_at(f, 3))) {
		print_message("skip: this ground cannot pin\n");
		leave(f, 0, 90);
		return;
	}
	assert_true(f->pin(f, page_at(f, 82)));
	f->port->protect(f->port->ctx, runs, 2, true);
	unmap_pages(f, 0, 84);
	map_pages(f, 3, 1, true);
	map_pages(f, 82, 1, true);
	map_pages(f, 70, 10, true);
	f->port->release(f->port->ctx, runs, 2, 0, kept);
	assert_true(kept[0] == 1ull << 3);
	assert_true(kept[1] == 1ull << (70 + 2 - 64));
	f->port->protect(f->port->ctx, runs, 2, false);
	expect_page(f, 3);
	expect_page(f, 82);
	expect_page(f, 75);
	expect_missing(f, 4);
	expect_missing(f, 83);
	unmap_pages(f, 3, 1);
	f->port->release(f->port->ctx, runs, 1, QUIRE_RELEASE_FORCE, NULL);
	expect_missing(f, 3);
	f->unpin(f, page_at(f, 3));
	f->unpin(f, page_at(f, 82));
	leave(f, 0, 90);
}

/* [P9] */
static void check_wake(struct port_fixture *f)
{
	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	f->begin(f, page_at(f, 2), false, 0);
	for (uint32_t nr = 1; nr < 5; nr++) {
		f->await_faults(f, nr);
		f->port->wake(f->port->ctx, run_of(f, 0, 4));
	}
	f->await_faults(f, 5);
	fill_ok(f, 2, 1, 0);
	assert_int_equal(f->end(f), byte_of(2, 0));
	leave(f, 0, 4);
}

/* [P10] The bytes, or NULL: whatever the area allows. */
static void check_look(struct port_fixture *f)
{
	static const uint32_t prots[] = {QUIRE_READ | QUIRE_WRITE, QUIRE_READ, 0};
	static unsigned char scratch[QUIRE_PAGE_BYTES];

	if (!copies(f)) {
		print_message("not asked: look() is for grounds that copy\n");
		return;
	}
	for (uint32_t k = 0; k < 3; k++) {
		const unsigned char *bytes;

		set_area(f, 0, 1, QUIRE_READ | QUIRE_WRITE);
		fill_ok(f, 0, 1, 0);
		set_area(f, 0, 1, prots[k]);
		protect(f, 0, 1, true);
		bytes = f->port->look(f->port->ctx, f->base, prots[k], scratch);
		if (bytes == NULL)
			print_message("look() at protection %u: not to be had\n",
				      prots[k]);
		for (uint32_t at = 0; at < QUIRE_PAGE_BYTES && bytes != NULL; at++)
			assert_int_equal(bytes[at], byte_of(0, at));
		leave(f, 0, 1);
	}
}

/* [P11] */
static void check_discard(struct port_fixture *f)
{
	quire_pfn pfns[PORT_FRAMES];

	if (f->port->discard == NULL) {
		print_message("not asked: frames cost the same used or free\n");
		return;
	}
	for (uint32_t i = 0; i < PORT_FRAMES; i++) {
		pfns[i] = (quire_pfn){f->first_frame + PORT_FRAMES - 1 - i};
		memset(frame_at(f, i), 0x5a, QUIRE_PAGE_BYTES);
	}
	f->port->discard(f->port->ctx, pfns, PORT_FRAMES / 2);
	for (uint32_t i = 0; i < PORT_FRAMES / 2; i++)
		assert_int_equal(frame_at(f, i)[i], 0x5a);
	f->port->discard(f->port->ctx, pfns, PORT_FRAMES);
	for (uint32_t i = 0; i < PORT_FRAMES; i++)
		memset(frame_at(f, i), (int)i, QUIRE_PAGE_BYTES);
	for (uint32_t i = 0; i < PORT_FRAMES; i++)
		assert_int_equal(frame_at(f, i)[4095], (unsigned char)i);
}

/* [P12] */
static void check_area_protection(struct port_fixture *f)
{
	unsigned char byte;

	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 4, 0);
	expect_page(f, 1);
	map_pages(f, 1, 2, false);
	set_area(f, 1, 2, QUIRE_READ);
	expect_page(f, 1);
	expect_refused(f->store(f, 0, page_at(f, 1), 3));
	assert_int_equal(f->store(f, 0, page_at(f, 0), byte_of(0, 0)), PORT_DONE);
	assert_int_equal(f->store(f, 0, page_at(f, 3), byte_of(3, 0)), PORT_DONE);
	unmap_pages(f, 1, 1);
	set_area(f, 1, 1, 0);
	expect_refused(f->load(f, 0, page_at(f, 1), &byte));
	expect_refused(f->store(f, 0, page_at(f, 1), 3));
	expect_page(f, 2);
	set_area(f, 0, 4, QUIRE_READ | QUIRE_WRITE);
	map_pages(f, 0, 4, true);
	for (uint32_t i = 0; i < 4; i++)
		expect_page(f, i);
	assert_int_equal(f->store(f, 0, page_at(f, 1), 3), PORT_DONE);
	leave(f, 0, 4);
}

static void check_area_gone(struct port_fixture *f)
{
	unsigned char byte;

	set_area(f, 0, 5, QUIRE_READ | QUIRE_WRITE);
	fill_ok(f, 0, 5, 0);
	leave(f, 1, 3);
	for (uint32_t i = 1; i < 4; i++)
		expect_refused(f->load(f, 0, page_at(f, i), &byte));
	expect_page(f, 0);
	expect_page(f, 4);
	set_area(f, 1, 3, QUIRE_READ | QUIRE_WRITE);
	for (uint32_t i = 1; i < 4; i++)
		expect_missing(f, i);
	leave(f, 0, 5);
}

const struct port_clause port_clauses_pages[] = {
	{"P1 frames read as zero", check_frames_read_zero},
	{"P1 version and window", check_window},
	{"P2 fill gives the bytes", check_fill_gives_bytes},
	{"P2 fill gives zeros", check_fill_gives_zeros},
	{"P3 fill wakes", check_fill_wakes},
	{"P4 read-only fill", check_fill_readonly},
	{"P4 fill without memory", check_fill_no_memory},
	{"P4 fill of what has left", check_fill_of_what_left},
	{"P5 protect", check_protect},
	{"P5 protect stops writers", check_protect_stops_writers},
	{"P6 protect off wakes", check_protect_off_wakes},
	{"P6 absent pages are passed over", check_absent_pages_are_passed_over},
	{"P7 release", check_release},
	{"P7 release stops readers", check_release_stops_readers},
	{"P8 release keeps what is pinned", check_release_keeps_pinned},
	{"P9 wake", check_wake},
	{"P10 look", check_look},
	{"P11 discard", check_discard},
	{"P12 area protection", check_area_protection},
	{"P12 area gone", check_area_gone},
};
const uint32_t port_nr_clauses_pages =
	sizeof(port_clauses_pages) / sizeof(port_clauses_pages[0]);
