/* SPDX-License-Identifier: MIT */
/* rig_fail.c - calls whose allocations fail on command: what is asked of them. */
#include "tests/vm/rig_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t injected;
static bool has_fired;

void rig_inject(uint64_t n)
{
	injected = n;
	has_fired = false;
}

bool rig_is_injected(void)
{
	return injected != 0;
}

void rig_in_some_ways(void (*test)(void **state), void **state, uint64_t step)
{
	uint64_t n = 1;

	for (;; n += step) {
		rig_inject(n);
		test(state);
		if (!has_fired)
			break;
	}
	rig_inject(0);
	assert_true(n > 1);
}

void rig_in_every_way(void (*test)(void **state), void **state)
{
	rig_in_some_ways(test, state, 1);
}

void rig_arm(struct rig *rig)
{
	rig->is_armed = injected != 0;
	rig->vm->zone.fail_in = injected;
}

bool rig_has_failed(struct rig *rig)
{
	if (!rig->is_armed || rig->vm->zone.fail_in != 0)
		return false;
	rig->is_armed = false;
	has_fired = true;
	return true;
}

/* Not hashed whole: a word of each line of sixteen, and where the histories write. */
static uint64_t hash_page(const struct rig *rig, uint64_t pfn)
{
	const unsigned char *bytes = rig->vm->port->direct + (pfn << 12);
	uint64_t hash = 0, word;

	for (uint32_t at = 0; at < PAGE; at += at == 0 ? 136 : 8 * 15) {
		memcpy(&word, bytes + at, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	}
	return hash;
}

#define PRESENT	   (1ull << 63)
#define SWAPPED	   (1ull << 62)
#define FRAME_BITS ((1ull << 55) - 1)

static void note_area(struct rig_state *state, const struct rig *rig, struct quire_mm *mm,
		      const struct quire_mm_area *area)
{
	struct rig_area *out = &state->areas[state->nr_areas++];

	assert_true(state->nr_areas <= RIG_STATE_AREAS);
	*out = (struct rig_area){area->range.start.a, area->range.end.a, area->prot,
				 area->is_shared, area->is_locked};
	for (uint64_t va = out->start; va < out->end; va += PAGE) {
		uint64_t word = quire_report_pagemap(mm, va);

		if ((word & (PRESENT | SWAPPED)) == 0 ||
		    state->nr_pages == RIG_STATE_PAGES)
			continue;
		state->pages[state->nr_pages++] = (struct rig_page){
			.va = va,
			.is_present = (word & PRESENT) != 0,
			.hash = (word & PRESENT) != 0 ? hash_page(rig, word & FRAME_BITS)
						      : 0,
		};
	}
}

struct rig_state *rig_state_of(const struct rig *rig, struct quire_mm *mm)
{
	struct rig_state *state = calloc(1, sizeof(*state));
	struct quire_mm_area area;
	struct quire_vm_figures figures;
	uint64_t at = 0;

	assert_non_null(state);
	quire_vm_figures(rig->vm, &figures);
	state->committed = figures.committed;
	state->spaces = figures.spaces;
	for (; mm != NULL && quire_mm_area_next(mm, at, &area); at = area.range.end.a)
		note_area(state, rig, mm, &area);
	return state;
}

/* A page may have gone out, or come in, on the way: its bytes are then elsewhere. */
static void expect_pages(const struct rig_state *before, const struct rig_state *now)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < before->nr_pages; i++) {
		while (k < now->nr_pages && now->pages[k].va < before->pages[i].va)
			k++;
		if (k == now->nr_pages || now->pages[k].va != before->pages[i].va)
			fail_msg("a failed call lost a page");
		if (before->pages[i].is_present && now->pages[k].is_present)
			assert_int_equal(before->pages[i].hash, now->pages[k].hash);
	}
}

void rig_expect_state(const struct rig *rig, struct quire_mm *mm,
		      const struct rig_state *before, bool may_differ)
{
	struct rig_state *now = rig_state_of(rig, mm);

	assert_int_equal(now->spaces, before->spaces);
	if (!may_differ) {
		assert_int_equal(now->committed, before->committed);
		assert_int_equal(now->nr_areas, before->nr_areas);
		assert_memory_equal(now->areas, before->areas,
				    now->nr_areas * sizeof(now->areas[0]));
		expect_pages(before, now);
	}
	free(now);
}
