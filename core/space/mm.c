/* SPDX-License-Identifier: MIT */
/* mm.c - spaces made, emptied and told of. */
#include "core/space/mm.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

/* A family lives as long as a space of it. */
struct family {
	uint32_t nr_spaces, unused;
};

static uint32_t join_family(struct quire_vm *vm, uint32_t family)
{
	struct family *record;

	if (family == 0)
		family = qr_pool_alloc(&vm->families, 0);
	if (family == 0 || family > QUIRE_PAGE_OWNERS) {
		if (family != 0)
			qr_pool_free(&vm->families, family);
		return 0;
	}
	record = qr_pool_at(&vm->families, family);
	record->nr_spaces++;
	return family;
}

static void leave_family(struct quire_vm *vm, uint32_t family)
{
	struct family *record = qr_pool_at(&vm->families, family);

	if (--record->nr_spaces == 0)
		qr_pool_free(&vm->families, family);
}

static const struct quire_mm *find(const struct quire_vm *vm, uint32_t asid)
{
	const struct quire_mm *mm = vm->mms;

	while (mm != NULL && mm->asid != asid)
		mm = mm->next;
	return mm;
}

bool quire_vm_root(struct quire_vm *vm, uint32_t asid, uint64_t *root)
{
	const struct quire_mm *mm;

	qr_lock(&vm->turn);
	mm = find(vm, asid);
	if (mm != NULL)
		*root = mm->tables.root.n;
	qr_unlock(&vm->turn);
	return mm != NULL;
}

/* Numbers come round; one is free: there are at most QUIRE_ASIDS spaces, this included. */
static uint32_t next_asid(struct quire_vm *vm)
{
	do
		vm->next_asid = vm->next_asid % QUIRE_ASIDS + 1;
	while (find(vm, vm->next_asid) != NULL);
	return vm->next_asid;
}

static void enlist(struct quire_mm *mm)
{
	struct quire_vm *vm = mm->vm;

	mm->asid = next_asid(vm);
	mm->next = vm->mms;
	if (mm->next != NULL)
		mm->next->prev = mm;
	vm->mms = mm;
	vm->figures.spaces++;
}

static void delist(struct quire_mm *mm)
{
	for (struct quire_mm *at = mm->vm->mms; at != NULL; at = at->next)
		if (at->parent == mm->asid)
			at->parent = 0;
	if (mm->next != NULL)
		mm->next->prev = mm->prev;
	if (mm->prev != NULL)
		mm->prev->next = mm->next;
	else
		mm->vm->mms = mm->next;
	mm->vm->figures.spaces--;
}

static quire_pfn frame_of(const struct quire_mm *mm)
{
	size_t byte = (size_t)((const unsigned char *)mm - mm->vm->port->direct);

	return (quire_pfn){(uint32_t)qr_pages(byte)};
}

struct quire_mm *qr_mm_new(struct quire_vm *vm, const struct quire_mm_config *config,
			   uint32_t family)
{
	struct quire_mm *mm;
	quire_pfn pfn;

	_Static_assert(sizeof(*mm) <= QUIRE_PAGE_BYTES, "a space is one frame");
	if (vm->figures.spaces == QUIRE_ASIDS ||
	    !qr_zone_alloc(&vm->zone, QUIRE_FRAME_TABLE, QUIRE_ALLOC_ZERO, &pfn))
		return NULL;
	mm = qr_zone_address(&vm->zone, pfn);
	mm->vm = vm;
	mm->config = *config;
	mm->brk = config->brk;
	mm->family = join_family(vm, family);
	if (mm->family == 0 ||
	    !qr_tables_init_levels(&mm->tables, &vm->zone, vm->config.levels)) {
		if (mm->family != 0)
			leave_family(vm, mm->family);
		qr_zone_free(&vm->zone, pfn);
		return NULL;
	}
	qr_areas_init(&mm->areas, &vm->zone, config->window.start.a,
		      config->window.end.a);
	enlist(mm);
	return mm;
}

static void unmap_all(struct quire_mm *mm)
{
	const struct quire_range window = mm->config.window;
	enum quire_status status = qr_mm_unmap_range(mm, window.start.a, window.end.a);

	/* Nothing is cut, so no record is needed that might be lacking. */
	QUIRE_ASSERT(status == QUIRE_OK);
}

void qr_mm_delete(struct quire_mm *mm)
{
	struct quire_vm *vm = mm->vm;

	unmap_all(mm);
	QUIRE_ASSERT(mm->figures.total == 0 && mm->figures.swapped == 0 &&
		     mm->figures.rss_anon == 0 && mm->figures.rss_shared == 0 &&
		     mm->figures.rss_file == 0);
	qr_areas_destroy(&mm->areas);
	qr_tables_destroy(&mm->tables);
	leave_family(vm, mm->family);
	delist(mm);
	qr_zone_free(&vm->zone, frame_of(mm));
}

