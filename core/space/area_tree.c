/* SPDX-License-Identifier: MIT */
/* area_tree.c - an AVL tree without recursion: the path down is kept in an array, and
 * heights and gaps are put right on the way back up. */
#include "core/space/area_tree.h"

#include "core/base/assert.h"

/* An AVL tree of 2^32 nodes is at most 1.44 * 32 deep. */
#define PATH_MAX_DEPTH 48

struct path {
	uint32_t *links[PATH_MAX_DEPTH]; /* the places that name the nodes of the path */
	uint32_t depth;
};

static uint32_t height(const struct quire_areas *areas, uint32_t n)
{
	return n == 0 ? 0 : qr_area_at(areas, n)->height;
}

static uint64_t widest(const struct quire_areas *areas, uint32_t n)
{
	return n == 0 ? 0 : qr_area_at(areas, n)->widest;
}

static uint64_t max2(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void update(const struct quire_areas *areas, uint32_t n)
{
	struct quire_area *a = qr_area_at(areas, n);
	uint32_t left = height(areas, a->left), right = height(areas, a->right);

	a->height = (uint8_t)(1 + (left > right ? left : right));
	a->widest = max2(a->gap, max2(widest(areas, a->left), widest(areas, a->right)));
}

static void rotate_right(const struct quire_areas *areas, uint32_t *link)
{
	uint32_t n = *link;
	struct quire_area *a = qr_area_at(areas, n);
	uint32_t up = a->left;

	a->left = qr_area_at(areas, up)->right;
	qr_area_at(areas, up)->right = n;
	*link = up;
	update(areas, n);
	update(areas, up);
}

static void rotate_left(const struct quire_areas *areas, uint32_t *link)
{
	uint32_t n = *link;
	struct quire_area *a = qr_area_at(areas, n);
	uint32_t up = a->right;

	a->right = qr_area_at(areas, up)->left;
	qr_area_at(areas, up)->left = n;
	*link = up;
	update(areas, n);
	update(areas, up);
}

static void balance(const struct quire_areas *areas, uint32_t *link)
{
	struct quire_area *a = qr_area_at(areas, *link);
	uint32_t left = height(areas, a->left), right = height(areas, a->right);

	if (left > right + 1) {
		struct quire_area *l = qr_area_at(areas, a->left);

		if (height(areas, l->right) > height(areas, l->left))
			rotate_left(areas, &a->left);
		rotate_right(areas, link);
	} else if (right > left + 1) {
		struct quire_area *r = qr_area_at(areas, a->right);

		if (height(areas, r->left) > height(areas, r->right))
			rotate_right(areas, &a->right);
		rotate_left(areas, link);
	} else {
		update(areas, *link);
	}
}

static void push(struct path *path, uint32_t *link)
{
	QUIRE_ASSERT(path->depth < PATH_MAX_DEPTH);
	path->links[path->depth++] = link;
}

static void climb(const struct quire_areas *areas, struct path *path)
{
	while (path->depth > 0) {
		uint32_t *link = path->links[--path->depth];

		if (*link != 0)
			balance(areas, link);
	}
}

/* Walks down to where an area that starts at start is, or would be put. */
static uint32_t *descend(struct quire_areas *areas, uint64_t start, struct path *path)
{
	uint32_t *link = &areas->root;

	path->depth = 0;
	while (*link != 0) {
		struct quire_area *a = qr_area_at(areas, *link);

		if (a->start == start)
			break;
		push(path, link);
		link = start < a->start ? &a->left : &a->right;
	}
	return link;
}

static void set_gap(struct quire_areas *areas, struct quire_area *a)
{
	const struct quire_area *before = qr_areas_last(areas, a->start);

	a->gap = a->start - (before == NULL ? areas->floor : before->end);
}

void qr_area_refresh(struct quire_areas *areas, uint64_t start)
{
	struct path path;
	uint32_t *link = descend(areas, start, &path);

	QUIRE_ASSERT(*link != 0);
	set_gap(areas, qr_area_at(areas, *link));
	push(&path, link);
	climb(areas, &path);
}

static void refresh_next(struct quire_areas *areas, uint64_t end)
{
	const struct quire_area *next = qr_areas_first(areas, end);

	if (next != NULL)
		qr_area_refresh(areas, next->start);
}

void qr_area_link(struct quire_areas *areas, uint32_t n)
{
	struct quire_area *a = qr_area_at(areas, n);
	struct path path;
	uint32_t *link = descend(areas, a->start, &path);

	QUIRE_ASSERT(*link == 0);
	set_gap(areas, a);
	a->left = a->right = 0;
	*link = n;
	push(&path, link);
	climb(areas, &path);
	refresh_next(areas, a->end);
}

/* Takes the lowest node of the subtree at link out, and returns it. */
static uint32_t take_lowest(struct quire_areas *areas, uint32_t *link)
{
	struct path path = {.depth = 0};
	uint32_t n;

	while (qr_area_at(areas, *link)->left != 0) {
		push(&path, link);
		link = &qr_area_at(areas, *link)->left;
	}
	n = *link;
	*link = qr_area_at(areas, n)->right;
	climb(areas, &path);
	return n;
}

uint32_t qr_area_unlink(struct quire_areas *areas, uint64_t start)
{
	struct path path;
	uint32_t *link = descend(areas, start, &path);
	uint32_t n = *link;
	struct quire_area *a = qr_area_at(areas, n);

	QUIRE_ASSERT(n != 0);
	if (a->right == 0) {
		*link = a->left;
	} else {
		uint32_t heir = take_lowest(areas, &a->right);
		struct quire_area *h = qr_area_at(areas, heir);

		h->left = a->left;
		h->right = a->right;
		*link = heir;
		push(&path, link);
	}
	climb(areas, &path);
	if (areas->recent == n)
		areas->recent = 0;
	refresh_next(areas, a->end);
	return n;
}
