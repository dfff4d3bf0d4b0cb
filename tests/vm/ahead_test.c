/* SPDX-License-Identifier: MIT */
/* ahead_test.c - what is read ahead of its use from swap: how much, by what advice, that it
 * is in nobody's way, and that nothing is lost whatever fails.
 *
 * QUIRE_SEEDS=n runs n seeds of the random histories, from QUIRE_SEED_FIRST on.
 */
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RW	(QUIRE_READ | QUIRE_WRITE)
#define PRIVATE QUIRE_MM_PRIVATE
#define SHARED	QUIRE_MM_SHARED
#define WINDOW	8u

static const struct qr_computer_config roomy = {
	.soft = {.nr_frames = 4096, .nr_disks = 4, .disk_extents = 4096},
	.vm = {.swap = QUIRE_SWAP_FILE, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
};

static struct quire_vm_figures figures_of(const struct rig *rig)
{
	struct quire_vm_figures figures;

	quire_vm_figures(rig->vm, &figures);
	return figures;
}

static uint64_t map(struct quire_mm *mm, uint64_t pages, uint32_t flags)
{
	uint64_t at;

	assert_int_equal(quire_mm_map(mm, 0, pages * PAGE, RW, flags, &at), QUIRE_OK);
	return at;
}

static uint64_t word(uint64_t seed, uint64_t k)
{
	uint64_t z = seed * 4096 + k + 1;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Pages that do not pack: eight fill an extent. */
static void fill(struct rig *rig, struct quire_mm *mm, uint64_t at, uint64_t pages)
{
	uint64_t bytes[PAGE / 8];

	qr_computer_switch(rig->computer, 0, mm);
	for (uint64_t i = 0; i < pages; i++) {
		for (uint64_t k = 0; k < PAGE / 8; k++)
			bytes[k] = word(i, k);
		assert_int_equal(qr_computer_store(rig->computer, 0, at + i * PAGE, bytes,
						   PAGE, &rig_fault),
				 QUIRE_OK);
	}
}

static void check(struct rig *rig, struct quire_mm *mm, uint64_t at, uint64_t i)
{
	uint64_t bytes[PAGE / 8];

	qr_computer_switch(rig->computer, 0, mm);
	assert_int_equal(qr_computer_load(rig->computer, 0, at + i * PAGE, bytes, PAGE,
					  &rig_fault),
			 QUIRE_OK);
	for (uint64_t k = 0; k < PAGE / 8; k++)
		assert_true(bytes[k] == word(i, k));
}

/* All that is in the store goes to the disks. */
static void spill(struct rig *rig)
{
	qr_lock(&rig->vm->turn);
	qr_lock(&rig->vm->inner);
	while (qr_swap_spill(&rig->vm->swap, 1) == QUIRE_OK)
		;
	qr_unlock(&rig->vm->inner);
	qr_unlock(&rig->vm->turn);
}

static void push_out(struct rig *rig, struct quire_mm *mm, uint64_t at, uint64_t pages)
{
	assert_int_equal(quire_mm_advise(mm, at, pages * PAGE, QUIRE_MM_PAGEOUT),
			 QUIRE_OK);
	spill(rig);
}

static uint64_t nr_incore(struct quire_mm *mm, uint64_t at, uint64_t pages)
{
	unsigned char vec[1024];
	uint64_t nr = 0;

	assert_true(pages <= sizeof(vec));
	assert_int_equal(quire_mm_incore(mm, at, pages * PAGE, vec), QUIRE_OK);
	for (uint64_t i = 0; i < pages; i++)
		nr += vec[i];
	return nr;
}

/* ---- the window: a model that keeps all it needs in words of its own */

/* As Linux's __swapin_nr_pages() has it. */
struct naive {
	bool has_last;
	uint64_t last;
	unsigned hits, window;
};

static unsigned naive_next(struct naive *n, uint64_t page, unsigned max)
{
	unsigned pages = n->hits + 2;

	if (pages == 2) {
		if (!n->has_last || (page != n->last + 1 && page + 1 != n->last))
			pages = 1;
	} else {
		unsigned round = 4;

		while (round < pages)
			round <<= 1;
		pages = round;
	}
	if (pages > max)
		pages = max;
	if (pages < n->window / 2)
		pages = n->window / 2;
	*n = (struct naive){.has_last = true, .last = page, .window = pages};
	return pages;
}

static void windows_are_linux(void **state)
{
	const uint32_t max = 1u << QR_AHEAD_ORDER_MAX;
	struct qr_ahead ahead = {0};
	struct naive naive = {0};
	uint64_t page = 1000, random = 1;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		random = word(random, i);
		if (random % 8 == 0)
			page = 1000 + random / 8 % 100000;
		else
			page += random % 3 == 0 ? UINT64_MAX : 1;
		if (random / 64 % 2 == 0) {
			bool is_hit = random / 128 % 3 != 0;

			qr_ahead_note(&ahead, page, is_hit);
			naive.last = page;
			naive.has_last = true;
			naive.hits += is_hit && naive.hits < QR_AHEAD_HITS_MAX;
			/* Who never had a window has no last fault to be next to. */
			if (naive.window == 0)
				naive.has_last = false;
		} else {
			struct qr_window w =
				qr_ahead_plan(&ahead, page, max, QR_AHEAD_AROUND);

			assert_int_equal(w.nr, naive_next(&naive, page, max));
			assert_true(w.first <= page && page < w.first + w.nr);
		}
	}
}

static void windows_follow_direction_and_advice(void **state)
{
	struct qr_ahead ahead = {0};
	struct qr_window w;

	(void)state;
	w = qr_ahead_plan(&ahead, 50, 8, QR_AHEAD_AROUND);
	assert_true(w.first == 50 && w.nr == 1);
	w = qr_ahead_plan(&ahead, 51, 8, QR_AHEAD_AROUND);
	assert_true(w.first == 51 && w.nr == 2);
	w = qr_ahead_plan(&ahead, 50, 8, QR_AHEAD_AROUND);
	assert_true(w.first == 49 && w.nr == 2);
	for (uint32_t i = 0; i < 3; i++)
		qr_ahead_note(&ahead, 49, true);
	w = qr_ahead_plan(&ahead, 90, 8, QR_AHEAD_AROUND);
	assert_true(w.first == 87 && w.nr == 8);
	/* Misses halve it. */
	w = qr_ahead_plan(&ahead, 500, 8, QR_AHEAD_AROUND);
	assert_int_equal(w.nr, 4);
	w = qr_ahead_plan(&ahead, 900, 8, QR_AHEAD_AROUND);
	assert_int_equal(w.nr, 2);
	w = qr_ahead_plan(&ahead, 100, 8, QR_AHEAD_AROUND);
	assert_int_equal(w.nr, 1);
	w = qr_ahead_plan(&ahead, 300, 8, QR_AHEAD_FAR);
	assert_true(w.first == 300 && w.nr == 8);
	w = qr_ahead_plan(&ahead, 301, 8, QR_AHEAD_NONE);
	assert_true(w.first == 301 && w.nr == 1);
	/* Nothing lies below the first page. */
	ahead = (struct qr_ahead){.last = 1, .window = 2, .hits = 3};
	w = qr_ahead_plan(&ahead, 0, 8, QR_AHEAD_AROUND);
	assert_int_equal(w.first, 0);
}

/* ---- on the machine */

static void a_scan_is_read_ahead_of(void **state)
{
	const uint64_t pages = 512;
	struct quire_vm_figures before, after;
	uint64_t at, transfers, nr_major = 0;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	rig_open(&rig, roomy);
	mm = rig_mm(&rig);
	at = map(mm, pages, PRIVATE);
	fill(&rig, mm, at, pages);
	push_out(&rig, mm, at, pages);
	before = figures_of(&rig);
	transfers = qr_soft_counts(qr_computer_soft(rig.computer)).transfers_in;
	assert_int_equal(nr_incore(mm, at, pages), 0);
	for (uint64_t i = 0; i < pages; i++) {
		check(&rig, mm, at, i);
		assert_true(rig_fault.kind == QUIRE_FAULT_MAJOR ||
			    rig_fault.kind == QUIRE_FAULT_MAPPED);
		nr_major += rig_fault.kind == QUIRE_FAULT_MAJOR;
		if (i % 37 == 0)
			rig_validate(&rig);
	}
	after = figures_of(&rig);
	transfers =
		qr_soft_counts(qr_computer_soft(rig.computer)).transfers_in - transfers;
	/* Single pages at first, then a window each. */
	assert_true(nr_major <= pages / WINDOW + 6);
	assert_true(transfers <= 2 * nr_major);
	assert_int_equal(after.pages_in - before.pages_in, pages);
	assert_int_equal(after.swap_ahead - before.swap_ahead, pages - nr_major);
	assert_int_equal(after.swap_ahead_hits, after.swap_ahead);
	assert_int_equal(after.faults[QUIRE_FAULT_MAJOR], nr_major);
	assert_int_equal(after.swap_cached, 0);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* The pages in memory after a first fault on page 100 of 200. */
static uint64_t touched(enum quire_mm_advice advice, uint32_t page_cluster,
			unsigned char *vec)
{
	struct qr_computer_config config = roomy;
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at, nr;

	config.vm.page_cluster = page_cluster;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	at = map(mm, 200, PRIVATE);
	fill(&rig, mm, at, 200);
	push_out(&rig, mm, at, 200);
	assert_int_equal(quire_mm_advise(mm, at, 200 * PAGE, advice), QUIRE_OK);
	check(&rig, mm, at, 99);
	check(&rig, mm, at, 100);
	check(&rig, mm, at, 102);
	nr = nr_incore(mm, at, 200);
	assert_int_equal(quire_mm_incore(mm, at, 200 * PAGE, vec), QUIRE_OK);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
	return nr;
}

static void advice_is_heeded(void **state)
{
	unsigned char vec[200];

	(void)state;
	/* 99 alone; 100, 101 for being next to it; 102, 103 with the hit of none. */
	assert_int_equal(touched(QUIRE_MM_NORMAL, 0, vec), 4);
	assert_int_equal(touched(QUIRE_MM_RANDOM, 0, vec), 3);
	assert_int_equal(touched(QUIRE_MM_NORMAL, QUIRE_PAGE_CLUSTER_NONE, vec), 3);
	assert_int_equal(touched(QUIRE_MM_SEQUENTIAL, 0, vec), 8);
	assert_true(vec[98] == 0 && vec[99] == 1 && vec[106] == 1);
	assert_int_equal(touched(QUIRE_MM_SEQUENTIAL, 5, vec), 32);
}

static void what_is_needed_is_read(struct rig *rig, uint32_t flags)
{
	struct quire_mm *mm = rig_mm(rig);
	uint64_t at = map(mm, 300, flags);
	struct quire_vm_figures before, after;

	fill(rig, mm, at, 300);
	push_out(rig, mm, at, 300);
	before = figures_of(rig);
	assert_int_equal(
		quire_mm_advise(mm, at + 20 * PAGE, 200 * PAGE, QUIRE_MM_WILLNEED),
		QUIRE_OK);
	rig_validate(rig);
	after = figures_of(rig);
	assert_int_equal(after.swap_cached, 200);
	assert_int_equal(after.pages_in - before.pages_in, 200);
	/* Who asked for it is not ahead of anybody. */
	assert_int_equal(after.swap_ahead, before.swap_ahead);
	assert_int_equal(after.free, before.free - 200 - (after.tables - before.tables));
	assert_int_equal(nr_incore(mm, at, 300), 200);
	for (uint64_t i = 20; i < 120; i++) {
		check(rig, mm, at, i);
		assert_int_equal(rig_fault.kind, QUIRE_FAULT_MAPPED);
	}
	rig_validate(rig);
	assert_int_equal(figures_of(rig).swap_ahead_hits, before.swap_ahead_hits);
	/* What goes takes along what was read for it. */
	assert_int_equal(quire_mm_unmap(mm, at + 100 * PAGE, 60 * PAGE), QUIRE_OK);
	rig_validate(rig);
	quire_mm_destroy(mm);
	assert_int_equal(figures_of(rig).swap_cached, 0);
}

static void will_need_reads(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, roomy);
	what_is_needed_is_read(&rig, PRIVATE);
	what_is_needed_is_read(&rig, SHARED);
	rig_close(&rig);
}

/* Also where it is in the store and not on a disk; a fault leaves that alone. */
static void the_store_is_not_read_ahead(void **state)
{
	struct quire_vm_figures f;
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, roomy);
	mm = rig_mm(&rig);
	at = map(mm, 64, PRIVATE);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(rig_store(&rig, mm, at + i * PAGE, i), QUIRE_OK);
	assert_int_equal(quire_mm_advise(mm, at, 64 * PAGE, QUIRE_MM_PAGEOUT), QUIRE_OK);
	for (uint64_t i = 0; i < 32; i++) {
		uint64_t value;

		assert_int_equal(rig_load(&rig, mm, at + i * PAGE, &value), QUIRE_OK);
		assert_int_equal(value, i);
		assert_int_equal(rig_fault.kind, QUIRE_FAULT_MAJOR);
	}
	f = figures_of(&rig);
	assert_true(f.swap_ahead == 0 && f.swap_cached == 0);
	assert_int_equal(quire_mm_advise(mm, at, 64 * PAGE, QUIRE_MM_WILLNEED), QUIRE_OK);
	assert_int_equal(figures_of(&rig).swap_cached, 32);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* Shared memory is read ahead by place, whoever faults. */
static void objects_are_read_ahead(void **state)
{
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at, nr_major = 0;

	(void)state;
	rig_open(&rig, roomy);
	mm = rig_mm(&rig);
	at = map(mm, 256, SHARED);
	fill(&rig, mm, at, 256);
	push_out(&rig, mm, at, 256);
	assert_int_equal(quire_mm_fork(mm, &child), QUIRE_OK);
	for (uint64_t i = 0; i < 256; i++) {
		check(&rig, i % 2 == 0 ? mm : child, at, i);
		nr_major += rig_fault.kind == QUIRE_FAULT_MAJOR;
	}
	rig_validate(&rig);
	assert_true(nr_major <= 256 / WINDOW + 6);
	assert_int_equal(figures_of(&rig).swap_ahead_hits, 256 - nr_major);
	quire_mm_destroy(mm);
	quire_mm_destroy(child);
	rig_close(&rig);
}

/* Parent and child have the same slots: each takes a copy of what is in the cache. */
static void slots_of_two_are_read_once(void **state)
{
	const uint64_t pages = 200;
	struct quire_vm_figures before;
	struct quire_mm *mm, *child;
	struct rig rig;
	uint64_t at;

	(void)state;
	rig_open(&rig, roomy);
	mm = rig_mm(&rig);
	at = map(mm, pages, PRIVATE);
	fill(&rig, mm, at, pages);
	push_out(&rig, mm, at, pages);
	assert_int_equal(quire_mm_fork(mm, &child), QUIRE_OK);
	assert_int_equal(quire_mm_advise(child, at, pages * PAGE, QUIRE_MM_WILLNEED),
			 QUIRE_OK);
	before = figures_of(&rig);
	for (uint64_t i = 0; i < pages; i++) {
		check(&rig, child, at, i);
		assert_int_equal(rig_fault.kind, QUIRE_FAULT_MAPPED);
		assert_int_equal(rig_store(&rig, child, at + i * PAGE, 0), QUIRE_OK);
	}
	rig_validate(&rig);
	assert_int_equal(figures_of(&rig).swap_cached, pages);
	for (uint64_t i = 0; i < pages; i++)
		check(&rig, mm, at, i);
	assert_int_equal(figures_of(&rig).swap_cached, 0);
	assert_int_equal(figures_of(&rig).pages_in, before.pages_in);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	quire_mm_destroy(child);
	rig_close(&rig);
}

/* Pages in use stay for as long as there is one that was read ahead. */
static void nobody_is_pushed_out(void **state)
{
	struct qr_computer_config config = roomy;
	struct quire_vm_figures f, before;
	uint64_t out, used, nr = 0;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	config.soft.nr_frames = 1200;
	rig_open(&rig, config);
	mm = rig_mm(&rig);
	out = map(mm, 400, PRIVATE);
	used = map(mm, 4000, PRIVATE);
	fill(&rig, mm, out, 400);
	push_out(&rig, mm, out, 400);
	for (; figures_of(&rig).free > rig.vm->zone.low + 150; nr++)
		assert_int_equal(rig_store(&rig, mm, used + nr * PAGE, nr), QUIRE_OK);
	before = figures_of(&rig);
	assert_int_equal(quire_mm_advise(mm, out, 400 * PAGE, QUIRE_MM_WILLNEED),
			 QUIRE_OK);
	f = figures_of(&rig);
	assert_true(f.swap_cached > 100 && f.swap_cached < 400);
	/* Down to the low watermark, and a table or so. */
	assert_true(f.free + 8 > rig.vm->zone.low);
	assert_int_equal(f.pages_out, before.pages_out);
	while (figures_of(&rig).swap_cached > 0) {
		assert_int_equal(rig_store(&rig, mm, used + nr * PAGE, nr), QUIRE_OK);
		nr++;
		if (figures_of(&rig).swap_cached > 0)
			assert_int_equal(figures_of(&rig).pages_out, before.pages_out);
	}
	rig_validate(&rig);
	for (uint64_t i = 0; i < 400; i++)
		check(&rig, mm, out, i);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

/* ---- whatever fails */

/* Pages come back by windows, by a call, in two processes; checked is what came. */
static void scenario(struct rig *rig, struct quire_mm *mm, uint64_t at, uint64_t pages)
{
	struct quire_mm *child;
	uint64_t value;

	(void)quire_mm_advise(mm, at, pages / 4 * PAGE, QUIRE_MM_WILLNEED);
	for (uint64_t i = 0; i < pages / 2; i++)
		if (rig_load(rig, mm, at + i * PAGE, &value) == QUIRE_OK)
			assert_int_equal(value, word(i, 0));
	rig_validate(rig);
	if (quire_mm_fork(mm, &child) != QUIRE_OK)
		return;
	(void)quire_mm_advise(child, at + pages / 2 * PAGE, pages / 2 * PAGE,
			      QUIRE_MM_SEQUENTIAL);
	for (uint64_t i = pages / 2; i < pages; i++)
		if (rig_load(rig, child, at + i * PAGE, &value) == QUIRE_OK)
			assert_int_equal(value, word(i, 0));
	rig_validate(rig);
	quire_mm_destroy(child);
}

#define SCENARIO_PAGES 48u

static bool run_failing(uint32_t flags, uint64_t alloc_n, enum qr_soft_site site,
			uint64_t k, uint64_t nr)
{
	struct qr_soft *soft;
	struct quire_mm *mm;
	struct rig rig;
	bool failed;
	uint64_t at;

	rig_open(&rig, roomy);
	soft = qr_computer_soft(rig.computer);
	mm = rig_mm(&rig);
	at = map(mm, SCENARIO_PAGES, flags);
	fill(&rig, mm, at, SCENARIO_PAGES);
	push_out(&rig, mm, at, SCENARIO_PAGES);
	rig.vm->zone.fail_in = alloc_n;
	if (k > 0)
		qr_soft_fail(soft, site, k, nr);
	scenario(&rig, mm, at, SCENARIO_PAGES);
	failed = alloc_n > 0 ? rig.vm->zone.fail_in == 0 : qr_soft_failed(soft, site) > 0;
	rig.vm->zone.fail_in = 0;
	qr_soft_fail(soft, site, 0, 0);
	/* Nothing is lost. */
	for (uint64_t i = 0; i < SCENARIO_PAGES; i++)
		check(&rig, mm, at, i);
	quire_mm_destroy(mm);
	rig_close(&rig);
	return failed;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	for (uint32_t shared = 0; shared < 2; shared++) {
		uint64_t n = 1;

		while (run_failing(shared != 0 ? SHARED : PRIVATE, n, QR_SOFT_READ, 0, 0))
			n++;
		assert_true(n > SCENARIO_PAGES);
	}
}

static void every_transfer_may_fail(void **state)
{
	static const enum qr_soft_site sites[] = {QR_SOFT_READ, QR_SOFT_FLIP};
	static const uint64_t in_a_row[] = {1, 3, 1000000};

	(void)state;
	for (uint32_t i = 0; i < 2 * 2 * 3; i++) {
		uint64_t k = 1;

		while (run_failing(i / 6 != 0 ? SHARED : PRIVATE, 0, sites[i / 3 % 2], k,
				   in_a_row[i % 3]))
			k++;
		assert_true(k > 6);
	}
}

/* ---- random histories against a word a page */

#define SEEDS	  4u
#define STEPS	  300u
#define PAGES	  600u
#define PROCESSES 3u

struct process {
	struct quire_mm *mm;
	uint64_t words[PAGES];
};

struct history {
	struct rig rig;
	uint64_t seed, nr_drawn;
	uint64_t at, shared_at;
	struct process processes[PROCESSES];
	uint64_t shared[PAGES];
};

static uint32_t below(struct history *h, uint32_t n)
{
	return (uint32_t)(word(h->seed, h->nr_drawn++) % n);
}

static void draw(struct history *h, uint32_t *first, uint32_t *nr)
{
	*first = below(h, PAGES);
	*nr = 1 + below(h, 80);
	if (*nr > PAGES - *first)
		*nr = PAGES - *first;
}

static void do_accesses(struct history *h, struct process *p)
{
	uint32_t first, nr, stride = 1 + below(h, 2) * below(h, 5);
	bool down = below(h, 3) == 0, is_shared = below(h, 3) == 0;
	uint64_t *words = is_shared ? h->shared : p->words;
	uint64_t at = is_shared ? h->shared_at : h->at;

	draw(h, &first, &nr);
	for (uint32_t k = 0; k < nr; k += stride) {
		uint32_t i = down ? first + nr - 1 - k : first + k;
		uint64_t value;

		if (below(h, 3) == 0) {
			words[i] = word(h->seed, h->nr_drawn);
			assert_int_equal(
				rig_store(&h->rig, p->mm, at + i * PAGE, words[i]),
				QUIRE_OK);
		} else {
			assert_int_equal(rig_load(&h->rig, p->mm, at + i * PAGE, &value),
					 QUIRE_OK);
			assert_int_equal(value, words[i]);
		}
	}
}

static void do_advise(struct history *h, struct process *p)
{
	static const enum quire_mm_advice advices[] = {
		QUIRE_MM_NORMAL,   QUIRE_MM_RANDOM,  QUIRE_MM_SEQUENTIAL,
		QUIRE_MM_WILLNEED, QUIRE_MM_PAGEOUT, QUIRE_MM_PAGEOUT,
		QUIRE_MM_WILLNEED, QUIRE_MM_COLD,    QUIRE_MM_DONTNEED,
	};
	enum quire_mm_advice advice = advices[below(h, sizeof(advices) / sizeof(int))];
	bool is_shared = below(h, 3) == 0;
	uint32_t first, nr;

	draw(h, &first, &nr);
	assert_int_equal(
		quire_mm_advise(p->mm, (is_shared ? h->shared_at : h->at) + first * PAGE,
				nr * PAGE, advice),
		QUIRE_OK);
	if (advice == QUIRE_MM_DONTNEED && !is_shared)
		memset(&p->words[first], 0, nr * sizeof(p->words[0]));
	if (below(h, 3) == 0)
		spill(&h->rig);
}

static void do_fork(struct history *h, struct process *p)
{
	struct process *other = &h->processes[below(h, PROCESSES)];

	if (other == p)
		return;
	if (other->mm != NULL)
		quire_mm_destroy(other->mm);
	*other = *p;
	assert_int_equal(quire_mm_fork(p->mm, &other->mm), QUIRE_OK);
}

static void step(struct history *h)
{
	struct process *p = &h->processes[below(h, PROCESSES)];
	uint32_t kind = below(h, 12);

	if (p->mm == NULL)
		return;
	if (kind < 6)
		do_accesses(h, p);
	else if (kind < 11)
		do_advise(h, p);
	else
		do_fork(h, p);
	rig_validate(&h->rig);
}

static uint64_t run(uint64_t seed, uint32_t nr_frames)
{
	struct qr_computer_config config = roomy;
	struct history *h = calloc(1, sizeof(*h));
	struct quire_vm_figures f;

	assert_non_null(h);
	printf("seed %llu, %u frames\n", (unsigned long long)seed, (unsigned)nr_frames);
	config.soft.nr_frames = nr_frames;
	h->seed = seed;
	rig_open(&h->rig, config);
	h->processes[0].mm = rig_mm(&h->rig);
	h->at = map(h->processes[0].mm, PAGES, PRIVATE);
	h->shared_at = map(h->processes[0].mm, PAGES, SHARED);
	for (uint32_t i = 0; i < STEPS; i++)
		step(h);
	f = figures_of(&h->rig);
	assert_true(f.swap_ahead_hits <= f.swap_ahead && f.swap_ahead <= f.pages_in);
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (h->processes[i].mm != NULL)
			quire_mm_destroy(h->processes[i].mm);
	rig_close(&h->rig);
	free(h);
	return f.swap_ahead_hits;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void histories(void **state)
{
	uint64_t first = setting("QUIRE_SEED_FIRST", 1);
	uint64_t nr = setting("QUIRE_SEEDS", SEEDS), nr_hits = 0;

	(void)state;
	for (uint64_t seed = first; seed < first + nr; seed++)
		nr_hits += run(seed, seed % 2 == 0 ? 900 : 2500);
	assert_true(nr_hits > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_linux),
		cmocka_unit_test(windows_follow_direction_and_advice),
		cmocka_unit_test(a_scan_is_read_ahead_of),
		cmocka_unit_test(advice_is_heeded),
		cmocka_unit_test(will_need_reads),
		cmocka_unit_test(the_store_is_not_read_ahead),
		cmocka_unit_test(objects_are_read_ahead),
		cmocka_unit_test(slots_of_two_are_read_once),
		cmocka_unit_test(nobody_is_pushed_out),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_transfer_may_fail),
		cmocka_unit_test(histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
