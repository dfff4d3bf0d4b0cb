/* SPDX-License-Identifier: MIT */
/* area_tree.h - the balanced tree under areas: link, unlink, and keep gaps right. */
#ifndef QUIRE_CORE_SPACE_AREA_TREE_H
#define QUIRE_CORE_SPACE_AREA_TREE_H

#include "core/space/area.h"

static inline struct quire_area *qr_area_at(const struct quire_areas *areas, uint32_t n)
{
	return n == 0 ? NULL : qr_pool_at(&areas->pool, n);
}

/* Puts record n, whose start and end are set, into the tree. */
void qr_area_link(struct quire_areas *areas, uint32_t n);
/* Takes the area that starts at start out; returns its record. */
uint32_t qr_area_unlink(struct quire_areas *areas, uint64_t start);
/* Recomputes gaps on the path to the area that starts at start: its or its
 * predecessor's edge moved without changing the order. */
void qr_area_refresh(struct quire_areas *areas, uint64_t start);

#endif
