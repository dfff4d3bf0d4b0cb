/* SPDX-License-Identifier: MIT */
/* area_tree.h - the balanced tree under areas: link, unlink, and keep gaps right. */
#ifndef QUIRE_CORE_SPACE_AREA_TREE_H
#define QUIRE_CORE_SPACE_AREA_TREE_H

#include "core/space/area.h"

/* Puts a, whose start and end are set, into the tree. */
void qr_area_link(struct quire_areas *areas, struct quire_area *a);
/* Takes the area that starts at start out; returns its record. */
struct quire_area *qr_area_unlink(struct quire_areas *areas, uint64_t start);
/* Recomputes gaps on the path to the area that starts at start: its or its
 * predecessor's edge moved without changing the order. */
void qr_area_refresh(struct quire_areas *areas, uint64_t start);

#endif
