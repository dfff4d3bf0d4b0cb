/* SPDX-License-Identifier: MIT */
/* hugetlb_test.c - pages of a pool: set aside, promised, handed out, and never lacking
 * where they were promised. */
#include "tests/vm/rig_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RW	(QUIRE_READ | QUIRE_WRITE)
#define HUGE	QUIRE_HUGE_BYTES
#define AT	(RIG_BASE + 8 * HUGE)
#define PRIVATE (QUIRE_MM_PRIVATE | QUIRE_MM_HUGETLB)
#define SHARED	(QUIRE_MM_SHARED | QUIRE_MM_HUGETLB)

static const struct qr_computer_config plenty = {
	.soft = {.nr_frames = 8192},
	.nr_cpus = 2,
};

/* A machine with so many pages of 2 MiB in its pool, which cannot fail. */
static struct quire_mm *open_pool(struct rig *rig, uint64_t pages)
{
	rig_open(rig, plenty);
	rig->vm->zone.fail_in = 0;
	assert_int_equal(quire_vm_set_hugetlb(rig->vm, QUIRE_HUGE_2M, pages), pages);
	rig_arm(rig);
	return rig_mm(rig);
}

static struct quire_hugetlb_figures pool_of(const struct rig *rig)
{
	struct quire_huge_figures figures;

	quire_vm_huge_figures(rig->vm, &figures);
	return figures.hugetlb[QUIRE_HUGE_2M];
}

static void expect_pool(const struct rig *rig, uint64_t total, uint64_t nr_free,
			uint64_t reserved)
{
	struct quire_hugetlb_figures pool = pool_of(rig);

	assert_int_equal(pool.total, total);
	assert_int_equal(pool.free, nr_free);
	assert_int_equal(pool.reserved, reserved);
}

static enum quire_status try_map(struct rig *rig, struct quire_mm *mm, uint64_t start,
				 uint64_t pages, uint32_t flags)
{
	uint64_t at = 0;
	enum quire_status status =
		rig_map(rig, mm, start, pages * HUGE, RW, flags | QUIRE_MM_FIXED, &at);

	assert_true(status != QUIRE_OK || at == start);
	return status;
}

static void map(struct rig *rig, struct quire_mm *mm, uint64_t start, uint64_t pages,
		uint32_t flags)
{
	assert_int_equal(try_map(rig, mm, start, pages, flags), QUIRE_OK);
}

/* A fault that is tried again may be of another kind. */
static void expect_kind(enum quire_fault_kind kind)
{
	if (!rig_is_injected())
		assert_int_equal(rig_fault.kind, kind);
}

static void store(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	assert_int_equal(rig_store(rig, mm, va, value), QUIRE_OK);
}

static void expect(struct rig *rig, struct quire_mm *mm, uint64_t va, uint64_t value)
{
	uint64_t got;

	assert_int_equal(rig_load(rig, mm, va, &got), QUIRE_OK);
	assert_int_equal(got, value);
}

static void expect_bus_error(struct rig *rig, struct quire_mm *mm, uint64_t va)
{
	uint64_t got;

	assert_int_equal(rig_load(rig, mm, va, &got), QUIRE_PAST_END);
	assert_int_equal(rig_fault.kind, QUIRE_FAULT_BUS);
}

static void close_pool(struct rig *rig, struct quire_mm *mm)
{
	rig_validate(rig);
	quire_mm_destroy(mm);
	assert_int_equal(pool_of(rig).free, pool_of(rig).total);
	assert_int_equal(pool_of(rig).reserved, 0);
	rig_close(rig);
}

static void a_pool_grows_and_shrinks(void **state)
{
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	mm = open_pool(&rig, 4);
	expect_pool(&rig, 4, 4, 0);
	map(&rig, mm, AT, 3, PRIVATE);
	store(&rig, mm, AT, 1);
	expect_pool(&rig, 4, 3, 2);
	/* What is used or promised stays. */
	assert_int_equal(quire_vm_set_hugetlb(rig.vm, QUIRE_HUGE_2M, 0), 3);
	expect_pool(&rig, 3, 2, 2);
	assert_int_equal(quire_mm_unmap(mm, AT, 3 * HUGE), QUIRE_OK);
	assert_int_equal(quire_vm_set_hugetlb(rig.vm, QUIRE_HUGE_2M, 1), 1);
	expect_pool(&rig, 1, 1, 0);
	/* No more than there is. */
	assert_true(quire_vm_set_hugetlb(rig.vm, QUIRE_HUGE_2M, 1000) < 16);
	rig_validate(&rig);
	close_pool(&rig, mm);
}

