/* SPDX-License-Identifier: MIT */
/* slabinfo.c - by the format of Linux's mm/slab_common.c:
 *
 *     "%-17s %6lu %6lu %6u %4u %4d"
 *     " : tunables %4u %4u %4u"
 *     " : slabdata %6lu %6lu %6lu\n"
 */
#include "core/report/slabinfo.h"

void qr_report_slabinfo_head(struct qr_text *text)
{
	qr_text_string(text,
		       "slabinfo - version: 2.1\n"
		       "# name            <active_objs> <num_objs> <objsize> "
		       "<objperslab> <pagesperslab>"
		       " : tunables <limit> <batchcount> <sharedfactor>"
		       " : slabdata <active_slabs> <num_slabs> <sharedavail>\n",
		       0);
}

static void add_column(struct qr_text *text, uint64_t value, uint32_t width)
{
	qr_text_char(text, ' ');
	qr_text_number(text, value, width);
}

void qr_report_slabinfo_row(struct qr_text *text, const struct quire_slabinfo *info)
{
	qr_text_left(text, info->name, 17);
	add_column(text, info->active_objs, 6);
	add_column(text, info->num_objs, 6);
	add_column(text, info->objsize, 6);
	add_column(text, info->objperslab, 4);
	add_column(text, info->pagesperslab, 4);
	qr_text_string(text, " : tunables", 0);
	add_column(text, info->limit, 4);
	add_column(text, info->batchcount, 4);
	add_column(text, 0, 4);
	qr_text_string(text, " : slabdata", 0);
	add_column(text, info->active_slabs, 6);
	add_column(text, info->num_slabs, 6);
	add_column(text, info->sharedavail, 6);
	qr_text_char(text, '\n');
}

void qr_report_slabinfo(struct qr_text *text, struct quire_objects *objects)
{
	struct quire_slabinfo info;

	qr_report_slabinfo_head(text);
	for (uint32_t i = 0; quire_slabinfo(objects, i, &info); i++)
		qr_report_slabinfo_row(text, &info);
}
