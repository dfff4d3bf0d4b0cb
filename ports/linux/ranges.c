/* SPDX-License-Identifier: MIT */
/* ranges.c - sets of address ranges. */
#include "ports/linux/ranges.h"

#include "core/base/assert.h"
#include "ports/linux/sys.h"

#include <sys/mman.h>

#define ROOM_FIRST 256u

void qr_ranges_init(struct qr_ranges *ranges, const struct quire_port *port)
{
	qr_lock_init(&ranges->lock, port);
}

static size_t bytes_of(uint32_t room)
{
	return room * sizeof(struct quire_range);
}

static bool grow(struct qr_ranges *ranges)
{
	uint32_t room = ranges->room == 0 ? ROOM_FIRST : ranges->room * 2;
	long at;

	if (ranges->room == 0)
		at = qr_host_mmap(NULL, bytes_of(room), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		at = qr_host_mremap(ranges->at, bytes_of(ranges->room), bytes_of(room),
				    MREMAP_MAYMOVE, NULL);
	if (qr_failed(at))
		return false;
	ranges->at = (struct quire_range *)at;
	ranges->room = room;
	return true;
}

bool qr_ranges_reserve(struct qr_ranges *ranges)
{
	bool has_room;

	qr_lock(&ranges->lock);
	has_room = ranges->nr < ranges->room || grow(ranges);
	qr_unlock(&ranges->lock);
	return has_room;
}

/* Another thread may have used the place that was reserved. */
static void append(struct qr_ranges *ranges, struct quire_range range)
{
	bool has_room = ranges->nr < ranges->room || grow(ranges);

	QUIRE_ASSERT(has_room);
	ranges->at[ranges->nr] = range;
	ranges->nr++;
}

void qr_ranges_add(struct qr_ranges *ranges, struct quire_range range)
{
	qr_lock(&ranges->lock);
	append(ranges, range);
	qr_unlock(&ranges->lock);
}

static bool overlap(struct quire_range a, struct quire_range b)
{
	return a.start.a < b.end.a && b.start.a < a.end.a;
}

/* What is left of range i without cut. */
static void cut_one(struct qr_ranges *ranges, uint32_t i, struct quire_range cut)
{
	struct quire_range old = ranges->at[i];
	bool has_head = old.start.a < cut.start.a, has_tail = cut.end.a < old.end.a;

	if (has_head)
		ranges->at[i].end = cut.start;
	else if (has_tail)
		ranges->at[i].start = cut.end;
	else
		ranges->at[i] = ranges->at[--ranges->nr];
	if (has_head && has_tail)
		append(ranges, (struct quire_range){cut.end, old.end});
}

void qr_ranges_remove(struct qr_ranges *ranges, struct quire_range range)
{
	uint32_t i = 0;

	if (ranges->nr == 0)
		return;
	qr_lock(&ranges->lock);
	while (i < ranges->nr) {
		if (overlap(ranges->at[i], range))
			cut_one(ranges, i, range);
		if (i < ranges->nr && overlap(ranges->at[i], range))
			continue;
		i++;
	}
	qr_unlock(&ranges->lock);
}

bool qr_ranges_first(struct qr_ranges *ranges, struct quire_range within,
		     struct quire_range *out)
{
	bool found = false;

	if (ranges->nr == 0)
		return false;
	qr_lock(&ranges->lock);
	for (uint32_t i = 0; i < ranges->nr; i++) {
		const struct quire_range *r = &ranges->at[i];

		if (!overlap(*r, within) || (found && r->start.a >= out->start.a))
			continue;
		*out = *r;
		found = true;
	}
	qr_unlock(&ranges->lock);
	if (found && out->start.a < within.start.a)
		out->start = within.start;
	if (found && out->end.a > within.end.a)
		out->end = within.end;
	return found;
}

uint64_t qr_ranges_bytes(struct qr_ranges *ranges)
{
	uint64_t sum = 0;

	qr_lock(&ranges->lock);
	for (uint32_t i = 0; i < ranges->nr; i++)
		sum += ranges->at[i].end.a - ranges->at[i].start.a;
	qr_unlock(&ranges->lock);
	return sum;
}
