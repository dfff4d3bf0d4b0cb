/* SPDX-License-Identifier: MIT */
/* vm_validate.c - entries against areas, frames, owners and the accounts.
 *
 * R1 and R2 together: every entry that names a frame is found from the frame (the walk
 * from the frame meets as many as the frame counts), and all entries together are as
 * many as all frames count.
 */
#include "core/report/vm_validate.h"

#include "core/space/mm_hugetlb.h"

struct walk {
	struct quire_vm *vm;
	uint64_t promised[QUIRE_HUGE_SIZES], nr_pooled[QUIRE_HUGE_SIZES];
	struct quire_mm *mm;
	const char *wrong;
	struct quire_mm_figures sum;
	uint64_t nr_named; /* present entries of all spaces and objects */
	uint64_t charged;
};

static void blame(struct walk *walk, bool holds, const char *name)
{
	if (!holds && walk->wrong == NULL)
		walk->wrong = name;
}

static bool is_owner(const struct walk *walk, const struct quire_area *area,
		     const struct quire_frame *frame, uint64_t va)
{
	uint64_t index = area->offset + qr_pages(va - area->start);

	if (qr_page_index(frame) != index)
		return false;
	if (qr_page_is(frame, QUIRE_PAGE_OF_OBJECT))
		return area->object != 0 && qr_page_id(frame) == area->object;
	return (area->object == 0 || qr_is_private(area)) &&
	       qr_page_id(frame) == walk->mm->family &&
	       qr_page_has(frame, QUIRE_PAGE_COPY) == (area->object != 0);
}

/* An entry that names a page of the area's object. */
static void see_object_entry(struct walk *walk, const struct quire_area *area,
			     quire_entry e, uint64_t va)
{
	struct quire_object *object = qr_object_at(&walk->vm->objects, area->object);
	uint64_t index = area->offset + qr_pages(va - area->start);
	bool is_writable = qr_entry_has(e, QUIRE_ENTRY_WRITABLE);

	blame(walk, !is_writable || !qr_is_private(area),
	      "M5 a private entry of an object's page is not writable");
	if (!object->has_store) {
		walk->sum.rss_shared++;
		return;
	}
	walk->sum.rss_file++;
	blame(walk,
	      !is_writable ||
		      qr_entry_has(qr_object_get(object, index), QUIRE_ENTRY_DIRTY),
	      "C4 a page that may be written to is dirty");
}

static void see_present(struct walk *walk, const struct quire_area *area, quire_entry e,
			uint64_t va)
{
	const uint64_t decided = QUIRE_ENTRY_USER | QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_NX;
	uint64_t flags = qr_area_flags(area), has = e.bits & decided;
	const struct quire_frame *frame;

	blame(walk, has == flags || has == (flags & ~QUIRE_ENTRY_WRITABLE),
	      "M1 an entry allows what its area does");
	blame(walk, qr_entry_pfn(e).n < walk->vm->zone.buddy.nr_frames,
	      "M1 an entry names a frame");
	if (walk->wrong != NULL)
		return;
	if (qr_entry_pfn(e).n == walk->vm->zero.n) {
		blame(walk, !qr_entry_has(e, QUIRE_ENTRY_WRITABLE) && area->object == 0,
		      "M5 the page of zeros is never writable");
		return;
	}
	frame = qr_zone_frame(&walk->vm->zone, qr_entry_pfn(e));
	walk->nr_named++;
	blame(walk, frame->use == QUIRE_FRAME_MAPPED, "M1 an entry's frame is mapped");
	blame(walk, is_owner(walk, area, frame, va), "M1 a frame's owner");
	if (qr_page_is(frame, QUIRE_PAGE_OF_OBJECT)) {
		see_object_entry(walk, area, e, va);
		return;
	}
	walk->sum.rss_anon++;
	blame(walk,
	      !qr_entry_has(e, QUIRE_ENTRY_WRITABLE) ||
		      (frame->nr_entries == 1 && qr_page_is(frame, QUIRE_PAGE_EXCLUSIVE)),
	      "M5 a private writable page has one name");
}

