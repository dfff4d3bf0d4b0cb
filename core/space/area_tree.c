/* SPDX-License-Identifier: MIT */
/* area_tree.c - an AVL tree without recursion: the path down is kept in an array, and
 * heights and gaps are put right on the way back up, as far as they change.
 *
 * A node that is put in has no children, so both its neighbours are on the path down to
 * it; one that is taken out has each neighbour there or in a subtree of its own.
 */
#include "core/space/area_tree.h"

#include "core/base/assert.h"

/* An AVL tree of 2^32 nodes is at most 1.44 * 32 deep. */
#define PATH_MAX_DEPTH 48

/* No node of the path has changed beside the last. */
#define NOBODY UINT32_MAX

struct path {
	struct quire_area **links[PATH_MAX_DEPTH]; /* the places that name its nodes */
	uint32_t depth;
	struct quire_area *before,
		*behind;    /* of those passed, the nearest on each side */
	uint32_t behind_at; /* where behind is on the path */
};

static uint32_t height(const struct quire_area *a)
{
	return a == NULL ? 0 : a->height;
}

static uint64_t widest(const struct quire_area *a)
{
	return a == NULL ? 0 : a->widest;
}

static uint64_t max2(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* True when something changed. */
static bool update(struct quire_area *a)
{
	uint32_t left = height(a->left), right = height(a->right);
	uint8_t tall = (uint8_t)(1 + (left > right ? left : right));
	uint64_t wide = max2(a->gap, max2(widest(a->left), widest(a->right)));
	bool changed = a->height != tall || a->widest != wide;

	a->height = tall;
	a->widest = wide;
	return changed;
}

static void rotate_right(struct quire_area **link)
{
	struct quire_area *a = *link, *up = a->left;

	a->left = up->right;
	up->right = a;
	*link = up;
	(void)update(a);
	(void)update(up);
}

static void rotate_left(struct quire_area **link)
{
	struct quire_area *a = *link, *up = a->right;

	a->right = up->left;
	up->left = a;
	*link = up;
	(void)update(a);
	(void)update(up);
}

/* True when the node's height or widest changed, or it is another now. */
static bool balance(struct quire_area **link)
{
	struct quire_area *a = *link;
	uint32_t left = height(a->left), right = height(a->right);

	if (left > right + 1) {
		if (height(a->left->right) > height(a->left->left))
			rotate_left(&a->left);
		rotate_right(link);
		return true;
	}
	if (right > left + 1) {
		if (height(a->right->left) > height(a->right->right))
			rotate_right(&a->right);
		rotate_left(link);
		return true;
	}
	return update(a);
}

static void push(struct path *path, struct quire_area **link)
{
	QUIRE_ASSERT(path->depth < PATH_MAX_DEPTH);
	path->links[path->depth++] = link;
}

/* Up from the path's end to where nothing changes, but not short of place until. */
static void climb(struct path *path, uint32_t until)
{
	while (path->depth > 0) {
		struct quire_area **link = path->links[--path->depth];

		if (*link == NULL)
			continue;
		if (!balance(link) && (until == NOBODY || path->depth <= until))
			return;
	}
}

/* Walks down to where an area that starts at start is, or would be put. */
static struct quire_area **descend(struct quire_areas *areas, uint64_t start,
				   struct path *path)
{
	struct quire_area **link = &areas->root;

	path->depth = 0;
	path->before = path->behind = NULL;
	path->behind_at = NOBODY;
	while (*link != NULL) {
		struct quire_area *a = *link;

		if (a->start == start)
			break;
		if (start < a->start) {
			path->behind = a;
			path->behind_at = path->depth;
			push(path, link);
			link = &a->left;
		} else {
			path->before = a;
			push(path, link);
			link = &a->right;
		}
	}
	return link;
}

static struct quire_area *highest(struct quire_area *a)
{
	while (a->right != NULL)
		a = a->right;
	return a;
}

static uint64_t end_of(const struct quire_areas *areas, const struct quire_area *before)
{
	return before == NULL ? areas->floor : before->end;
}

void qr_area_refresh(struct quire_areas *areas, uint64_t start)
{
	struct path path;
	struct quire_area **link = descend(areas, start, &path);
	struct quire_area *a = *link;

	QUIRE_ASSERT(a != NULL);
	if (a->left != NULL)
		path.before = highest(a->left);
	a->gap = a->start - end_of(areas, path.before);
	push(&path, link);
	climb(&path, NOBODY);
}

void qr_area_link(struct quire_areas *areas, struct quire_area *a)
{
	struct path path;
	struct quire_area **link = descend(areas, a->start, &path);

	QUIRE_ASSERT(*link == NULL);
	a->gap = a->start - end_of(areas, path.before);
	a->left = a->right = NULL;
	a->height = 0;
	*link = a;
	if (path.behind != NULL)
		path.behind->gap = path.behind->start - a->end;
	push(&path, link);
	climb(&path, path.behind_at);
}

/* Takes the lowest node of the subtree at link out, and returns it. */
static struct quire_area *take_lowest(struct quire_area **link)
{
	struct path path = {.depth = 0};
	struct quire_area *a;

	while ((*link)->left != NULL) {
		push(&path, link);
		link = &(*link)->left;
	}
	a = *link;
	*link = a->right;
	climb(&path, NOBODY);
	return a;
}

struct quire_area *qr_area_unlink(struct quire_areas *areas, uint64_t start)
{
	struct path path;
	struct quire_area **link = descend(areas, start, &path);
	struct quire_area *a = *link, *heir = NULL;

	QUIRE_ASSERT(a != NULL);
	if (a->left != NULL)
		path.before = highest(a->left);
	if (a->right == NULL) {
		*link = a->left;
	} else {
		heir = take_lowest(&a->right);
		heir->left = a->left;
		heir->right = a->right;
		/* What changes here is measured by what was here. */
		heir->height = a->height;
		heir->widest = a->widest;
		*link = heir;
		path.behind = heir;
		path.behind_at = path.depth;
		push(&path, link);
	}
	if (path.behind != NULL)
		path.behind->gap = path.behind->start - end_of(areas, path.before);
	climb(&path, path.behind_at);
	if (areas->recent == a)
		areas->recent = NULL;
	return a;
}
