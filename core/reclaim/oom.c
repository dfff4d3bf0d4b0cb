/* SPDX-License-Identifier: MIT */
/* oom.c - the two formulas, and the choice. */
#include "core/reclaim/oom.h"

#define ADJ_NEVER -1000
#define ADJ_SCALE 1000

/* Units of the older formula: 2^10 seconds are about a thousand, 2^3 about ten. */
#define CPU_SHIFT 3
#define RUN_SHIFT 10

static uint64_t square_root(uint64_t n)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit != 0; bit >>= 1)
		if ((root | bit) * (root | bit) <= n)
			root |= bit;
	return root;
}

static uint64_t points_today(const struct quire_mm *mm)
{
	const struct quire_mm_figures *f = &mm->figures;
	const struct quire_vm *vm = mm->vm;
	int64_t total =
		(int64_t)(vm->zone.buddy.nr_frames + qr_pages(vm->config.swap_bytes));
	int64_t points = (int64_t)(f->rss_anon + f->rss_file + f->rss_shared +
				   f->swapped + mm->tables.nr_tables);

	points += mm->config.oom_score_adj * (total / ADJ_SCALE);
	return points > 0 ? (uint64_t)points : 1;
}

static uint64_t points_of_children(const struct quire_mm *mm)
{
	uint64_t points = 0;

	for (const struct quire_mm *at = mm->vm->mms; at != NULL; at = at->next)
		if (at->parent == mm->asid)
			points += at->figures.total / 2 + 1;
	return points;
}

static uint64_t points_2_6(const struct quire_mm *mm)
{
	const struct quire_mm_config *config = &mm->config;
	uint64_t points = mm->figures.total + points_of_children(mm);
	uint64_t cpu = square_root(config->cpu_seconds >> CPU_SHIFT);
	uint64_t run = square_root(square_root(config->run_seconds >> RUN_SHIFT));

	if (cpu != 0)
		points /= cpu;
	if (run != 0)
		points /= run;
	if (config->nice > 0)
		points *= 2;
	if (config->is_privileged)
		points /= 4;
	if (config->has_raw_io)
		points /= 4;
	return points;
}

uint64_t qr_oom_points(const struct quire_mm *mm)
{
	if (mm->config.oom_score_adj <= ADJ_NEVER)
		return 0;
	return mm->vm->config.oom == QUIRE_OOM_2_6 ? points_2_6(mm) : points_today(mm);
}

bool quire_vm_oom_victim(struct quire_vm *vm, uint32_t *asid, uint64_t *points)
{
	uint64_t most = 0;

	qr_lock(&vm->turn);
	for (const struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next) {
		uint64_t score = qr_oom_points(mm);

		if (score <= most)
			continue;
		most = score;
		*asid = mm->asid;
	}
	if (most > 0) {
		vm->figures.oom_kills++;
		*points = most;
	}
	qr_unlock(&vm->turn);
	return most > 0;
}

uint64_t quire_mm_oom_points(struct quire_mm *mm)
{
	uint64_t points;

	qr_lock(&mm->vm->turn);
	points = qr_oom_points(mm);
	qr_unlock(&mm->vm->turn);
	return points;
}
