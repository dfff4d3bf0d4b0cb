/* SPDX-License-Identifier: MIT */
/* mm_commit.c - what processes may have: overcommit and resource limits.
 *
 * Committed_AS counts the pages of private writable areas and of shared memory, touched
 * or not; of files in memory, and of shared memory with NORESERVE, the pages that are there.
 * CommitLimit = (RAM - pools of large pages) * ratio / 100 + swap.
 * (Linux, vm.overcommit_memory.)
 */
#include "core/space/mm_hugetlb.h"

#define RATIO_DEFAULT 50u

uint64_t qr_vm_commit_limit(const struct quire_vm *vm)
{
	uint64_t ratio = vm->config.overcommit_ratio;

	if (ratio == 0)
		ratio = RATIO_DEFAULT;
	return (vm->zone.buddy.nr_frames - qr_hugetlb_frames(vm)) * ratio / 100 +
	       qr_pages(vm->config.swap_bytes);
}

bool qr_vm_may_charge(const struct quire_vm *vm, int64_t pages)
{
	int64_t most =
		(int64_t)(vm->zone.buddy.nr_frames + qr_pages(vm->config.swap_bytes));

	switch (vm->config.overcommit) {
	case QUIRE_OVERCOMMIT_GUESS:
		return pages <= most;
	case QUIRE_OVERCOMMIT_ALWAYS:
		return true;
	case QUIRE_OVERCOMMIT_NEVER:
		return (int64_t)vm->committed + pages <= (int64_t)qr_vm_commit_limit(vm);
	}
	return false;
}

bool qr_vm_charge(struct quire_vm *vm, uint64_t pages)
{
	if (!qr_vm_may_charge(vm, (int64_t)pages))
		return false;
	vm->committed += pages;
	return true;
}

void qr_vm_uncharge(struct quire_vm *vm, uint64_t pages)
{
	vm->committed -= pages;
}

static bool is_data(uint32_t prot, uint32_t marks)
{
	return (prot & QUIRE_WRITE) != 0 &&
	       (marks & (QUIRE_AREA_SHARED | QUIRE_AREA_GROWSDOWN)) == 0;
}

static bool fits(uint64_t used, int64_t more, uint64_t limit)
{
	return limit == QUIRE_UNLIMITED ||
	       (int64_t)used + more <= (int64_t)qr_pages(limit);
}

bool qr_mm_may_expand(const struct quire_mm *mm, uint32_t prot, uint32_t marks,
		      int64_t pages)
{
	const struct quire_limits *limits = &mm->config.limits;

	return fits(mm->figures.total, pages, limits->address_space) &&
	       (!is_data(prot, marks) || fits(mm->figures.data, pages, limits->data));
}

bool qr_mm_may_lock(const struct quire_mm *mm, uint32_t marks, uint64_t pages)
{
	if ((marks & QUIRE_AREA_LOCKED) == 0 || mm->config.is_privileged)
		return true;
	return fits(mm->figures.locked, (int64_t)pages, mm->config.limits.locked);
}

static void add(uint64_t *sum, int64_t pages)
{
	*sum += (uint64_t)pages;
}

void qr_mm_account(struct quire_mm *mm, uint32_t prot, uint32_t marks, int64_t pages)
{
	struct quire_mm_figures *figures = &mm->figures;

	add(&figures->total, pages);
	if ((marks & QUIRE_AREA_GROWSDOWN) != 0)
		add(&figures->stack, pages);
	else if (is_data(prot, marks))
		add(&figures->data, pages);
	if ((marks & QUIRE_AREA_LOCKED) != 0)
		add(&figures->locked, pages);
	if (figures->total > figures->peak_total)
		figures->peak_total = figures->total;
}