/* The lower half is the processes': canonical addresses whose highest bit is 0. */
static uint64_t highest_address(const struct quire_vm *vm)
{
	return 1ull << (QUIRE_PAGE_SHIFT + QUIRE_TABLE_SHIFT * vm->config.levels - 1);
}

static bool is_valid(const struct quire_vm *vm, const struct quire_mm_config *config)
{
	const struct quire_range w = config->window;
	const uint64_t in_page = QUIRE_PAGE_BYTES - 1;

	return w.start.a > 0 && w.start.a < w.end.a && w.end.a <= highest_address(vm) &&
	       ((w.start.a | w.end.a | config->mmap_top | config->mmap_bottom) &
		in_page) == 0 &&
	       config->mmap_top <= w.end.a;
}

enum quire_status quire_mm_create(struct quire_vm *vm,
				  const struct quire_mm_config *config,
				  struct quire_mm **out)
{
	struct quire_mm *mm;

	if (!is_valid(vm, config))
		return QUIRE_INVALID;
	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	do
		mm = qr_mm_new(vm, config, 0);
	while (mm == NULL && vm->pressure(vm));
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
	if (mm == NULL)
		return QUIRE_NO_MEMORY;
	*out = mm;
	return QUIRE_OK;
}

void quire_mm_destroy(struct quire_mm *mm)
{
	struct quire_vm *vm = mm->vm;

	qr_mm_enter(mm);
	qr_mm_delete(mm);
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
}

enum quire_status quire_mm_exec(struct quire_mm *mm, const struct quire_mm_config *config)
{
	uint32_t family, old = mm->family;

	if (!is_valid(mm->vm, config))
		return QUIRE_INVALID;
	qr_mm_enter(mm);
	family = join_family(mm->vm, 0);
	if (family == 0) {
		qr_mm_leave(mm);
		return QUIRE_NO_MEMORY;
	}
	unmap_all(mm);
	leave_family(mm->vm, old);
	mm->family = family;
	mm->config = *config;
	mm->brk = config->brk;
	mm->has_moved = false;
	mm->marks_next = 0;
	qr_areas_destroy(&mm->areas);
	qr_areas_init(&mm->areas, &mm->vm->zone, config->window.start.a,
		      config->window.end.a);
	qr_mm_leave(mm);
	return QUIRE_OK;
}

uint64_t quire_mm_root(const struct quire_mm *mm)
{
	return mm->tables.root.n;
}

uint32_t quire_mm_asid(const struct quire_mm *mm)
{
	return mm->asid;
}

void quire_mm_set_config(struct quire_mm *mm, const struct quire_mm_config *config)
{
	qr_mm_enter(mm);
	mm->config.oom_score_adj = config->oom_score_adj;
	mm->config.nice = config->nice;
	mm->config.cpu_seconds = config->cpu_seconds;
	mm->config.run_seconds = config->run_seconds;
	mm->config.has_raw_io = config->has_raw_io;
	qr_mm_leave(mm);
}

void quire_mm_set_limits(struct quire_mm *mm, const struct quire_limits *limits)
{
	qr_mm_enter(mm);
	mm->config.limits = *limits;
	qr_mm_leave(mm);
}

bool quire_mm_area_next(struct quire_mm *mm, uint64_t at, struct quire_mm_area *out)
{
	const struct quire_area *a;

	qr_mm_enter(mm);
	a = qr_mm_from(mm, at);
	if (a != NULL)
		*out = (struct quire_mm_area){
			.range = {{a->start}, {a->end}},
			.prot = a->prot,
			.is_shared = !qr_is_private(a),
			.is_locked = qr_area_is(a, QUIRE_AREA_LOCKED),
			.is_charged = qr_area_is(a, QUIRE_AREA_CHARGED),
			.grows_down = qr_area_is(a, QUIRE_AREA_GROWSDOWN),
			.is_break = a->start < mm->brk.a && a->end > mm->config.brk.a,
			.offset = a->object == 0 ? 0 : a->offset << QUIRE_PAGE_SHIFT,
			.object = a->object,
			.file = qr_area_file_name(mm->vm, a),
		};
	qr_mm_leave(mm);
	return a != NULL;
}

void quire_mm_figures(struct quire_mm *mm, struct quire_mm_figures *out)
{
	qr_mm_enter(mm);
	*out = mm->figures;
	out->tables = mm->tables.nr_tables;
	out->areas = qr_mm_nr_areas(mm);
	out->huge = (uint64_t)mm->nr_huge * QUIRE_HUGE_PAGES;
	qr_mm_leave(mm);
}