static void what_is_mapped_is_promised(void **state)
{
	struct quire_mm *mm, *other;
	struct rig rig;

	(void)state;
	mm = open_pool(&rig, 4);
	other = rig_mm(&rig);
	map(&rig, mm, AT, 3, PRIVATE);
	expect_pool(&rig, 4, 4, 3);
	assert_int_equal(try_map(&rig, other, AT, 2, PRIVATE), QUIRE_NO_MEMORY);
	assert_int_equal(try_map(&rig, other, AT, 2, SHARED), QUIRE_NO_MEMORY);
	map(&rig, other, AT, 1, SHARED);
	expect_pool(&rig, 4, 4, 4);
	/* Who was promised nothing gets what nobody was promised. */
	map(&rig, other, AT + 4 * HUGE, 2, PRIVATE | QUIRE_MM_NORESERVE);
	expect_bus_error(&rig, other, AT + 4 * HUGE);
	for (uint32_t i = 0; i < 3; i++)
		store(&rig, mm, AT + i * HUGE + 5 * PAGE, i);
	store(&rig, other, AT + PAGE, 7);
	expect_pool(&rig, 4, 0, 0);
	for (uint32_t i = 0; i < 3; i++)
		expect(&rig, mm, AT + i * HUGE + 5 * PAGE, i);
	rig_validate(&rig);
	assert_int_equal(rig_unmap(&rig, mm, AT, HUGE), QUIRE_OK);
	expect_pool(&rig, 4, 1, 0);
	store(&rig, other, AT + 4 * HUGE, 3);
	expect(&rig, other, AT + 4 * HUGE, 3);
	/* A page that is dropped from what is promised is promised again. */
	assert_int_equal(rig_advise(&rig, mm, AT + HUGE, HUGE, QUIRE_MM_DONTNEED),
			 QUIRE_OK);
	expect_pool(&rig, 4, 1, 1);
	expect_bus_error(&rig, other, AT + 5 * HUGE);
	expect(&rig, mm, AT + HUGE + 5 * PAGE, 0);
	assert_int_equal(rig_advise(&rig, other, AT, HUGE, QUIRE_MM_REMOVE), QUIRE_OK);
	expect_pool(&rig, 4, 1, 1);
	expect(&rig, other, AT + PAGE, 0);
	quire_mm_destroy(other);
	close_pool(&rig, mm);
}

/* As Linux: what a fork has made common is copied without a promise. */
static void a_fork_inherits_no_promise(void **state)
{
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	mm = open_pool(&rig, 3);
	map(&rig, mm, AT, 2, PRIVATE);
	map(&rig, mm, AT + 2 * HUGE, 1, SHARED);
	store(&rig, mm, AT, 1);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	expect_pool(&rig, 3, 2, 2);
	expect(&rig, child, AT, 1);
	/* Shared ones are promised to whoever comes first. */
	store(&rig, child, AT + 2 * HUGE, 5);
	expect(&rig, mm, AT + 2 * HUGE, 5);
	/* The pool has nothing to spare for the child's copy, nor for a page of its own. */
	assert_int_equal(rig_store(&rig, child, AT, 2), QUIRE_PAST_END);
	expect_bus_error(&rig, child, AT + HUGE);
	expect(&rig, child, AT, 1);
	rig_validate(&rig);
	/* The one that was promised keeps the page, the other loses it. */
	store(&rig, mm, AT, 3);
	rig_validate(&rig);
	expect_bus_error(&rig, child, AT);
	expect(&rig, mm, AT, 3);
	store(&rig, mm, AT + HUGE, 4);
	expect_pool(&rig, 3, 0, 0);
	rig_validate(&rig);
	quire_mm_destroy(child);
	close_pool(&rig, mm);
}

static void a_child_copies_what_can_be_spared(void **state)
{
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	mm = open_pool(&rig, 3);
	map(&rig, mm, AT, 1, PRIVATE);
	store(&rig, mm, AT + PAGE, 1);
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	store(&rig, child, AT + PAGE, 2);
	expect(&rig, mm, AT + PAGE, 1);
	expect(&rig, child, AT + PAGE, 2);
	expect_pool(&rig, 3, 1, 0);
	/* Nobody else has it any more: no copy. */
	store(&rig, mm, AT + PAGE, 3);
	expect_kind(QUIRE_FAULT_REUSE);
	expect(&rig, child, AT + PAGE, 2);
	rig_validate(&rig);
	quire_mm_destroy(mm);
	expect(&rig, child, AT + PAGE, 2);
	close_pool(&rig, child);
}

static uint32_t areas_of(struct quire_mm *mm)
{
	struct quire_mm_figures figures;

	quire_mm_figures(mm, &figures);
	return (uint32_t)figures.areas;
}

