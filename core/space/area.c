/* SPDX-License-Identifier: MIT */
/* area.c - areas: found, inserted, cut, merged. */
#include "core/space/area.h"

#include "core/base/assert.h"
#include "core/space/area_tree.h"

void qr_areas_init(struct quire_areas *areas, struct quire_zone *zone, uint64_t floor,
		   uint64_t ceiling)
{
	qr_pool_init(&areas->pool, zone, sizeof(struct quire_area));
	areas->root = areas->recent = 0;
	areas->floor = floor;
	areas->ceiling = ceiling;
}

void qr_areas_destroy(struct quire_areas *areas)
{
	qr_pool_destroy(&areas->pool);
	areas->root = areas->recent = 0;
}

struct quire_area *qr_areas_first(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *best = NULL;
	uint32_t n = areas->root;

	while (n != 0) {
		struct quire_area *a = qr_area_at(areas, n);

		if (a->end > va) {
			best = a;
			if (a->start <= va)
				areas->recent = n;
			n = a->left;
		} else {
			n = a->right;
		}
	}
	return best;
}

struct quire_area *qr_areas_last(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *best = NULL;
	uint32_t n = areas->root;

	while (n != 0) {
		struct quire_area *a = qr_area_at(areas, n);

		if (a->start < va) {
			best = a;
			n = a->right;
		} else {
			n = a->left;
		}
	}
	return best;
}

struct quire_area *qr_areas_find(struct quire_areas *areas, uint64_t va)
{
	struct quire_area *a = qr_area_at(areas, areas->recent);

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
	uint32_t n = areas->root;

	while (n != 0) {
		const struct quire_area *a = qr_area_at(areas, n);
		const struct quire_area *left = qr_area_at(areas, a->left);

		if (left != NULL && left->widest >= need)
			n = a->left;
		else if (a->gap >= need)
			return a;
		else if (a->widest >= need)
			n = a->right;
		else
			return NULL;
	}
	return NULL;
}

uint64_t qr_areas_gap(const struct quire_areas *areas, uint64_t bytes, uint64_t align)
{
	const struct quire_area *a = lowest_wide(areas, bytes + align - QUIRE_PAGE_BYTES);
	uint32_t n = areas->root;
	uint64_t top = areas->floor;

	if (a != NULL)
		return fit(a, bytes, align);
	for (; n != 0; n = qr_area_at(areas, n)->right)
		top = qr_area_at(areas, n)->end;
	top = (top + align - 1) & ~(align - 1);
	return top <= areas->ceiling && areas->ceiling - top >= bytes ? top : 0;
}

bool qr_areas_reserve(struct quire_areas *areas, uint32_t nr, uint32_t flags)
{
	uint32_t taken[4];
	uint32_t got = 0;

	QUIRE_ASSERT(nr <= 4);
	while (got < nr) {
		taken[got] = qr_pool_alloc(&areas->pool, flags);
		if (taken[got] == 0)
			break;
		got++;
	}
	for (uint32_t i = 0; i < got; i++)
		qr_pool_free(&areas->pool, taken[i]);
	return got == nr;
}

static bool are_alike(const struct quire_area *a, uint32_t prot, uint32_t marks)
{
	return a->prot == prot && a->marks == marks;
}

static void link_new(struct quire_areas *areas, uint64_t start, uint64_t end,
		     uint32_t prot, uint32_t marks)
{
	uint32_t n = qr_pool_alloc(&areas->pool, QUIRE_ALLOC_RESERVE);
	struct quire_area *a = qr_area_at(areas, n);

	QUIRE_ASSERT(n != 0);
	a->start = start;
	a->end = end;
	a->prot = (uint8_t)prot;
	a->marks = (uint16_t)marks;
	qr_area_link(areas, n);
}

static void unlink_free(struct quire_areas *areas, uint64_t start)
{
	qr_pool_free(&areas->pool, qr_area_unlink(areas, start));
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
	const struct quire_area *left = qr_area_at(areas, a->left);
	const struct quire_area *right = qr_area_at(areas, a->right);
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

const char *qr_areas_validate(struct quire_areas *areas)
{
	uint64_t floor = areas->floor;
	const struct quire_area *before = NULL;
	struct quire_area *a = qr_areas_first(areas, areas->floor);

	for (; a != NULL; a = qr_areas_first(areas, before->end)) {
		const char *wrong = validate_one(areas, a, floor);

		if (wrong != NULL)
			return wrong;
		if (before != NULL && before->end == a->start &&
		    are_alike(before, a->prot, a->marks))
			return "A4 like areas merged";
		floor = a->end;
		before = a;
	}
	return NULL;
}
