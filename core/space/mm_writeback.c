/* SPDX-License-Identifier: MIT */
/* mm_writeback.c - who waits for a transfer of writeback, while others go on.
 *
 * A transfer that is not reclaim's runs with the machine's lock let go of.  Its pages say
 * WRITEBACK: they are clean, no entry may write to them, and they stay where they are.  Who
 * would change one, or the file's size, waits for the transfer to end, and then looks anew
 * at all that it knew; reclaim takes another page.
 */
#include "core/space/mm.h"

void qr_vm_let_go(struct quire_vm *vm)
{
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
}

void qr_vm_take_back(struct quire_vm *vm)
{
	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	qr_event_raise(&vm->cache.transferred, &vm->turn);
}

/* For the end of any transfer. */
static void wait_for_one(struct quire_vm *vm)
{
	qr_unlock(&vm->inner);
	qr_event_wait(&vm->cache.transferred, &vm->turn);
	qr_lock(&vm->inner);
}

void qr_vm_wait_written(struct quire_vm *vm)
{
	while (vm->cache.nr_writeback > 0)
		wait_for_one(vm);
}

void qr_file_wait_written(struct quire_file *file)
{
	while (file->nr_writing > 0)
		wait_for_one(file->cache->vm);
}

static bool is_written(const struct quire_vm *vm, const struct quire_object *object,
		       uint64_t index)
{
	quire_entry e = qr_object_get(object, index);

	return qr_entry_is_present(e) &&
	       qr_page_has(qr_zone_frame(&vm->zone, qr_entry_pfn(e)),
			   QUIRE_PAGE_WRITEBACK);
}

void qr_file_wait_page(struct quire_file *file, uint64_t index, uint64_t end)
{
	while (file->nr_writing > 0 &&
	       (end > file->bytes ||
		is_written(file->cache->vm, qr_file_object(file), index)))
		wait_for_one(file->cache->vm);
}

bool qr_mm_waits(struct quire_vm *vm, const struct quire_area *area, uint64_t va)
{
	if (vm->cache.nr_writeback == 0 || area->object == 0 || qr_is_private(area) ||
	    va < area->start ||
	    !is_written(vm, qr_object_at(&vm->objects, area->object),
			area->offset + qr_pages(va - area->start)))
		return false;
	wait_for_one(vm);
	return true;
}
