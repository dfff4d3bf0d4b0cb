/* SPDX-License-Identifier: MIT */
/* file_history_test.c - random histories of processes that share a file, against a naive
 * model, with everything validated after every step.
 *
 * The model is a word a page: of the file, and of each private copy.  Writes to the store
 * fail now and then; at the end it has what the model has.
 * QUIRE_SEEDS=n runs n seeds, from QUIRE_SEED_FIRST on.
 */
#include "tests/model/source.h"
#include "tests/vm/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS	   6u
#define STEPS	   500u
#define PAGES	   500u /* of a process */
#define FILE_PAGES 300u
#define PROCESSES  4u
#define WORD	   136u /* the word of a page that is looked at */
#define RW	   (QUIRE_READ | QUIRE_WRITE)

struct page {
	bool is_mapped, is_shared, is_copied;
	uint32_t index;
	uint64_t value; /* of a copy */
};

struct process {
	struct quire_mm *mm;
	struct page pages[PAGES];
};

struct history {
	struct rig rig;
	struct rig_file file;
	struct source choices;
	uint64_t now_ms, bytes;
	uint64_t words[FILE_PAGES];
	struct process processes[PROCESSES];
};

static uint32_t below(struct history *h, uint32_t n)
{
	return (uint32_t)(source_next(&h->choices) % n);
}

static uint64_t va_of(uint32_t page)
{
	return RIG_BASE + (1024 + page) * PAGE;
}

static struct process *somebody(struct history *h)
{
	for (;;) {
		struct process *p = &h->processes[below(h, PROCESSES)];

		if (p->mm != NULL)
			return p;
	}
}

static void range(struct history *h, uint32_t of, uint32_t *first, uint32_t *nr)
{
	*first = below(h, of);
	*nr = 1 + below(h, below(h, 3) == 0 ? 150 : 20);
	if (*nr > of - *first)
		*nr = of - *first;
}

static bool has_page(const struct history *h, uint32_t index)
{
	return index * PAGE < h->bytes;
}

/* Behind the end of the file nothing is kept, so nothing is put there. */
static bool has_word(const struct history *h, uint32_t index)
{
	return index * PAGE + WORD + 8 <= h->bytes;
}

static void do_map(struct history *h, struct process *p)
{
	bool shared = below(h, 2) == 0;
	uint32_t first, nr, from = below(h, FILE_PAGES);
	uint64_t at;

	range(h, PAGES, &first, &nr);
	assert_int_equal(quire_mm_map_file(p->mm, h->file.file, from * PAGE, va_of(first),
					   nr * PAGE, RW,
					   QUIRE_MM_FIXED | (shared ? QUIRE_MM_SHARED
								    : QUIRE_MM_PRIVATE),
					   &at),
			 QUIRE_OK);
	for (uint32_t i = 0; i < nr; i++)
		p->pages[first + i] = (struct page){
			.is_mapped = true, .is_shared = shared, .index = from + i};
}

static void do_unmap(struct history *h, struct process *p)
{
	uint32_t first, nr;

	range(h, PAGES, &first, &nr);
	assert_int_equal(quire_mm_unmap(p->mm, va_of(first), nr * PAGE), QUIRE_OK);
	for (uint32_t i = 0; i < nr; i++)
		p->pages[first + i] = (struct page){0};
}

static void do_advise(struct history *h, struct process *p)
{
	static const enum quire_mm_advice advices[] = {
		QUIRE_MM_DONTNEED, QUIRE_MM_PAGEOUT, QUIRE_MM_COLD, QUIRE_MM_WILLNEED};
	enum quire_mm_advice advice = advices[below(h, 4)];
	uint32_t first, nr;

	range(h, PAGES, &first, &nr);
	(void)quire_mm_advise(p->mm, va_of(first), nr * PAGE, advice);
	for (uint32_t i = 0; i < nr && advice == QUIRE_MM_DONTNEED; i++)
		p->pages[first + i].is_copied = false;
}

/* Moves a range that is all mapped and does not meet its target. */
static void do_move(struct history *h, struct process *p)
{
	uint32_t first, nr, to = below(h, PAGES);
	uint64_t at;

	range(h, PAGES, &first, &nr);
	for (uint32_t i = 0; i < nr; i++)
		if (!p->pages[first + i].is_mapped)
			return;
	if (to + nr > PAGES || (to < first + nr && first < to + nr))
		return;
	assert_int_equal(quire_mm_remap(p->mm, va_of(first), nr * PAGE, nr * PAGE,
					QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED,
					va_of(to), &at),
			 QUIRE_OK);
	for (uint32_t i = 0; i < nr; i++) {
		p->pages[to + i] = p->pages[first + i];
		p->pages[first + i] = (struct page){0};
	}
}

