/* SPDX-License-Identifier: MIT */
/* area.c - areas: found, inserted, cut, merged. */
#include "core/space/area.h"

#include "core/base/assert.h"
#include "core/space/area_tree.h"

void qr_areas_init(struct quire_areas *areas, struct quire_zone *zone, uint64_t floor,
		   uint64_t ceiling)
{
	qr_pool_init(&areas->pool, zone, sizeof(struct quire_area));
	areas->root = areas->recent = NULL;
	areas->nr_spare = 0;
	areas->floor = floor;
	areas->ceiling = ceiling;
}

void qr_areas_destroy(struct quire_areas *areas)
{
	qr_pool_destroy(&areas->pool);
	areas->root = areas->recent = NULL;
	areas->nr_spare = 0;
}

struct quire_area *qr_areas_first(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *best = NULL;

	for (struct quire_area *a = areas->root; a != NULL;) {
		if (a->end > va) {
			best = a;
			a = a->left;
		} else {
			a = a->right;
		}
	}
	if (best != NULL && best->start <= va)
		areas->recent = best;
	return best;
}

struct quire_area *qr_areas_last(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *best = NULL;

	for (struct quire_area *a = areas->root; a != NULL;) {
		if (a->start < va) {
			best = a;
			a = a->right;
		} else {
			a = a->left;
		}
	}
	return best;
}

struct quire_area *qr_areas_find(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *a = areas->recent;

	if (a != NULL && a->start <= va && va < a->end)
		return a;
	a = qr_areas_first(areas, va);
	return a != NULL && a->start <= va ? a : NULL;
}

bool qr_areas_are_free(struct quire_areas *areas, uint64_t start, uint64_t end)
{
	const struct quire_area *a = qr_areas_first(areas, start);

	return a == NULL || a->start >= end;
}

static uint64_t fit(const struct quire_area *a, uint64_t bytes, uint64_t align)
{
	uint64_t at = (a->start - a->gap + align - 1) & ~(align - 1);

	return at <= a->start && a->start - at >= bytes ? at : 0;
}

/* The lowest area of the tree whose gap takes bytes + align - 1, where a multiple of
 * align surely fits. */
static const struct quire_area *lowest_wide(const struct quire_areas *areas,
					    uint64_t need)
{
	const struct quire_area *a = areas->root;

	while (a != NULL) {
		if (a->left != NULL && a->left->widest >= need)
			a = a->left;
		else if (a->gap >= need)
			return a;
		else if (a->widest >= need)
			a = a->right;
		else
			return NULL;
	}
	return NULL;
}

uint64_t qr_areas_gap(const struct quire_areas *areas, uint64_t bytes, uint64_t align)
{
	const struct quire_area *a = lowest_wide(areas, bytes + align - QUIRE_PAGE_BYTES);
	uint64_t top = areas->floor;

	if (a != NULL)
		return fit(a, bytes, align);
	for (a = areas->root; a != NULL; a = a->right)
		top = a->end;
	top = (top + align - 1) & ~(align - 1);
	return top <= areas->ceiling && areas->ceiling - top >= bytes ? top : 0;
}

/* The highest area of the subtree that has a gap of need; there is one. */
static struct quire_area *highest_within(struct quire_area *a, uint64_t need)
{
	for (;;) {
		if (a->right != NULL && a->right->widest >= need)
			a = a->right;
		else if (a->gap >= need)
			return a;
		else
			a = a->left;
	}
}

/* The highest area that starts at or below top and has a gap of need, or NULL. */
static struct quire_area *highest_wide(struct quire_areas *areas, uint64_t top,
				       uint64_t need)
{
	struct quire_area *found = NULL, *below = NULL;

	for (struct quire_area *a = areas->root; a != NULL && a->widest >= need;) {
		if (a->start > top) {
			a = a->left;
			continue;
		}
		if (a->gap >= need) {
			found = a;
			below = NULL;
		} else if (a->left != NULL && a->left->widest >= need) {
			found = NULL;
			below = a->left;
		}
		a = a->right;
	}
	return below != NULL ? highest_within(below, need) : found;
}

uint64_t qr_areas_gap_below(struct quire_areas *areas, uint64_t low, uint64_t high,
			    uint64_t bytes, struct quire_area **above)
{
	struct quire_area *last = qr_areas_last(areas, high);
	uint64_t end = high;

	/* The gap that high cuts off, then whole ones. */
	*above = NULL;
	if (last != NULL && (last->end >= high || high - last->end < bytes)) {
		*above = highest_wide(areas, last->start, bytes);
		if (*above == NULL)
			return 0;
		end = (*above)->start;
	} else if (high < areas->ceiling) {
		*above = qr_areas_first(areas, high);
	}
	return end >= low + bytes ? end - bytes : 0;
}

