/* SPDX-License-Identifier: MIT */
/* buddy_typed.h - the ops that the systems share whose blocks remember by a tag which
 * part of which block they are: all but the binary one. */
#ifndef QUIRE_CORE_FRAMES_BUDDY_TYPED_H
#define QUIRE_CORE_FRAMES_BUDDY_TYPED_H

#include "core/frames/buddy.h"

bool qr_typed_alloc(struct quire_buddy *buddy, uint32_t order, uint32_t group,
		    quire_pfn *out);
void qr_typed_free(struct quire_buddy *buddy, quire_pfn pfn);
void qr_typed_add(struct quire_buddy *buddy, uint32_t first, uint32_t end);
const char *qr_typed_validate(const struct quire_buddy *buddy);

#endif
