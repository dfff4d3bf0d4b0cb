/* SPDX-License-Identifier: MIT */
/* mm_file.c - objects seen from address spaces: their pages brought in, mapped, and taken
 * out of all entries.
 *
 * The pages of a store are mapped for writing only by a fault that writes, as Linux does
 * where vma_wants_writenotify() says so: the fault makes the page dirty.  Shared memory and
 * files without a store have no such state; a read maps them writable.
 */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm.h"

struct quire_file *qr_object_file(const struct quire_vm *vm,
				  const struct quire_object *object)
{
	return object->file == 0 ? NULL : qr_file_at(&vm->cache, object->file);
}

const char *qr_area_file_name(const struct quire_vm *vm, const struct quire_area *area)
{
	const struct quire_file *file = NULL;

	if (area->object != 0)
		file = qr_object_file(vm, qr_object_at(&vm->objects, area->object));
	return file == NULL ? NULL : file->config.name;
}

uint64_t qr_object_flags(const struct quire_vm *vm, const struct quire_area *area,
			 bool for_write)
{
	uint64_t flags = qr_area_flags(area);

	if (qr_is_private(area))
		return flags & ~QUIRE_ENTRY_WRITABLE;
	if (!qr_object_at(&vm->objects, area->object)->has_store)
		return flags;
	return for_write ? flags | QUIRE_ENTRY_DIRTY : flags & ~QUIRE_ENTRY_WRITABLE;
}

/* A new frame for page index of shared memory; false where a frame is lacking. */
static bool take_page(struct quire_vm *vm, uint32_t number, uint64_t index,
		      quire_pfn *out)
{
	struct quire_frame *frame;

	if (!qr_vm_take(vm, out))
		return false;
	frame = qr_zone_frame(&vm->zone, *out);
	frame->nr_entries = 1;
	frame->owner = qr_page_owner(true, number, index);
	return true;
}

static enum quire_status load(struct quire_vm *vm, quire_slot slot, quire_pfn pfn)
{
	enum quire_status status = qr_space_load(&vm->swap, &vm->lane, slot,
						 qr_zone_address(&vm->zone, pfn), false);

	if (status == QUIRE_OK)
		vm->figures.pages_in++;
	return status;
}

/* A page of memory that is not in a frame: back from swap, or new. */
static enum quire_status make_page(struct quire_vm *vm, uint32_t number, uint64_t index,
				   quire_entry e, quire_pfn *out)
{
	struct quire_object *object = qr_object_at(&vm->objects, number);
	const quire_slot slot = {qr_entry_number(e)};
	enum quire_status status = QUIRE_OK;

	if (!take_page(vm, number, index, out))
		return QUIRE_NO_MEMORY;
	if (qr_entry_is_swapped(e))
		status = load(vm, slot, *out);
	else
		memset(qr_zone_address(&vm->zone, *out), 0, QUIRE_PAGE_BYTES);
	if (status == QUIRE_OK &&
	    !qr_object_set(object, index, qr_entry_present(*out, 0)))
		status = QUIRE_NO_MEMORY;
	if (status != QUIRE_OK) {
		qr_vm_put(vm, *out);
	} else if (qr_entry_is_swapped(e)) {
		qr_workingset_refault(&vm->cache.workingset,
				      qr_zone_frame(&vm->zone, *out),
				      qr_ghost_of_slot(slot.n));
		qr_swap_drop(&vm->swap, slot);
	}
	return status;
}

enum quire_status qr_object_page(struct quire_vm *vm, uint32_t number, uint64_t index,
				 enum qr_fetch how, quire_pfn *out, bool *was_out)
{
	struct quire_object *object = qr_object_at(&vm->objects, number);
	quire_entry e;

	*was_out = false;
	if (object->has_store)
		return qr_file_fetch(qr_object_file(vm, object), index, how, out,
				     was_out);
	e = qr_object_get(object, index);
	*out = qr_entry_pfn(e);
	if (qr_entry_is_present(e))
		return QUIRE_OK;
	*was_out = qr_entry_is_swapped(e);
	return make_page(vm, number, index, e, out);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The copies that a private area has of its object's pages stay. */
static void zap_originals(struct quire_mm *mm, uint64_t start, uint64_t end)
{
	for (uint64_t va = start; va < end; va += QUIRE_PAGE_BYTES) {
		struct qr_leaf leaf;
		quire_entry e;

		if (!qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf)) {
			va |= QUIRE_LEAF_BYTES - QUIRE_PAGE_BYTES;
			continue;
		}
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
		if (qr_entry_is_present(e) &&
		    qr_page_is(qr_zone_frame(&mm->vm->zone, qr_entry_pfn(e)),
			       QUIRE_PAGE_OF_OBJECT))
			qr_mm_zap(mm, va, va + QUIRE_PAGE_BYTES);
	}
}