bool qr_areas_reserve(struct quire_areas *areas, uint32_t nr, uint32_t flags)
{
	QUIRE_ASSERT(nr <= QUIRE_SPARE_AREAS);
	while (areas->nr_spare < nr) {
		uint32_t n = qr_pool_alloc(&areas->pool, flags);

		if (n == 0)
			return false;
		areas->spare[areas->nr_spare++] = n;
	}
	return true;
}

void qr_areas_unreserve(struct quire_areas *areas)
{
	while (areas->nr_spare > 0)
		qr_pool_free(&areas->pool, areas->spare[--areas->nr_spare]);
}

struct quire_area *qr_areas_take(struct quire_areas *areas)
{
	struct quire_area *a;
	uint32_t n;

	QUIRE_ASSERT(areas->nr_spare > 0);
	n = areas->spare[--areas->nr_spare];
	a = qr_pool_at(&areas->pool, n);
	*a = (struct quire_area){.number = n};
	return a;
}

void qr_areas_give(struct quire_areas *areas, struct quire_area *a)
{
	if (areas->nr_spare < QUIRE_SPARE_AREAS)
		areas->spare[areas->nr_spare++] = a->number;
	else
		qr_pool_free(&areas->pool, a->number);
}

static bool are_alike(const struct quire_area *a, uint32_t prot, uint32_t marks)
{
	return a->prot == prot && a->marks == marks;
}

static void link_new(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks)
{
	struct quire_area *a = qr_areas_take(areas);

	a->start = start;
	a->end = end;
	a->prot = (uint8_t)prot;
	a->marks = marks;
	qr_area_link(areas, a);
}

static void unlink_free(struct quire_areas *areas, uint64_t start)
{
	qr_areas_give(areas, qr_area_unlink(areas, start));
}

void qr_areas_insert(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks)
{
	struct quire_area *before = qr_areas_last(areas, start);
	struct quire_area *after = qr_areas_first(areas, end);

	if (after != NULL && after->start == end && are_alike(after, prot, marks)) {
		end = after->end;
		unlink_free(areas, after->start);
	}
	if (before != NULL && before->end == start && are_alike(before, prot, marks)) {
		before->end = end;
		after = qr_areas_first(areas, end);
		if (after != NULL)
			qr_area_refresh(areas, after->start);
		return;
	}
	link_new(areas, start, end, prot, marks);
}

/* Takes [start, end), which lies in a, out of it. */
static void cut(struct quire_areas *areas, struct quire_area *a, uint64_t start,
		uint64_t end)
{
	struct quire_area whole = *a;

	unlink_free(areas, a->start);
	if (whole.start < start)
		link_new(areas, whole.start, start, whole.prot, whole.marks);
	if (end < whole.end)
		link_new(areas, end, whole.end, whole.prot, whole.marks);
}

void qr_areas_remove(struct quire_areas *areas, uint64_t start, uint64_t end)
{
	struct quire_area *a = qr_areas_first(areas, start);

	while (a != NULL && a->start < end) {
		cut(areas, a, a->start > start ? a->start : start,
		    a->end < end ? a->end : end);
		a = qr_areas_first(areas, start);
	}
}

void qr_areas_change(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks)
{
	struct quire_area *a = qr_areas_find(areas, start);

	QUIRE_ASSERT(a != NULL && end <= a->end);
	if (are_alike(a, prot, marks))
		return;
	cut(areas, a, start, end);
	qr_areas_insert(areas, start, end, prot, marks);
}

/* One area against its predecessor's end. */
static const char *validate_one(const struct quire_areas *areas,
				const struct quire_area *a, uint64_t floor)
{
	const struct quire_area *left = a->left, *right = a->right;
	int balance =
		(left == NULL ? 0 : left->height) - (right == NULL ? 0 : right->height);
	uint64_t widest = a->gap;

	if (a->start < floor || a->end <= a->start || a->end > areas->ceiling)
		return "A1 areas in order";
	if (balance < -1 || balance > 1)
		return "A2 areas balanced";
	if (left != NULL && left->widest > widest)
		widest = left->widest;
	if (right != NULL && right->widest > widest)
		widest = right->widest;
	if (a->gap != a->start - floor || a->widest != widest)
		return "A3 gaps of areas";
	return NULL;
}

static const char *validate(struct quire_areas *areas, bool merged)
{
	uint64_t floor = areas->floor;
	const struct quire_area *before = NULL;
	struct quire_area *a = qr_areas_first(areas, areas->floor);

	for (; a != NULL; a = qr_areas_first(areas, before->end)) {
		const char *wrong = validate_one(areas, a, floor);

		if (wrong != NULL)
			return wrong;
		if (merged && before != NULL && before->end == a->start &&
		    are_alike(before, a->prot, a->marks))
			return "A4 like areas merged";
		floor = a->end;
		before = a;
	}
	return NULL;
}

const char *qr_areas_validate(struct quire_areas *areas)
{
	return validate(areas, true);
}

const char *qr_areas_validate_tree(struct quire_areas *areas)
{
	return validate(areas, false);
}