static void check_read(struct history *h, const struct page *page, uint64_t value)
{
	assert_int_equal(value, page->is_copied		   ? page->value
				: has_word(h, page->index) ? h->words[page->index]
							   : 0);
}

static void do_access(struct history *h, struct process *p, uint32_t n)
{
	struct page *page = &p->pages[n];
	uint64_t va = va_of(n) + WORD, value = source_next(&h->choices);
	bool write = below(h, 2) == 0;
	enum quire_status status;

	if (page->is_mapped && page->is_shared && !has_word(h, page->index))
		write = false;
	status = write ? rig_store(&h->rig, p->mm, va, value)
		       : rig_load(&h->rig, p->mm, va, &value);
	if (!page->is_mapped) {
		assert_int_equal(status, QUIRE_FAULT);
		return;
	}
	if (!has_page(h, page->index)) {
		assert_int_equal(status, QUIRE_PAST_END);
		assert_int_equal(rig_fault.kind, QUIRE_FAULT_BUS);
		return;
	}
	assert_int_equal(status, QUIRE_OK);
	if (!write) {
		check_read(h, page, value);
	} else if (page->is_shared) {
		h->words[page->index] = value;
	} else {
		page->is_copied = true;
		page->value = value;
	}
}

static void do_accesses(struct history *h, struct process *p)
{
	uint32_t first, nr;

	range(h, PAGES, &first, &nr);
	for (uint32_t i = 0; i < nr; i++)
		do_access(h, p, first + i);
}

static void set_bytes(struct history *h, uint64_t bytes)
{
	h->bytes = bytes;
	for (uint32_t i = 0; i < FILE_PAGES; i++)
		if (!has_word(h, i))
			h->words[i] = 0;
	for (uint32_t n = 0; n < PROCESSES; n++)
		for (uint32_t i = 0; i < PAGES; i++)
			if (!has_page(h, h->processes[n].pages[i].index))
				h->processes[n].pages[i].is_copied = false;
}

static void do_resize(struct history *h)
{
	static const uint32_t odd[] = {0, 64, 2000};
	uint64_t bytes = below(h, FILE_PAGES - 1) * PAGE + odd[below(h, 3)];

	/* Often large again, or nothing would be left to look at. */
	if (below(h, 2) == 0)
		bytes = FILE_PAGES * PAGE;
	assert_int_equal(quire_file_resize(h->file.file, bytes), QUIRE_OK);
	set_bytes(h, bytes);
}

static void do_file_calls(struct history *h)
{
	uint32_t first, nr;

	range(h, FILE_PAGES, &first, &nr);
	for (uint32_t i = first; i < first + nr; i++) {
		uint64_t at = i * PAGE + WORD, value = source_next(&h->choices);

		if (below(h, 2) == 0) {
			rig_write(&h->file, at, value);
			if (at + 8 > h->bytes)
				h->bytes = at + 8;
			h->words[i] = value;
		} else if (has_word(h, i)) {
			assert_int_equal(rig_read(&h->file, at), h->words[i]);
		}
	}
}

/* Writeback in one way or another, with a store that works or does not. */
/* A hole in the file, where a shared mapping shows it; now and then the store fails. */
static void do_punch(struct history *h, struct process *p)
{
	struct page *page = &p->pages[below(h, PAGES)];
	struct qr_soft *soft = qr_computer_soft(h->rig.computer);
	enum quire_status status;

	if (!page->is_mapped || !page->is_shared)
		return;
	qr_soft_fail(soft, QR_SOFT_FILE_PUNCH, below(h, 4) == 0, 1);
	status = quire_mm_advise(p->mm, va_of((uint32_t)(page - p->pages)), PAGE,
				 QUIRE_MM_REMOVE);
	qr_soft_fail(soft, QR_SOFT_FILE_PUNCH, 0, 0);
	assert_true(status == QUIRE_OK || status == QUIRE_IO);
	if (status == QUIRE_OK && has_page(h, page->index))
		h->words[page->index] = 0;
}

