/* SPDX-License-Identifier: MIT */
/* history_test.c - random histories of several processes against a naive model, with
 * everything validated after every step.
 *
 * The model is a word a page and process: what kind of page it is, and its contents.
 * QUIRE_SEEDS=n runs n seeds, from QUIRE_SEED_FIRST on.
 */
#include "tests/model/source.h"
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS	      6u
#define STEPS	      500u
#define FAILING_STEPS 40u
#define PAGES	      2560u /* at most */
#define HUGE	      512u
#define FEW	      700u
#define PROCESSES     5u
#define OBJECTS	      64u
#define WORD	      136u /* the word of a page that is looked at */
#define RW	      (QUIRE_READ | QUIRE_WRITE)

struct page {
	bool is_mapped, is_readonly;
	uint32_t object; /* 0: private */
	uint32_t index;	 /* in the object */
	uint64_t value;
};

struct process {
	struct quire_mm *mm;
	struct page pages[PAGES];
};

struct history {
	struct rig rig;
	bool is_huge; /* huge pages: longer ranges, on their bounds */
	uint32_t nr_pages;
	struct source choices;
	struct process processes[PROCESSES];
	uint64_t objects[OBJECTS][PAGES];
	uint32_t nr_objects;
};

static uint32_t below(struct history *h, uint32_t n)
{
	return (uint32_t)(source_next(&h->choices) % n);
}

static uint64_t va_of(uint32_t page)
{
	return RIG_BASE + (1024 + page) * PAGE;
}

static uint64_t *word_of(struct history *h, struct page *page)
{
	return page->object == 0 ? &page->value : &h->objects[page->object][page->index];
}

static struct process *somebody(struct history *h)
{
	for (;;) {
		struct process *p = &h->processes[below(h, PROCESSES)];

		if (p->mm != NULL)
			return p;
	}
}

static void range(struct history *h, uint32_t *first, uint32_t *nr)
{
	*first = below(h, h->nr_pages);
	*nr = 1 + below(h, below(h, 3) == 0 ? 200 : 20);
	if (h->is_huge && below(h, 2) == 0) {
		*first &= ~(HUGE - 1);
		*nr = HUGE * (1 + below(h, 2)) +
		      (below(h, 4) == 0 ? 1 + below(h, 40) : 0);
	}
	if (*nr > h->nr_pages - *first)
		*nr = h->nr_pages - *first;
}

static void do_map(struct history *h, struct process *p)
{
	bool shared = below(h, 4) == 0 && h->nr_objects + 1 < OBJECTS;
	uint32_t flags = QUIRE_MM_FIXED | (shared ? QUIRE_MM_SHARED : QUIRE_MM_PRIVATE);
	uint32_t first, nr, object = 0;
	uint64_t at;

	range(h, &first, &nr);
	assert_int_equal(rig_map(&h->rig, p->mm, va_of(first), nr * PAGE, RW, flags, &at),
			 QUIRE_OK);
	if (shared)
		object = ++h->nr_objects;
	for (uint32_t i = 0; i < nr; i++)
		p->pages[first + i] =
			(struct page){.is_mapped = true, .object = object, .index = i};
}

static void do_unmap(struct history *h, struct process *p)
{
	uint32_t first, nr;

	range(h, &first, &nr);
	assert_int_equal(rig_unmap(&h->rig, p->mm, va_of(first), nr * PAGE), QUIRE_OK);
	for (uint32_t i = 0; i < nr; i++)
		p->pages[first + i] = (struct page){0};
}

static void do_forget(struct history *h, struct process *p)
{
	uint32_t first, nr;

	range(h, &first, &nr);
	(void)rig_advise(&h->rig, p->mm, va_of(first), nr * PAGE, QUIRE_MM_DONTNEED);
	for (uint32_t i = 0; i < nr; i++)
		if (p->pages[first + i].object == 0)
			p->pages[first + i].value = 0;
}

static void do_protect(struct history *h, struct process *p)
{
	bool readonly = below(h, 2) == 0;
	uint32_t first, nr;

	range(h, &first, &nr);
	(void)rig_protect(&h->rig, p->mm, va_of(first), nr * PAGE,
			  readonly ? QUIRE_READ : RW);
	for (uint32_t i = 0; i < nr && p->pages[first + i].is_mapped; i++)
		p->pages[first + i].is_readonly = readonly;
}