static void calls_take_whole_pages(void **state)
{
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at;

	(void)state;
	mm = open_pool(&rig, 6);
	/* The length is rounded up, the address is not. */
	assert_int_equal(rig_map(&rig, mm, 0, PAGE, RW, PRIVATE, &at), QUIRE_OK);
	assert_int_equal(at % HUGE, 0);
	expect_pool(&rig, 6, 6, 1);
	assert_int_equal(rig_unmap(&rig, mm, at, PAGE), QUIRE_INVALID);
	assert_int_equal(rig_unmap(&rig, mm, at, HUGE), QUIRE_OK);
	assert_int_equal(try_map(&rig, mm, AT + PAGE, 1, PRIVATE), QUIRE_INVALID);
	map(&rig, mm, AT, 4, PRIVATE);
	for (uint32_t i = 0; i < 4; i++)
		store(&rig, mm, AT + i * HUGE, i);
	assert_int_equal(rig_protect(&rig, mm, AT + PAGE, HUGE, QUIRE_READ),
			 QUIRE_INVALID);
	assert_int_equal(rig_unmap(&rig, mm, AT + PAGE, HUGE), QUIRE_INVALID);
	assert_int_equal(areas_of(mm), 1);
	assert_int_equal(rig_protect(&rig, mm, AT + HUGE, HUGE, QUIRE_READ), QUIRE_OK);
	assert_int_equal(areas_of(mm), 3);
	assert_int_equal(rig_store(&rig, mm, AT + HUGE, 9), QUIRE_FAULT);
	assert_int_equal(rig_protect(&rig, mm, AT + HUGE, HUGE, RW), QUIRE_OK);
	/* Areas of a pool are never joined. */
	assert_int_equal(areas_of(mm), 3);
	store(&rig, mm, AT + HUGE, 9);
	assert_int_equal(rig_advise(&rig, mm, AT + PAGE, HUGE, QUIRE_MM_DONTNEED),
			 QUIRE_INVALID);
	assert_int_equal(rig_advise(&rig, mm, AT, HUGE, QUIRE_MM_FREE), QUIRE_INVALID);
	rig_validate(&rig);
	close_pool(&rig, mm);
}

static void areas_move_and_shrink(void **state)
{
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at;

	(void)state;
	mm = open_pool(&rig, 4);
	map(&rig, mm, AT, 3, PRIVATE);
	store(&rig, mm, AT, 1);
	store(&rig, mm, AT + HUGE, 2);
	assert_int_equal(
		rig_remap(&rig, mm, AT, 3 * HUGE, 4 * HUGE, QUIRE_REMAP_MAYMOVE, 0, &at),
		QUIRE_INVALID);
	assert_int_equal(rig_remap(&rig, mm, AT + PAGE, HUGE, HUGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED, AT + 8 * HUGE,
				   &at),
			 QUIRE_INVALID);
	assert_int_equal(rig_remap(&rig, mm, AT, 3 * HUGE, 3 * HUGE,
				   QUIRE_REMAP_MAYMOVE | QUIRE_REMAP_FIXED, AT + 8 * HUGE,
				   &at),
			 QUIRE_OK);
	rig_validate(&rig);
	expect_pool(&rig, 4, 2, 1);
	expect(&rig, mm, AT + 8 * HUGE, 1);
	expect(&rig, mm, AT + 9 * HUGE, 2);
	assert_int_equal(rig_load(&rig, mm, AT, &at), QUIRE_FAULT);
	assert_int_equal(rig_remap(&rig, mm, AT + 8 * HUGE, 3 * HUGE, HUGE, 0, 0, &at),
			 QUIRE_OK);
	expect_pool(&rig, 4, 3, 0);
	expect(&rig, mm, AT + 8 * HUGE, 1);
	close_pool(&rig, mm);
}

static void reclaim_leaves_them(void **state)
{
	struct qr_computer_config config = plenty;
	struct quire_mm *mm;
	struct rig rig;

	(void)state;
	config.soft.nr_frames = 4096;
	config.vm.swap = QUIRE_SWAP_RAM;
	rig_open(&rig, config);
	assert_int_equal(quire_vm_set_hugetlb(rig.vm, QUIRE_HUGE_2M, 2), 2);
	mm = rig_mm(&rig);
	map(&rig, mm, AT, 2, PRIVATE | QUIRE_MM_POPULATE);
	store(&rig, mm, AT + HUGE, 5);
	map(&rig, mm, AT + 4 * HUGE, 8, QUIRE_MM_PRIVATE);
	for (uint64_t i = 0; i < 8 * QUIRE_HUGE_PAGES; i++)
		store(&rig, mm, AT + 4 * HUGE + i * PAGE, i);
	expect_pool(&rig, 2, 0, 0);
	expect(&rig, mm, AT + HUGE, 5);
	assert_true(rig_is_injected() || rig.vm->figures.pages_out > 0);
	for (uint64_t i = 0; i < 8 * QUIRE_HUGE_PAGES; i += 64)
		expect(&rig, mm, AT + 4 * HUGE + i * PAGE, i);
	close_pool(&rig, mm);
}