static void do_writeback(struct history *h, struct process *p)
{
	uint32_t first, nr;

	if (below(h, 3) == 0)
		qr_soft_fail(qr_computer_soft(h->rig.computer), QR_SOFT_FILE_WRITE,
			     1 + below(h, 10), 1 + below(h, 3));
	range(h, PAGES, &first, &nr);
	switch (below(h, 3)) {
	case 0:
		h->now_ms += 20000;
		quire_vm_tick(h->rig.vm, h->now_ms);
		break;
	case 1:
		(void)quire_mm_sync(p->mm, va_of(first), nr * PAGE, QUIRE_MM_SYNC_SYNC);
		break;
	default:
		(void)quire_file_sync(h->file.file);
		break;
	}
}

static void do_fork_or_exit(struct history *h, struct process *p)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < PROCESSES; i++)
		nr += h->processes[i].mm != NULL;
	if (nr > 1 && below(h, 2) == 0) {
		quire_mm_destroy(p->mm);
		*p = (struct process){0};
		return;
	}
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process *child = &h->processes[i];

		if (child->mm != NULL)
			continue;
		*child = *p;
		assert_int_equal(quire_mm_fork(p->mm, &child->mm), QUIRE_OK);
		return;
	}
}

static void step(struct history *h)
{
	struct process *p = somebody(h);
	uint32_t kind = below(h, 20);

	if (kind < 4)
		do_map(h, p);
	else if (kind < 5)
		do_unmap(h, p);
	else if (kind < 6)
		do_advise(h, p);
	else if (kind < 7)
		do_move(h, p);
	else if (kind < 8)
		do_fork_or_exit(h, p);
	else if (kind < 9)
		do_resize(h);
	else if (kind < 11)
		do_file_calls(h);
	else if (kind < 13)
		below(h, 3) == 0 ? do_punch(h, p) : do_writeback(h, p);
	else
		do_accesses(h, p);
	if (below(h, 4) == 0)
		(void)quire_vm_balance(h->rig.vm);
	rig_validate(&h->rig);
}

static void finish(struct history *h)
{
	qr_soft_fail(qr_computer_soft(h->rig.computer), QR_SOFT_FILE_WRITE, 0, 0);
	for (uint32_t i = 0; i < PROCESSES; i++)
		if (h->processes[i].mm != NULL)
			quire_mm_destroy(h->processes[i].mm);
	(void)quire_file_sync(h->file.file);
	assert_int_equal(quire_file_sync(h->file.file), QUIRE_OK);
	assert_int_equal(qr_soft_store_bytes(h->file.store), h->bytes);
	for (uint32_t i = 0; i < FILE_PAGES; i++)
		assert_int_equal(rig_stored(&h->file, i * PAGE + WORD), h->words[i]);
	rig_file_close(&h->file);
	rig_close(&h->rig);
	free(h);
}

static void run(uint64_t seed, enum quire_swap_mode swap)
{
	struct qr_computer_config config = {
		.soft = {.nr_frames = swap == QUIRE_SWAP_NONE ? 4096 : 700,
			 .nr_disks = 4,
			 .disk_extents = 4096},
		.vm = {.swap = swap, .overcommit = QUIRE_OVERCOMMIT_ALWAYS},
		.has_daemon = seed % 2 == 0,
	};
	struct history *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	printf("seed %llu, swap %u\n", (unsigned long long)seed, (unsigned)swap);
	h->choices = source_seed(seed);
	rig_open(&h->rig, config);
	h->file = rig_file(&h->rig, FILE_PAGES);
	h->bytes = FILE_PAGES * PAGE;
	h->processes[0].mm = rig_mm(&h->rig);
	for (uint32_t i = 0; i < STEPS; i++)
		step(h);
	finish(h);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void histories(void **state)
{
	enum quire_swap_mode swap = *(enum quire_swap_mode *)*state;
	uint64_t first = setting("QUIRE_SEED_FIRST", 1);
	uint64_t nr = setting("QUIRE_SEEDS", SEEDS);

	for (uint64_t seed = first; seed < first + nr; seed++)
		run(seed, swap);
}

int main(void)
{
	static enum quire_swap_mode none = QUIRE_SWAP_NONE, file = QUIRE_SWAP_FILE;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(histories, &none),
		cmocka_unit_test_prestate(histories, &file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