static void see_leaf(struct walk *walk, const struct qr_leaf *leaf)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES && walk->wrong == NULL; i++) {
		quire_entry e = leaf->entries[i];
		uint64_t va = qr_leaf_address(leaf, i).a;
		const struct quire_area *area;

		if (qr_entry_is_empty(e))
			continue;
		nr++;
		area = qr_mm_area(walk->mm, va);
		blame(walk, area != NULL, "M1 an entry lies in an area");
		if (area == NULL)
			return;
		if (qr_entry_is_present(e))
			see_present(walk, area, e, va);
		else
			walk->sum.swapped++;
		blame(walk,
		      qr_entry_is_present(e) ||
			      (qr_entry_is_swapped(e) && qr_is_private(area)) ||
			      (qr_entry_is_swapped(e) && area->object == 0),
		      "M1 an entry is empty, present or swapped");
	}
	blame(walk, nr == qr_zone_frame(&walk->vm->zone, leaf->table)->nr_entries,
	      "T1 entries of a table counted");
	blame(walk, nr > 0, "T2 no empty table");
}

static void see_large(struct walk *walk, const struct qr_large *at)
{
	const struct quire_area *area = qr_mm_area(walk->mm, at->base);
	const struct quire_frame *frame =
		qr_zone_frame(&walk->vm->zone, qr_entry_pfn(*at->entry));
	bool pooled = qr_page_is_pooled(frame);

	blame(walk,
	      area != NULL && at->base + at->bytes <= area->end &&
		      qr_area_is_hugetlb(area) == pooled,
	      "H1 a large page lies in an area of its kind");
	blame(walk,
	      frame->order != 0 &&
		      qr_page_has(frame, QUIRE_PAGE_POOLED_1G) == (at->level == 2) &&
		      (qr_entry_number(*at->entry) & (qr_pages(at->bytes) - 1)) == 0,
	      "H1 a large entry names a block of its size");
	if (walk->wrong != NULL)
		return;
	see_present(walk, area, qr_entry_without(*at->entry, QUIRE_ENTRY_LARGE),
		    at->base);
	/* That counted one page. */
	if (pooled) {
		walk->sum.rss_shared -= area->object != 0;
		walk->sum.rss_anon -= area->object == 0;
		walk->sum.hugetlb += qr_pages(at->bytes);
		if (area->object == 0 && qr_area_is(area, QUIRE_AREA_PROMISED))
			walk->promised[qr_hugetlb_size(area->marks)]--;
	} else {
		walk->sum.rss_anon += QUIRE_HUGE_PAGES - 1;
		walk->sum.huge++;
	}
}

static bool is_empty_table(const struct quire_vm *vm, quire_pfn table)
{
	const struct quire_frame *frame = qr_zone_frame(&vm->zone, table);
	const quire_entry *entries = qr_zone_address(&vm->zone, table);

	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++)
		if (!qr_entry_is_empty(entries[i]))
			return false;
	return frame->use == QUIRE_FRAME_TABLE && frame->nr_entries == 0;
}

static void see_deposit(struct walk *walk)
{
	const struct quire_mm *mm = walk->mm;
	uint32_t table = mm->deposit, nr = 0;

	for (; table != 0 && nr <= mm->nr_huge && walk->wrong == NULL; nr++) {
		blame(walk, is_empty_table(walk->vm, (quire_pfn){table}),
		      "H2 a deposited table is empty");
		table = qr_zone_frame(&walk->vm->zone, (quire_pfn){table})->slot;
	}
	blame(walk, nr == mm->nr_huge, "H2 a table for each huge page");
}

static void see_large_pages(struct walk *walk)
{
	struct quire_mm *mm = walk->mm;
	struct quire_range left = {{0}, mm->config.window.end};
	uint32_t nr = 0;
	struct qr_large at;

	while (walk->wrong == NULL && left.start.a < left.end.a &&
	       qr_tables_next_large(&mm->tables, left, &at)) {
		see_large(walk, &at);
		left.start.a = at.base + at.bytes;
		nr++;
	}
	blame(walk, nr == mm->nr_large && walk->sum.huge == mm->nr_huge,
	      "H1 large pages counted");
	see_deposit(walk);
}

