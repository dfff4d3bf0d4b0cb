/* SPDX-License-Identifier: MIT */
/* slabinfo.h - the caches of an allocator as Linux's slabinfo shows them. */
#ifndef QUIRE_CORE_REPORT_SLABINFO_H
#define QUIRE_CORE_REPORT_SLABINFO_H

#include "core/base/text.h"
#include "quire/objects.h"

/* Adds the two lines of headings, as version 2.1 has them. */
void qr_report_slabinfo_head(struct qr_text *text);
/* Adds one line.  The tunables are the magazines': limit is what a CPU's two hold,
 * batchcount what one does, and the shared factor 0, as nothing is tuned. */
void qr_report_slabinfo_row(struct qr_text *text, const struct quire_slabinfo *info);
/* Adds it all. */
void qr_report_slabinfo(struct qr_text *text, struct quire_objects *objects);

#endif
