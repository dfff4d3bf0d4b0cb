/* SPDX-License-Identifier: MIT */
/* mm_pool.c - pools of large pages, made and unmade, and the settings of huge pages. */
#include "core/space/mm_pool.h"

#include "core/base/assert.h"
#include "core/space/mm_hugetlb.h"

#define FRAMES_2M (1u << QUIRE_HUGE_ORDER)
#define FRAMES_1G (1u << 18)

struct qr_pool_of_pages *qr_pool_for(struct quire_vm *vm, uint32_t marks)
{
	return &vm->huge.pools[qr_hugetlb_size(marks)];
}

bool qr_pool_take(struct quire_vm *vm, struct qr_pool_of_pages *pool, bool reserved,
		  quire_pfn *out)
{
	struct quire_frame *frame;

	if (!reserved && pool->nr_free == pool->reserved)
		return false;
	QUIRE_ASSERT(pool->nr_free > 0 && pool->first != 0);
	*out = (quire_pfn){pool->first};
	frame = qr_zone_frame(&vm->zone, *out);
	pool->first = (uint32_t)frame->owner;
	pool->nr_free--;
	pool->reserved -= reserved ? 1 : 0;
	frame->owner = 0;
	return true;
}

void qr_pool_give(struct quire_vm *vm, struct qr_pool_of_pages *pool, quire_pfn pfn)
{
	struct quire_frame *frame = qr_zone_frame(&vm->zone, pfn);

	frame->nr_entries = 0;
	frame->owner = pool->first;
	pool->first = pfn.n;
	pool->nr_free++;
}

uint32_t qr_hugetlb_pages(const struct quire_frame *frame)
{
	return qr_page_has(frame, QUIRE_PAGE_POOLED_1G) ? FRAMES_1G : FRAMES_2M;
}

uint64_t qr_hugetlb_frames(const struct quire_vm *vm)
{
	return vm->huge.pools[QUIRE_HUGE_2M].total * FRAMES_2M +
	       vm->huge.pools[QUIRE_HUGE_1G].total * FRAMES_1G;
}

static bool find_2m(struct quire_vm *vm, quire_pfn *out)
{
	if (!qr_huge_take(vm, false, out) &&
	    (!qr_huge_compact(vm) || !qr_huge_take(vm, false, out)))
		return false;
	/* It is none of the transparent ones. */
	vm->huge.figures.anon--;
	qr_zone_frame(&vm->zone, *out)->slot = QUIRE_PAGE_POOLED_2M;
	return true;
}

static bool find_1g(struct quire_vm *vm, quire_pfn *out)
{
	if (!qr_zone_alloc_run(&vm->zone, QUIRE_FRAME_MAPPED, FRAMES_1G, FRAMES_1G, 0,
			       out))
		return false;
	for (uint32_t n = 0; n < FRAMES_1G; n += 1u << QUIRE_ORDER_MAX)
		qr_zone_frame(&vm->zone, (quire_pfn){out->n + n})->slot =
			n == 0 ? QUIRE_PAGE_POOLED_1G : QUIRE_PAGE_PART;
	return true;
}

/* Pages of that size come to their pool, or leave it, which is what nr says. */
static void note_total(struct quire_vm *vm, enum quire_huge_size size, uint64_t nr)
{
	vm->huge.pools[size].total += nr;
	vm->cache.workingset.nr_pooled +=
		nr * (size == QUIRE_HUGE_1G ? FRAMES_1G : FRAMES_2M);
}

/* The blocks are nobody's from now on. */
static void free_page(struct quire_vm *vm, quire_pfn pfn, uint32_t nr)
{
	for (uint32_t n = 0; n < nr; n += qr_page_size(qr_zone_frame(&vm->zone, pfn)))
		qr_zone_frame(&vm->zone, (quire_pfn){pfn.n + n})->slot = 0;
	qr_zone_free_run(&vm->zone, pfn, nr);
}

static void grow(struct quire_vm *vm, enum quire_huge_size size, uint64_t nr)
{
	struct qr_pool_of_pages *pool = &vm->huge.pools[size];
	quire_pfn pfn;

	while (pool->total < nr &&
	       (size == QUIRE_HUGE_1G ? find_1g(vm, &pfn) : find_2m(vm, &pfn))) {
		qr_pool_give(vm, pool, pfn);
		note_total(vm, size, 1);
	}
}

static void shrink(struct quire_vm *vm, enum quire_huge_size size, uint64_t nr)
{
	struct qr_pool_of_pages *pool = &vm->huge.pools[size];
	quire_pfn pfn;

	while (pool->total > nr && qr_pool_take(vm, pool, false, &pfn)) {
		free_page(vm, pfn, size == QUIRE_HUGE_1G ? FRAMES_1G : FRAMES_2M);
		note_total(vm, size, UINT64_MAX);
	}
}

uint64_t quire_vm_set_hugetlb(struct quire_vm *vm, enum quire_huge_size size, uint64_t nr)
{
	uint64_t total;

	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	grow(vm, size, nr);
	shrink(vm, size, nr);
	total = vm->huge.pools[size].total;
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
	return total;
}

void quire_vm_huge_figures(struct quire_vm *vm, struct quire_huge_figures *out)
{
	qr_lock(&vm->turn);
	*out = vm->huge.figures;
	for (uint32_t size = 0; size < QUIRE_HUGE_SIZES; size++) {
		const struct qr_pool_of_pages *pool = &vm->huge.pools[size];

		out->hugetlb[size] = (struct quire_hugetlb_figures){
			pool->total, pool->nr_free, pool->reserved};
	}
	qr_unlock(&vm->turn);
}

void quire_vm_thp(struct quire_vm *vm, struct quire_thp *out)
{
	qr_lock(&vm->turn);
	*out = vm->huge.thp;
	qr_unlock(&vm->turn);
}

enum quire_status quire_vm_set_thp(struct quire_vm *vm, const struct quire_thp *thp)
{
	if (thp->enabled > QUIRE_THP_ALWAYS || thp->defrag > QUIRE_THP_ALWAYS ||
	    thp->max_ptes_none > QUIRE_HUGE_PAGES ||
	    thp->max_ptes_swap > QUIRE_HUGE_PAGES ||
	    thp->max_ptes_shared > QUIRE_HUGE_PAGES)
		return QUIRE_INVALID;
	qr_lock(&vm->turn);
	vm->huge.thp = *thp;
	qr_unlock(&vm->turn);
	return QUIRE_OK;
}
