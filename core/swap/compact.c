/* SPDX-License-Identifier: MIT */
/* compact.c - sparse zspages emptied into the gaps of others of their class.
 *
 * An object does not know its slot, so the owners of all objects that are to move are
 * found by one walk over the slots; that is why several zspages are emptied at a time,
 * though one of a class only: gaps are then not promised twice.
 */
#include "core/base/assert.h"
#include "core/swap/zspage.h"

/* How many open zspages of a class are looked at. */
#define LOOK_MAX 64u

/* Objects that were cut off and are free. */
static uint32_t nr_gaps(const struct qr_zspage *z)
{
	return (uint32_t)z->bump - z->nr_live;
}

/* The sparsest zspage of the class whose objects all find gaps elsewhere, or 0. */
static uint32_t sparsest(const struct quire_swap *swap, uint32_t size_class)
{
	uint32_t number = swap->open[size_class].first;
	uint32_t best = 0;
	uint32_t gaps = 0;

	for (uint32_t i = 0; number != 0 && i < LOOK_MAX; i++) {
		const struct qr_zspage *z = qr_zspage_at(swap, number);

		gaps += nr_gaps(z);
		if (best == 0 || z->nr_live < qr_zspage_at(swap, best)->nr_live)
			best = number;
		number = z->next;
	}
	if (best != 0) {
		const struct qr_zspage *z = qr_zspage_at(swap, best);

		if (gaps - nr_gaps(z) < z->nr_live)
			best = 0;
	}
	return best;
}

static void forget_richest(const struct quire_swap *swap, uint32_t *victims)
{
	uint32_t richest = 0;

	for (uint32_t c = 0; c < QUIRE_SWAP_CLASSES; c++) {
		if (victims[c] == 0)
			continue;
		if (victims[richest] == 0 ||
		    qr_zspage_at(swap, victims[c])->live_bytes >
			    qr_zspage_at(swap, victims[richest])->live_bytes)
			richest = c;
	}
	victims[richest] = 0;
}

/* At most nr victims, by class; returns how many.  The raw class frees its frames one by
 * one and has nothing to gain. */
static uint32_t choose(const struct quire_swap *swap, uint32_t nr, uint32_t *victims)
{
	uint32_t nr_victims = 0;

	for (uint32_t c = QUIRE_CLASS_RAW + 1; c < qr_class_count(); c++) {
		victims[c] = sparsest(swap, c);
		nr_victims += victims[c] != 0;
	}
	for (; nr_victims > nr; nr_victims--)
		forget_richest(swap, victims);
	return nr_victims;
}

/* The slot's object, in a sealed zspage, goes to a gap of another. */
static void move(struct quire_swap *swap, uint32_t *object)
{
	struct qr_zspage *from = qr_zspage_at(swap, qr_object_zspage(*object));
	uint32_t offset = qr_object_offset(from, qr_object_index(*object));
	uint32_t bytes = qr_object_length(swap, from, qr_object_index(*object));
	struct qr_zspage *to;
	uint32_t target;

	if (!qr_object_take_freed(swap, from->size_class, &target))
		swap->port->panic(swap->port->ctx,
				  "swap: S1: the gaps of a class are fewer than counted");
	to = qr_zspage_at(swap, qr_object_zspage(target));
	qr_zspage_copy(swap, to, qr_object_offset(to, qr_object_index(target)), from,
		       offset, bytes + (uint32_t)sizeof(uint16_t));
	to->live_bytes = (uint16_t)(to->live_bytes + bytes);
	from->live_bytes = (uint16_t)(from->live_bytes - bytes);
	qr_object_give(swap, *object);
	*object = target;
}

static bool is_victim(const struct quire_swap *swap, const uint32_t *victims,
		      uint32_t number)
{
	return victims[qr_zspage_at(swap, number)->size_class] == number;
}

static void move_all(struct quire_swap *swap, const uint32_t *victims)
{
	for (uint32_t n = qr_pool_next(&swap->slots, 0); n != 0;
	     n = qr_pool_next(&swap->slots, n)) {
		uint32_t *object = qr_slot_object(swap, n);

		if (is_victim(swap, victims, qr_object_zspage(*object)))
			move(swap, object);
	}
}

uint32_t qr_swap_compact(struct quire_swap *swap, uint32_t nr)
{
	uint32_t victims[QUIRE_SWAP_CLASSES] = {0};
	uint32_t nr_freed = 0;

	if (choose(swap, nr, victims) == 0)
		return 0;
	for (uint32_t c = 0; c < QUIRE_SWAP_CLASSES; c++) {
		if (victims[c] != 0)
			qr_zspage_seal(swap, victims[c]);
	}
	move_all(swap, victims);
	for (uint32_t c = 0; c < QUIRE_SWAP_CLASSES; c++) {
		if (victims[c] != 0)
			nr_freed += qr_zspage_dispose(swap, victims[c]);
	}
	return nr_freed;
}