/* Moves a range that is all mapped and ends before its target begins. */
static void do_move(struct history *h, struct process *p)
{
	uint32_t first, nr, to = below(h, PAGES);
	uint64_t at;

	range(h, &first, &nr);
	for (uint32_t i = 0; i < nr; i++)
		if (!p->pages[first + i].is_mapped)
			return;
	if (h->is_huge && below(h, 2) == 0)
		to = (to & ~(HUGE - 1)) + first % HUGE;
	if (to + nr > h->nr_pages || (to < first + nr && first < to + nr))
		return;
	assert_int_equal(rig_remap(&h->rig, p->mm, va_of(first), nr * PAGE, nr * PAGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED, va_of(to),
				   &at),
			 QUIRE_OK);
	for (uint32_t i = 0; i < nr; i++) {
		p->pages[to + i] = p->pages[first + i];
		p->pages[first + i] = (struct page){0};
	}
}

static void do_access(struct history *h, struct process *p, uint32_t n)
{
	struct page *page = &p->pages[n];
	bool write = below(h, 2) == 0;
	uint64_t va = va_of(n) + WORD, value = source_next(&h->choices);
	enum quire_status status = write ? rig_store(&h->rig, p->mm, va, value)
					 : rig_load(&h->rig, p->mm, va, &value);

	if (!page->is_mapped || (write && page->is_readonly)) {
		assert_int_equal(status, QUIRE_FAULT);
		assert_int_equal(rig_fault.kind, page->is_mapped ? QUIRE_FAULT_ACCERR
								 : QUIRE_FAULT_MAPERR);
		return;
	}
	assert_int_equal(status, QUIRE_OK);
	if (write)
		*word_of(h, page) = value;
	else
		assert_int_equal(value, *word_of(h, page));
}

static void do_accesses(struct history *h, struct process *p)
{
	uint32_t first, nr;

	range(h, &first, &nr);
	for (uint32_t i = 0; i<nr; i += nr> 200 ? 1 + below(h, 40) : 1)
		do_access(h, p, first + i);
}

/* What changes nothing that a process can see. */
static void do_advise(struct history *h, struct process *p)
{
	static const enum quire_mm_advice advices[] = {
		QUIRE_MM_HUGEPAGE, QUIRE_MM_HUGEPAGE,	QUIRE_MM_NOHUGEPAGE,
		QUIRE_MM_COLLAPSE, QUIRE_MM_COLLAPSE,	QUIRE_MM_COLD,
		QUIRE_MM_RANDOM,   QUIRE_MM_SEQUENTIAL, QUIRE_MM_NORMAL,
		QUIRE_MM_WILLNEED,
	};
	uint32_t first, nr;

	range(h, &first, &nr);
	(void)rig_advise(&h->rig, p->mm, va_of(first), nr * PAGE,
			 advices[below(h, sizeof(advices) / sizeof(advices[0]))]);
}

/* Another frequency of everything, and a turn of the daemon. */
static void do_khugepaged(struct history *h)
{
	struct quire_thp thp;

	quire_vm_thp(h->rig.vm, &thp);
	thp.max_ptes_none = below(h, HUGE + 1);
	thp.max_ptes_swap = below(h, HUGE + 1);
	thp.max_ptes_shared = below(h, HUGE + 1);
	thp.pages_to_scan = HUGE * below(h, 12);
	thp.defrag = (enum quire_thp_mode)below(h, 3);
	assert_int_equal(quire_vm_set_thp(h->rig.vm, &thp), QUIRE_OK);
	(void)quire_vm_khugepaged(h->rig.vm);
}

static void do_fork(struct history *h, struct process *p)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process *child = &h->processes[i];

		if (child->mm != NULL)
			continue;
		*child = *p;
		assert_int_equal(rig_fork(&h->rig, p->mm, &child->mm), QUIRE_OK);
		return;
	}
}

static void do_exit(struct history *h, struct process *p)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < PROCESSES; i++)
		nr += h->processes[i].mm != NULL;
	if (nr == 1)
		return;
	quire_mm_destroy(p->mm);
	p->mm = NULL;
}

/* The MMU's walk and the core's own say the same of every page, and nothing can be written
 * that the model forbids. */
static void compare_walks(struct history *h, struct process *p)
{
	const uint64_t frame_bits = (1ull << 55) - 1;

	for (uint32_t i = 0; i < h->nr_pages; i++) {
		uint64_t word = quire_report_pagemap(p->mm, va_of(i));
		bool is_writable = false;
		quire_pfn frame = {0};
		bool found = qr_computer_look(h->rig.computer, p->mm, va_of(i), &frame,
					      &is_writable);

		assert_int_equal(found, word >> 63);
		if (!found)
			continue;
		assert_int_equal(frame.n, word & frame_bits);
		assert_true(p->pages[i].is_mapped);
		assert_false(is_writable && p->pages[i].is_readonly);
	}
}