static void reports_tell_of_them(void **state)
{
	char text[8192];
	struct quire_mm *mm, *child;
	struct rig rig;

	(void)state;
	mm = open_pool(&rig, 5);
	map(&rig, mm, AT, 2, PRIVATE);
	map(&rig, mm, AT + 2 * HUGE, 1, SHARED);
	store(&rig, mm, AT, 1);
	store(&rig, mm, AT + 2 * HUGE, 1);
	(void)quire_report_meminfo(rig.vm, text, sizeof(text));
	assert_non_null(strstr(text, "HugePages_Total:       5\n"));
	assert_non_null(strstr(text, "HugePages_Free:        3\n"));
	assert_non_null(strstr(text, "HugePages_Rsvd:        1\n"));
	assert_non_null(strstr(text, "HugePages_Surp:        0\n"));
	assert_non_null(strstr(text, "Hugepagesize:       2048 kB\n"));
	assert_non_null(strstr(text, "Hugetlb:           10240 kB\n"));
	assert_non_null(strstr(text, "AnonPages:             0 kB\n"));
	(void)quire_report_smaps(mm, text, sizeof(text));
	assert_non_null(strstr(text, "KernelPageSize:     2048 kB\n"));
	assert_non_null(strstr(text, "Private_Hugetlb:    2048 kB\n"));
	assert_non_null(strstr(text, " ht "));
	assert_non_null(strstr(text, "/anon_hugepage (deleted)"));
	assert_int_equal(rig_fork(&rig, mm, &child), QUIRE_OK);
	(void)quire_report_smaps(child, text, sizeof(text));
	assert_non_null(strstr(text, "Shared_Hugetlb:     2048 kB\n"));
	(void)quire_report_status(mm, text, sizeof(text));
	assert_non_null(strstr(text, "HugetlbPages:"));
	assert_non_null(strstr(text, "    4096 kB\n"));
	quire_mm_destroy(child);
	close_pool(&rig, mm);
}

#define GIB (1ull << 30)

/* Promises and alignment alone: its bytes are never touched. */
static void pages_of_a_gib(void **state)
{
	struct qr_computer_config config = plenty;
	struct quire_mm_config space = rig_mm_config();
	struct quire_huge_figures figures;
	struct quire_mm *mm;
	struct rig rig;
	uint64_t at;

	(void)state;
	config.soft.nr_frames = (uint32_t)(5 * GIB / PAGE / 2);
	rig_open(&rig, config);
	assert_int_equal(quire_vm_set_hugetlb(rig.vm, QUIRE_HUGE_1G, 3), 1);
	space.window.end.a = space.mmap_top = RIG_BASE + 8 * GIB;
	assert_int_equal(rig_create(&rig, &space, &mm), QUIRE_OK);
	assert_int_equal(rig_map(&rig, mm, 0, PAGE, RW, PRIVATE | QUIRE_MM_HUGE_1G, &at),
			 QUIRE_OK);
	assert_int_equal(at % GIB, 0);
	assert_int_equal(rig_unmap(&rig, mm, at, HUGE), QUIRE_INVALID);
	assert_int_equal(rig_map(&rig, mm, 0, GIB, RW, SHARED | QUIRE_MM_HUGE_1G, &at),
			 QUIRE_NO_MEMORY);
	quire_vm_huge_figures(rig.vm, &figures);
	assert_int_equal(figures.hugetlb[QUIRE_HUGE_1G].reserved, 1);
	rig_validate(&rig);
	assert_int_equal(rig_unmap(&rig, mm, at, GIB), QUIRE_OK);
	quire_mm_destroy(mm);
	rig_close(&rig);
}

static void every_allocation_may_fail(void **state)
{
	static void (*const scenarios[])(void **state) = {
		what_is_mapped_is_promised,
		a_fork_inherits_no_promise,
		a_child_copies_what_can_be_spared,
		calls_take_whole_pages,
		areas_move_and_shrink,
		reports_tell_of_them,
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		rig_in_every_way(scenarios[i], state);
	rig_in_some_ways(reclaim_leaves_them, state, 997);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_grows_and_shrinks),
		cmocka_unit_test(what_is_mapped_is_promised),
		cmocka_unit_test(a_fork_inherits_no_promise),
		cmocka_unit_test(a_child_copies_what_can_be_spared),
		cmocka_unit_test(calls_take_whole_pages),
		cmocka_unit_test(areas_move_and_shrink),
		cmocka_unit_test(reclaim_leaves_them),
		cmocka_unit_test(reports_tell_of_them),
		cmocka_unit_test(pages_of_a_gib),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
