/* SPDX-License-Identifier: MIT */
/* frames_text.c - zones as Linux prints them: /proc/buddyinfo, zoneinfo, pagetypeinfo. */
#include "core/base/text.h"
#include "quire/frames.h"

/* Linux's names of what group 0 and group 1 are. */
static const char *const group_names[QUIRE_INFO_GROUPS] = {"Unmovable", "Movable"};

static void add_zone_name(struct qr_text *text, const struct quire_zone_info *info)
{
	qr_text_string(text, "Node 0, zone ", 0);
	qr_text_string(text, info->name, 8);
}

size_t quire_frames_buddyinfo(struct quire_frames *f, char *bytes, size_t room)
{
	struct quire_zone_info info;
	struct qr_text text;

	qr_text_init(&text, bytes, room);
	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		if (!quire_frames_info(f, (enum quire_zone_kind)z, &info))
			continue;
		add_zone_name(&text, &info);
		qr_text_char(&text, ' ');
		for (uint32_t order = 0; order < info.nr_orders; order++) {
			qr_text_number(&text,
				       info.blocks[0][order] + info.blocks[1][order], 6);
			qr_text_char(&text, ' ');
		}
		qr_text_char(&text, '\n');
	}
	return text.length;
}

static void add_field(struct qr_text *text, const char *before, const char *name,
		      uint32_t width, uint64_t value)
{
	qr_text_string(text, before, 0);
	qr_text_left(text, name, width);
	qr_text_number(text, value, 0);
	qr_text_char(text, '\n');
}

static void add_marks(struct qr_text *text, const struct quire_zone_info *info)
{
	static const char indent[] = "        ";

	add_field(text, "  pages ", "free", 9, info->free);
	add_field(text, indent, "boost", 9, 0);
	add_field(text, indent, "min", 9, info->min);
	add_field(text, indent, "low", 9, info->low);
	add_field(text, indent, "high", 9, info->high);
	add_field(text, indent, "spanned", 9, info->spanned);
	add_field(text, indent, "present", 9, info->present);
	add_field(text, indent, "managed", 9, info->managed);
	qr_text_string(text, indent, 0);
	qr_text_string(text, "protection: (", 0);
	for (uint32_t j = 0; j < QUIRE_ZONES; j++) {
		qr_text_string(text, j == 0 ? "" : ", ", 0);
		qr_text_number(text, info->reserve[j], 0);
	}
	qr_text_string(text, ")\n", 0);
}

static void add_uses(struct qr_text *text, const struct quire_zone_info *info)
{
	static const struct {
		const char *name;
		enum quire_frame_use use;
	} uses[] = {
		{"nr_anon_pages", QUIRE_FRAME_MAPPED},
		{"nr_slab", QUIRE_FRAME_SLAB},
		{"nr_page_table_pages", QUIRE_FRAME_TABLE},
		{"nr_zspages", QUIRE_FRAME_STORE},
		{"nr_hwpoison", QUIRE_FRAME_BAD},
	};

	add_field(text, "      ", "nr_free_pages ", 0, info->free);
	for (uint32_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		qr_text_string(text, "      ", 0);
		qr_text_left(text, uses[i].name, 12);
		qr_text_char(text, ' ');
		qr_text_number(text, info->uses[uses[i].use], 0);
		qr_text_char(text, '\n');
	}
}

static void add_lists(struct quire_frames *f, enum quire_zone_kind kind,
		      struct qr_text *text, const struct quire_zone_info *info)
{
	static const char indent[] = "              ";

	qr_text_string(text, "  pagesets\n", 0);
	for (uint32_t cpu = 0; cpu < info->nr_cpus; cpu++) {
		add_field(text, "    ", "cpu: ", 0, cpu);
		add_field(text, indent, "count:", 10, quire_frames_cached(f, kind, cpu));
		add_field(text, indent, "high:", 10, info->list_high);
		add_field(text, indent, "batch:", 10, info->batch);
	}
	add_field(text, "  ", "node_unreclaimable:", 21, 0);
	add_field(text, "  ", "start_pfn:", 21, info->start);
}

size_t quire_frames_zoneinfo(struct quire_frames *f, char *bytes, size_t room)
{
	struct quire_zone_info info;
	struct qr_text text;

	qr_text_init(&text, bytes, room);
	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		enum quire_zone_kind kind = (enum quire_zone_kind)z;

		if (!quire_frames_info(f, kind, &info))
			continue;
		add_zone_name(&text, &info);
		qr_text_char(&text, '\n');
		add_marks(&text, &info);
		add_uses(&text, &info);
		add_lists(f, kind, &text, &info);
	}
	return text.length;
}

static void add_types(struct qr_text *text, const struct quire_zone_info *info)
{
	for (uint32_t group = 0; group < QUIRE_INFO_GROUPS; group++) {
		qr_text_string(text, "Node    0, zone ", 0);
		qr_text_string(text, info->name, 8);
		qr_text_string(text, ", type ", 0);
		qr_text_string(text, group_names[group], 12);
		qr_text_char(text, ' ');
		for (uint32_t order = 0; order < info->nr_orders; order++) {
			qr_text_number(text, info->blocks[group][order], 6);
			qr_text_char(text, ' ');
		}
		qr_text_char(text, '\n');
	}
}

static void add_runs(struct qr_text *text, const struct quire_zone_info *info)
{
	add_zone_name(text, info);
	qr_text_char(text, ' ');
	for (uint32_t group = 0; group < QUIRE_INFO_GROUPS; group++) {
		qr_text_number(text, info->runs[group], 12);
		qr_text_char(text, ' ');
	}
	qr_text_char(text, '\n');
}

size_t quire_frames_pagetypeinfo(struct quire_frames *f, char *bytes, size_t room)
{
	struct quire_zone_info info;
	struct qr_text text;
	uint32_t nr_orders = 0;

	qr_text_init(&text, bytes, room);
	for (uint32_t z = 0; z < QUIRE_ZONES; z++)
		if (quire_frames_info(f, (enum quire_zone_kind)z, &info) &&
		    info.nr_orders > nr_orders)
			nr_orders = info.nr_orders;
	qr_text_string(&text, "Page block order: 9\nPages per block:  512\n\n", 0);
	qr_text_left(&text, "Free pages count per migrate type at order ", 43);
	for (uint32_t order = 0; order < nr_orders; order++) {
		qr_text_number(&text, order, 6);
		qr_text_char(&text, ' ');
	}
	qr_text_char(&text, '\n');
	for (uint32_t z = 0; z < QUIRE_ZONES; z++)
		if (quire_frames_info(f, (enum quire_zone_kind)z, &info))
			add_types(&text, &info);
	qr_text_string(&text, "\nNumber of blocks type ", 0);
	for (uint32_t group = 0; group < QUIRE_INFO_GROUPS; group++) {
		qr_text_string(&text, group_names[group], 12);
		qr_text_char(&text, ' ');
	}
	qr_text_char(&text, '\n');
	for (uint32_t z = 0; z < QUIRE_ZONES; z++)
		if (quire_frames_info(f, (enum quire_zone_kind)z, &info))
			add_runs(&text, &info);
	return text.length;
}
