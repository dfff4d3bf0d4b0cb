/* SPDX-License-Identifier: MIT */
/* mm_move.c - a page goes to another frame, so that a huge page finds room.
 *
 * First its entries lose the right to write, so that nothing is written unseen; then its
 * bytes are copied; then the entries name the new frame.  Each time the change is flushed
 * before the next step relies on it.
 */
#include "core/base/memory.h"
#include "core/frames/compact.h"
#include "core/space/mm.h"

/* As Linux's COMPACT_MAX_DEFER_SHIFT. */
#define DEFER_SHIFT_MAX 6u

static void flush_page(struct quire_mm *mm, const struct qr_leaf *leaf, uint32_t index)
{
	uint64_t va = qr_leaf_address(leaf, index).a;

	qr_mm_flush(mm, va, va + QUIRE_PAGE_BYTES);
}

static bool freeze(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		   const struct qr_leaf *leaf, uint32_t index)
{
	quire_entry *e = &leaf->entries[index];
	uint32_t *nr = ctx;

	(void)area;
	++*nr;
	if (qr_entry_has(*e, QUIRE_ENTRY_WRITABLE)) {
		*e = qr_entry_with(qr_entry_without(*e, QUIRE_ENTRY_WRITABLE),
				   QUIRE_ENTRY_MOVING);
		flush_page(mm, leaf, index);
	}
	return true;
}

static quire_entry renumber(quire_entry e, quire_pfn pfn)
{
	return (quire_entry){(e.bits & ~QUIRE_ENTRY_NUMBER) |
			     (uint64_t)pfn.n << QUIRE_PAGE_SHIFT};
}

static bool thaw(void *ctx, struct quire_mm *mm, const struct quire_area *area,
		 const struct qr_leaf *leaf, uint32_t index)
{
	const quire_pfn *to = ctx;
	quire_entry e = renumber(leaf->entries[index], *to);

	(void)area;
	if (qr_entry_has(e, QUIRE_ENTRY_MOVING))
		e = qr_entry_with(qr_entry_without(e, QUIRE_ENTRY_MOVING),
				  QUIRE_ENTRY_WRITABLE);
	leaf->entries[index] = e;
	flush_page(mm, leaf, index);
	return true;
}

/* Not what a transfer reads.  A page of the swap cache moves as any object's, one that no
 * area shows. */
static bool may_move(const struct quire_frame *frame)
{
	return frame->nr_entries > 0 && !qr_page_has(frame, QUIRE_PAGE_WRITEBACK);
}

static bool move_page(void *ctx, quire_pfn from, quire_pfn to)
{
	struct quire_vm *vm = ctx;
	const struct quire_frame *frame = qr_zone_frame(&vm->zone, from);
	bool of_object = qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);
	uint32_t nr = of_object ? 1 : 0;

	qr_rmap_walk(vm, from, freeze, &nr);
	/* Somebody holds it who is not found this way. */
	if (nr != frame->nr_entries) {
		qr_rmap_walk(vm, from, thaw, &from);
		vm->huge.figures.migrate_fail++;
		return false;
	}
	memcpy(qr_zone_address(&vm->zone, to), qr_zone_address(&vm->zone, from),
	       QUIRE_PAGE_BYTES);
	if (of_object) {
		struct quire_object *object =
			qr_object_at(&vm->objects, qr_page_id(frame));
		uint64_t index = qr_page_index(frame);
		quire_entry e = qr_object_get(object, index);

		(void)qr_object_set(object, index, renumber(e, to));
	}
	qr_rmap_walk(vm, from, thaw, &to);
	vm->huge.figures.migrate_success++;
	return true;
}

bool qr_huge_compact(struct quire_vm *vm)
{
	struct quire_zone *zone = &vm->zone;
	bool done;

	/* There is nothing to gain where the watermark will not give it. */
	if (qr_zone_free_frames(zone) < zone->min + QUIRE_HUGE_PAGES)
		return false;
	vm->huge.figures.compact_stall++;
	done = qr_zone_compact(zone, QUIRE_HUGE_ORDER, may_move, move_page, vm);
	if (done)
		vm->huge.figures.compact_success++;
	else
		vm->huge.figures.compact_fail++;
	return done;
}

/* Failures make it rarer: each looks at all frames. */
static bool compact_at_times(struct quire_vm *vm)
{
	struct qr_huge *huge = &vm->huge;
	bool done;

	if (++huge->nr_deferred < 1u << huge->defer_shift)
		return false;
	huge->nr_deferred = 0;
	done = qr_huge_compact(vm);
	if (done)
		huge->defer_shift = 0;
	else if (huge->defer_shift < DEFER_SHIFT_MAX)
		huge->defer_shift++;
	return done;
}

static bool take(struct quire_vm *vm, quire_pfn *out)
{
	return qr_zone_alloc_block(&vm->zone, QUIRE_FRAME_MAPPED, QUIRE_HUGE_ORDER,
				   QUIRE_ALLOC_MOVABLE, out);
}

bool qr_huge_take(struct quire_vm *vm, bool moves, quire_pfn *out)
{
	if (take(vm, out) || (moves && compact_at_times(vm) && take(vm, out))) {
		vm->huge.figures.anon++;
		return true;
	}
	return false;
}
