/* SPDX-License-Identifier: MIT */
/* fork.c - a copy of the whole machine, made while nobody is at work in it. */
#include "core/machine/machine.h"

/* The ground forgets in the child which pages it protected: a write to a page with a
 * good copy would go unseen there.  So no page of the child has a copy. */
static void forget_copy(void *ctx, const struct qr_leaf *leaf, uint32_t index)
{
	struct quire *q = ctx;
	quire_entry e = leaf->entries[index];

	if (!qr_entry_is_present(e))
		return;
	qr_space_drop_copy(&q->space, qr_entry_pfn(e));
	qr_leaf_set(&q->space.tables, leaf, index,
		    qr_entry_with(e, QUIRE_ENTRY_WRITABLE | QUIRE_ENTRY_DIRTY));
}

void quire_fork_prepare(struct quire *q)
{
	qr_lock(&q->lock);
	while (q->is_stopping)
		qr_event_wait(&q->space.settled, &q->lock);
	q->is_stopping = true;
	while (q->nr_at_work > 0 || q->space.is_changing)
		qr_event_wait(&q->space.settled, &q->lock);
}

void quire_fork_resume(struct quire *q, bool child)
{
	const struct quire_areas *areas = &q->space.areas;
	struct quire_range all = {{areas->floor}, {areas->ceiling}};

	if (child) {
		qr_lock_init(&q->lock, q->port);
		qr_lock(&q->lock);
		q->space.settled.nr_waiters = 0;
		q->reclaim.surplus.nr_waiters = 0;
		q->reclaim.shortage.nr_waiters = 0;
		if ((q->port->caps & QUIRE_PORT_COPIES) != 0)
			qr_space_each(&q->space, all, forget_copy, q);
	}
	qr_swap_seal(&q->swap);
	q->is_stopping = false;
	qr_event_raise(&q->space.settled, &q->lock);
	qr_event_raise(&q->reclaim.surplus, &q->lock);
	qr_unlock(&q->lock);
}

static enum quire_status restore_leaf(
	struct quire *q, struct quire_lane *lane, const struct qr_leaf *leaf,
	void (*put)(void *ctx, quire_vaddr va, const void *bytes), void *ctx)
{
	for (uint32_t i = 0; i < QUIRE_TABLE_ENTRIES; i++) {
		quire_entry e = leaf->entries[i];
		enum quire_status status;

		if (!qr_entry_is_swapped(e))
			continue;
		status = qr_space_load(&q->swap, lane, (quire_slot){qr_entry_number(e)},
				       lane->staging, true);
		if (status != QUIRE_OK)
			return status;
		put(ctx, qr_leaf_address(leaf, i), lane->staging);
	}
	return QUIRE_OK;
}

enum quire_status quire_fork_restore(struct quire *q, uint32_t lane,
				     void (*put)(void *ctx, quire_vaddr va,
						 const void *bytes),
				     void *ctx)
{
	const struct quire_areas *areas = &q->space.areas;
	struct quire_range left = {{areas->floor}, {areas->ceiling}};
	struct qr_leaf leaf;

	while (left.start.a < left.end.a &&
	       qr_tables_next_leaf(&q->space.tables, left, &leaf)) {
		enum quire_status status =
			restore_leaf(q, &q->space.lanes[lane], &leaf, put, ctx);

		if (status != QUIRE_OK)
			return status;
		left.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	return QUIRE_OK;
}