static void step(struct history *h)
{
	struct process *p = somebody(h);
	uint32_t kind = below(h, h->is_huge ? 24 : 20);

	if (kind >= 22)
		do_khugepaged(h);
	else if (kind >= 20)
		do_advise(h, p);
	else if (kind < 3)
		do_map(h, p);
	else if (kind < 4)
		do_unmap(h, p);
	else if (kind < 5)
		do_protect(h, p);
	else if (kind < 7)
		do_move(h, p);
	else if (kind < 8)
		do_forget(h, p);
	else if (kind < 9)
		do_fork(h, p);
	else if (kind < 10)
		below(h, 2) == 0 ? do_exit(h, p) : do_accesses(h, p);
	else
		do_accesses(h, p);
	rig_validate(&h->rig);
	compare_walks(h, somebody(h));
}

/* What the histories of a test came to. */
static struct quire_huge_figures seen;

static void note(struct history *h)
{
	struct quire_huge_figures figures;

	quire_vm_huge_figures(h->rig.vm, &figures);
	seen.fault_alloc += figures.fault_alloc;
	seen.collapsed += figures.collapsed;
	seen.split_page += figures.split_page;
	seen.migrate_success += figures.migrate_success;
	assert_int_equal(figures.anon, 0);
}

/* A machine in which a history takes place. */
struct setting {
	enum quire_swap_mode swap;
	enum quire_thp_mode thp;
	uint32_t nr_frames, nr_pages;
};

enum { SMALL, SWAPPING, HUGE_ALWAYS, HUGE_ADVISED, HUGE_SCARCE };

static struct setting settings[] = {
	[SMALL] = {QUIRE_SWAP_NONE, QUIRE_THP_NEVER, 8192, FEW},
	[SWAPPING] = {QUIRE_SWAP_FILE, QUIRE_THP_NEVER, 900, FEW},
	[HUGE_ALWAYS] = {QUIRE_SWAP_NONE, QUIRE_THP_ALWAYS, 20480, PAGES},
	[HUGE_ADVISED] = {QUIRE_SWAP_FILE, QUIRE_THP_MADVISE, 4096, PAGES},
	[HUGE_SCARCE] = {QUIRE_SWAP_FILE, QUIRE_THP_ALWAYS, 3072, PAGES},
};

static void run(uint64_t seed, const struct setting *setting, uint32_t steps)
{
	struct qr_computer_config config = {
		.soft = {.nr_frames = setting->nr_frames,
			 .nr_disks = 4,
			 .disk_extents = 4096},
		.vm = {.swap = setting->swap,
		       .overcommit = QUIRE_OVERCOMMIT_ALWAYS,
		       .thp = setting->thp},
		.nr_cpus = 1,
	};
	struct history *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->choices = source_seed(seed);
	h->is_huge = setting->thp != QUIRE_THP_NEVER;
	h->nr_pages = setting->nr_pages;
	rig_open(&h->rig, config);
	h->processes[0].mm = rig_mm(&h->rig);
	for (uint32_t i = 0; i < steps; i++)
		step(h);
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (h->processes[i].mm != NULL)
			quire_mm_destroy(h->processes[i].mm);
	note(h);
	rig_close(&h->rig);
	free(h);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void histories(void **state)
{
	const struct setting *setting = *state;
	uint64_t first = number_of("QUIRE_SEED_FIRST", 1);
	uint64_t nr = number_of("QUIRE_SEEDS", SEEDS);

	for (uint64_t seed = first; seed < first + nr; seed++) {
		printf("seed %llu, %u frames\n", (unsigned long long)seed,
		       setting->nr_frames);
		run(seed, setting, STEPS);
	}
}

static void huge_histories(void **state)
{
	seen = (struct quire_huge_figures){0};
	histories(state);
	assert_true(seen.fault_alloc > 0 && seen.collapsed > 0 && seen.split_page > 0);
}

static const struct setting *failing;

static void short_history(void **state)
{
	(void)state;
	run(1, failing, FAILING_STEPS);
}

static void histories_with_failures(void **state)
{
	failing = *state;
	rig_in_every_way(short_history, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(histories, &settings[SMALL]),
		cmocka_unit_test_prestate(histories, &settings[SWAPPING]),
		cmocka_unit_test_prestate(huge_histories, &settings[HUGE_ALWAYS]),
		cmocka_unit_test_prestate(huge_histories, &settings[HUGE_ADVISED]),
		cmocka_unit_test_prestate(huge_histories, &settings[HUGE_SCARCE]),
		cmocka_unit_test_prestate(histories_with_failures, &settings[SMALL]),
		cmocka_unit_test_prestate(histories_with_failures,
					  &settings[HUGE_ALWAYS]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
