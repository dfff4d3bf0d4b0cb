/* SPDX-License-Identifier: MIT */
/* stats_text.c - the account as JSON, and as the text of malloc_stats. */
#include "heap/stats.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

struct line {
	const char *name; /* in JSON */
	const char *text; /* in the account; NULL where it is not shown there */
	size_t offset;
};

#define AT(field) offsetof(struct quire_heap_stats, field)

static const struct line lines[] = {
	{"blocks", NULL, AT(nr_blocks)},
	{"asked_bytes", "  asked for", AT(asked_bytes)},
	{"rounding_bytes", "+ rounded up by", AT(rounding_bytes)},
	{"usable_bytes", "= usable", AT(usable_bytes)},
	{"unused_bytes", "+ unused beside blocks", AT(unused_bytes)},
	{"span_bytes", "= in spans", AT(span_bytes)},
	{"free_bytes", "+ free pages, kept", AT(free_bytes)},
	{"returned_bytes", "+ free pages, given back", AT(returned_bytes)},
	{"record_bytes", "+ records", AT(record_bytes)},
	{"held_bytes", "= held", AT(held_bytes)},
	{"absent_bytes", "- not in RAM", AT(absent_bytes)},
	{"resident_bytes", "= resident", AT(resident_bytes)},
	{"process_bytes", NULL, AT(process_bytes)},
	{"huge_blocks", NULL, AT(nr_huge)},
	{"huge_bytes", NULL, AT(huge_bytes)},
};

#define NR_LINES (sizeof(lines) / sizeof(lines[0]))

static uint64_t value_of(const struct quire_heap_stats *stats, const struct line *line)
{
	return *(const uint64_t *)(const void *)((const char *)stats + line->offset);
}

size_t quire_heap_stats_json(char *text, size_t bytes)
{
	struct quire_heap_stats stats;
	size_t length = 0;

	quire_heap_stats(&stats);
	for (size_t i = 0; i < NR_LINES; i++) {
		size_t room = length < bytes ? bytes - length : 0;

		length += (size_t)snprintf(room != 0 ? text + length : NULL, room,
					   "%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ",
					   lines[i].name, value_of(&stats, &lines[i]));
	}
	return length + (size_t)snprintf(length < bytes ? text + length : NULL,
					 length < bytes ? bytes - length : 0, "}");
}

void qr_heap_stats_print(int fd)
{
	struct quire_heap_stats stats;

	quire_heap_stats(&stats);
	dprintf(fd, "quire: heap: %" PRIu64 " blocks in use; bytes\n", stats.nr_blocks);
	for (size_t i = 0; i < NR_LINES; i++) {
		if (lines[i].text != NULL)
			dprintf(fd, "%-26s%16" PRIu64 "\n", lines[i].text,
				value_of(&stats, &lines[i]));
	}
	if (stats.process_bytes < stats.resident_bytes)
		return;
	dprintf(fd, "%-26s%16" PRIu64 "\n%-26s%16" PRIu64 "\n",
		"+ code, stacks and others", stats.process_bytes - stats.resident_bytes,
		"= resident in all", stats.process_bytes);
}