static void see_areas(struct walk *walk)
{
	struct quire_mm *mm = walk->mm;
	struct quire_mm sizes = {.vm = walk->vm};

	for (const struct quire_area *a = qr_mm_from(mm, 0); a != NULL;
	     a = qr_mm_from(mm, a->end)) {
		uint64_t pages = qr_pages(a->end - a->start);

		qr_mm_account(&sizes, a->prot, a->marks, (int64_t)pages);
		if (qr_area_is(a, QUIRE_AREA_CHARGED))
			walk->charged += pages;
		if (a->object == 0 && qr_area_is(a, QUIRE_AREA_PROMISED))
			walk->promised[qr_hugetlb_size(a->marks)] +=
				(a->end - a->start) / qr_hugetlb_bytes(a->marks);
	}
	blame(walk,
	      sizes.figures.total == mm->figures.total &&
		      sizes.figures.data == mm->figures.data &&
		      sizes.figures.stack == mm->figures.stack &&
		      sizes.figures.locked == mm->figures.locked,
	      "M2 sizes of areas add up");
}

static void see_space(struct walk *walk, struct quire_mm *mm)
{
	struct quire_range left = {{0}, mm->config.window.end};
	struct qr_leaf leaf;
	const char *wrong = qr_pool_validate(&mm->areas.pool);

	if (wrong == NULL)
		wrong = qr_areas_validate_tree(&mm->areas);
	walk->mm = mm;
	walk->sum = (struct quire_mm_figures){0};
	blame(walk, wrong == NULL, wrong);
	while (left.start.a < left.end.a && walk->wrong == NULL &&
	       qr_tables_next_leaf(&mm->tables, left, &leaf)) {
		see_leaf(walk, &leaf);
		left.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	see_areas(walk);
	see_large_pages(walk);
	blame(walk,
	      walk->sum.hugetlb == mm->figures.hugetlb &&
		      walk->sum.rss_anon == mm->figures.rss_anon &&
		      walk->sum.rss_shared == mm->figures.rss_shared &&
		      walk->sum.rss_file == mm->figures.rss_file &&
		      walk->sum.swapped == mm->figures.swapped,
	      "M2 rss and swapped are what entries say");
}

static uint32_t areas_of(struct quire_vm *vm, uint32_t object)
{
	uint32_t nr = 0;

	for (struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next)
		for (const struct quire_area *a = qr_mm_from(mm, 0); a != NULL;
		     a = qr_mm_from(mm, a->end))
			nr += a->object == object;
	return nr;
}

static void see_object_leaf(struct walk *walk, uint32_t number,
			    const struct qr_leaf *leaf, struct quire_object *sum)
{
	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES && walk->wrong == NULL; i++) {
		uint64_t index = qr_pages(qr_leaf_address(leaf, i).a);
		quire_entry e = leaf->entries[i];
		const struct quire_frame *frame;

		sum->nr_swapped += qr_entry_is_swapped(e);
		if (!qr_entry_is_present(e))
			continue;
		sum->nr_resident++;
		frame = qr_zone_frame(&walk->vm->zone, qr_entry_pfn(e));
		blame(walk,
		      frame->use == QUIRE_FRAME_MAPPED &&
			      qr_page_is(frame, QUIRE_PAGE_OF_OBJECT) &&
			      qr_page_id(frame) == number &&
			      qr_page_index(frame) == index,
		      "O1 an object's entry and its frame");
	}
}

