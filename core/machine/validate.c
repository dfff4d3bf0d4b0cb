/* SPDX-License-Identifier: MIT */
/* validate.c - every storey's walk, one after another, and the account. */
#include "core/report/validate.h"
#include "core/machine/machine.h"

static const char *validate_locked(struct quire *q)
{
	const char *wrong = qr_zone_validate(&q->zone);

	if (wrong == NULL)
		wrong = qr_pool_validate(&q->space.areas.pool);
	if (wrong == NULL)
		wrong = qr_areas_validate(&q->space.areas);
	if (wrong == NULL)
		wrong = qr_report_validate(&q->space);
	if (wrong == NULL)
		wrong = qr_swap_validate(&q->swap);
	return wrong;
}

const char *quire_validate(struct quire *q)
{
	const char *wrong;

	qr_lock(&q->lock);
	wrong = validate_locked(q);
	qr_unlock(&q->lock);
	return wrong;
}

void quire_set_stats(struct quire *q, struct quire_stats *stats)
{
	qr_lock(&q->lock);
	*stats = *q->space.stats;
	q->space.stats = q->swap.stats = q->zone.stats = stats;
	qr_unlock(&q->lock);
}