/* What of [first, last) the area shows goes out of its entries. */
static void unmap_part(struct quire_mm *mm, const struct quire_area *a, uint64_t first,
		       uint64_t last, bool copies_too)
{
	uint64_t pages = qr_pages(a->end - a->start);
	uint64_t from = first > a->offset ? first - a->offset : 0;
	uint64_t to = last > a->offset ? least(last - a->offset, pages) : 0;

	if (from >= to)
		return;
	from = a->start + (from << QUIRE_PAGE_SHIFT);
	to = a->start + (to << QUIRE_PAGE_SHIFT);
	if (copies_too || !qr_is_private(a))
		qr_mm_zap(mm, from, to);
	else
		zap_originals(mm, from, to);
}

void qr_object_unmap(struct quire_vm *vm, uint32_t number, uint64_t first, uint64_t last,
		     bool copies_too)
{
	for (struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next) {
		const struct quire_area *a = qr_mm_from(mm, 0);

		for (; a != NULL; a = qr_mm_from(mm, a->end))
			if (a->object == number)
				unmap_part(mm, a, first, last, copies_too);
	}
}

static bool protect_entry(void *ctx, struct quire_mm *mm, const struct quire_area *area,
			  const struct qr_leaf *leaf, uint32_t index)
{
	quire_entry *e = &leaf->entries[index];
	uint64_t va = qr_leaf_address(leaf, index).a;

	(void)ctx;
	(void)area;
	if ((e->bits & (QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_DIRTY)) == 0)
		return true;
	*e = qr_entry_without(*e, QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_DIRTY);
	qr_mm_flush(mm, va, va + QUIRE_PAGE_BYTES);
	return true;
}

/* As Linux's folio_mkclean(). */
void qr_page_protect(struct quire_vm *vm, quire_pfn pfn)
{
	if (qr_zone_frame(&vm->zone, pfn)->nr_entries > 1)
		qr_rmap_walk(vm, pfn, protect_entry, NULL);
}

void qr_file_settle(struct quire_vm *vm, struct quire_file *file)
{
	struct quire_object *object = qr_file_object(file);

	if (file->is_open || object->nr_areas > 0)
		return;
	if (qr_file_is_memory(file))
		qr_object_truncate(vm, object, 0, object->nr_pages);
	else if (file->nr_dirty > 0)
		(void)qr_file_write_back(file, 0, UINT64_MAX, UINT64_MAX);
	if (qr_file_is_unused(file))
		qr_file_free(file);
}

/* As Linux's global_dirtyable_memory(). */
static uint64_t dirty_limit(const struct quire_vm *vm, uint32_t ratio)
{
	uint64_t pages = qr_zone_free_frames(&vm->zone) + vm->cache.workingset.nr_file;

	return pages * ratio / 100;
}

void qr_vm_balance_dirty(struct quire_vm *vm)
{
	if (vm->cache.nr_dirty > 0 &&
	    vm->cache.nr_dirty >= dirty_limit(vm, vm->config.dirty_ratio))
		qr_page_cache_write_down(
			&vm->cache, dirty_limit(vm, vm->config.dirty_background_ratio));
}

void qr_vm_write_background(struct quire_vm *vm)
{
	uint64_t limit = dirty_limit(vm, vm->config.dirty_background_ratio);

	if (vm->cache.nr_dirty > limit)
		qr_page_cache_write_down(&vm->cache, limit);
}

enum quire_status qr_file_report(struct quire_file *file, enum quire_status status)
{
	if (file->has_failed)
		status = QUIRE_IO;
	file->has_failed = false;
	return status;
}

enum quire_status qr_mm_sync_area(struct quire_mm *mm, const struct quire_area *area,
				  uint64_t start, uint64_t end)
{
	struct quire_object *object;
	struct quire_file *file;
	uint64_t first;

	if (area->object == 0 || qr_is_private(area))
		return QUIRE_OK;
	object = qr_object_at(&mm->vm->objects, area->object);
	if (!object->has_store)
		return QUIRE_OK;
	file = qr_object_file(mm->vm, object);
	first = area->offset + qr_pages(start - area->start);
	return qr_file_report(file, qr_file_write_back(file, first,
						       first + qr_pages(end - start),
						       UINT64_MAX));
}

void qr_mm_will_need(struct quire_mm *mm, const struct quire_area *area, uint64_t start,
		     uint64_t end)
{
	struct quire_object *object;
	uint64_t first;

	if (area->object == 0)
		return;
	object = qr_object_at(&mm->vm->objects, area->object);
	first = area->offset + qr_pages(start - area->start);
	if (object->has_store)
		qr_file_read_ahead(qr_object_file(mm->vm, object), first,
				   first + qr_pages(end - start));
}