static void see_object(struct walk *walk, uint32_t number)
{
	struct quire_object *object = qr_object_at(&walk->vm->objects, number);
	struct quire_range left = {{0}, {QR_FILE_BYTES_MAX}};
	struct quire_object sum = {0};
	struct qr_leaf leaf;

	blame(walk,
	      (object->file != 0 || object->nr_areas > 0 ||
	       number == walk->vm->swap_cache.object) &&
		      object->nr_areas == areas_of(walk->vm, number),
	      "M4 an object's areas counted");
	while (walk->wrong == NULL && left.start.a < left.end.a &&
	       qr_tables_next_leaf(&object->tables, left, &leaf)) {
		see_object_leaf(walk, number, &leaf, &sum);
		left.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	blame(walk,
	      sum.nr_resident == object->nr_resident &&
		      sum.nr_swapped == object->nr_swapped,
	      "O1 resident and swapped pages counted");
	walk->nr_named += sum.nr_resident;
	if (object->is_charged)
		walk->charged += object->nr_pages;
	if (object->charges_pages)
		walk->charged += sum.nr_resident + sum.nr_swapped;
	if ((object->huge_marks & QUIRE_AREA_PROMISED) != 0)
		walk->promised[qr_hugetlb_size(object->huge_marks)] +=
			(object->nr_pages << QUIRE_PAGE_SHIFT) /
				qr_hugetlb_bytes(object->huge_marks) -
			sum.nr_resident;
}

static bool count_one(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		      const struct qr_leaf *leaf, uint32_t index)
{
	uint32_t *nr = ctx;

	(void)mm;
	(void)area;
	(void)leaf;
	(void)index;
	++*nr;
	return true;
}

static void see_pooled(struct walk *walk, const struct quire_frame *frame)
{
	enum quire_huge_size size =
		qr_page_has(frame, QUIRE_PAGE_POOLED_1G) ? QUIRE_HUGE_1G : QUIRE_HUGE_2M;

	if (!qr_page_has(frame, QUIRE_PAGE_PART))
		walk->nr_pooled[size]++;
}

static void see_pools(struct walk *walk)
{
	for (uint32_t size = 0; size < QUIRE_HUGE_SIZES; size++) {
		const struct qr_pool_of_pages *pool = &walk->vm->huge.pools[size];
		uint64_t nr = 0;

		for (uint32_t n = pool->first; n != 0 && nr <= pool->nr_free; nr++) {
			const struct quire_frame *frame = &walk->vm->zone.frames[n];

			blame(walk, qr_page_is_pooled(frame) && frame->nr_entries == 0,
			      "H4 a free page of a pool");
			n = (uint32_t)frame->owner;
		}
		blame(walk, nr == pool->nr_free, "H4 free pages of a pool counted");
		blame(walk, walk->nr_pooled[size] == pool->total,
		      "H4 pages of a pool counted");
		blame(walk, walk->promised[size] == pool->reserved, "H4 promises add up");
		blame(walk, pool->reserved <= pool->nr_free, "H4 promises can be kept");
	}
}

static void see_frames(struct walk *walk)
{
	struct quire_vm *vm = walk->vm;
	uint64_t nr_counted = 0, nr_active[QR_KINDS] = {0, 0}, nr_huge = 0;

	for (uint32_t n = 0; n < vm->zone.buddy.nr_frames && walk->wrong == NULL; n++) {
		const struct quire_frame *frame = &vm->zone.frames[n];
		uint32_t nr = 0;

		if (frame->use != QUIRE_FRAME_MAPPED)
			continue;
		nr_huge += qr_page_is_large(frame) && !qr_page_is_pooled(frame);
		if (qr_page_is_pooled(frame)) {
			see_pooled(walk, frame);
			if (frame->nr_entries == 0)
				continue;
		}
		qr_rmap_walk(vm, (quire_pfn){n}, count_one, &nr);
		nr += qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);
		blame(walk, nr == frame->nr_entries, "R2 a frame's entries found");
		nr_counted += frame->nr_entries;
		if (qr_page_has(frame, QUIRE_PAGE_ACTIVE))
			nr_active[qr_page_kind(frame)] += qr_page_size(frame);
	}
	blame(walk, qr_hugetlb_frames(vm) == vm->cache.workingset.nr_pooled,
	      "W2 frames of pools counted");
	blame(walk, nr_huge == vm->huge.figures.anon, "H3 huge pages counted");
	blame(walk,
	      nr_active[QR_ANON] == vm->cache.workingset.nr_active[QR_ANON] &&
		      nr_active[QR_FILE] == vm->cache.workingset.nr_active[QR_FILE],
	      "W1 active pages counted");
	blame(walk, nr_counted == walk->nr_named, "R1 entries that name a frame counted");
}

const char *qr_report_vm_validate(struct quire_vm *vm)
{
	struct walk walk = {.vm = vm};

	for (struct quire_mm *mm = vm->mms; mm != NULL && walk.wrong == NULL;
	     mm = mm->next)
		see_space(&walk, mm);
	for (uint32_t n = qr_pool_next(&vm->objects, 0); n != 0 && walk.wrong == NULL;
	     n = qr_pool_next(&vm->objects, n))
		see_object(&walk, n);
	see_frames(&walk);
	see_pools(&walk);
	blame(&walk, qr_page_cache_validate(&vm->cache) == NULL,
	      qr_page_cache_validate(&vm->cache));
	blame(&walk, qr_swap_cache_validate(vm) == NULL, qr_swap_cache_validate(vm));
	blame(&walk, walk.charged == vm->committed, "M3 charges add up");
	return walk.wrong;
}
