/* SPDX-License-Identifier: MIT */
/* ram.c - a memory map put right.
 *
 * The map is swept upwards from edge to edge: between two neighbouring edges no entry
 * begins or ends, so the strictest type of the entries there is the type of all of it.
 * A map has few entries, so that each step may look at all of them. */
#include "quire/frames.h"

#define PAGE_MASK ((uint64_t)QUIRE_PAGE_BYTES - 1)

struct span {
	uint64_t start, end;
};

static bool is_wrong(const struct quire_ram *entry)
{
	return (entry->bytes != 0 && entry->base + (entry->bytes - 1) < entry->base) ||
	       (uint32_t)entry->type > QUIRE_RAM_RESERVED;
}

/* In whole pages; the last page of 2^64 bytes, whose end is no number, is left out. */
static struct span span_of(const struct quire_ram *entry)
{
	uint64_t start = entry->base;
	uint64_t last = ~PAGE_MASK;
	uint64_t end = entry->bytes > last - start ? last : start + entry->bytes;
	struct span span;

	if (entry->bytes == 0 || start >= last)
		return (struct span){0, 0};
	if (entry->type == QUIRE_RAM_RESERVED) {
		span.start = start & ~PAGE_MASK;
		span.end = (end + PAGE_MASK) & ~PAGE_MASK;
	} else {
		span.start = (start + PAGE_MASK) & ~PAGE_MASK;
		span.end = end & ~PAGE_MASK;
	}
	return span.start < span.end ? span : (struct span){0, 0};
}

/* The lowest edge above at; 0: there is none. */
static uint64_t next_edge(const struct quire_ram *map, uint32_t nr, uint64_t at)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < nr; i++) {
		struct span span = span_of(&map[i]);

		if (span.start > at && (next == 0 || span.start < next))
			next = span.start;
		if (span.end > at && (next == 0 || span.end < next))
			next = span.end;
	}
	return next;
}

/* The entry that decides what is at the address, or nr. */
static uint32_t strictest(const struct quire_ram *map, uint32_t nr, uint64_t at)
{
	uint32_t found = nr;

	for (uint32_t i = 0; i < nr; i++) {
		struct span span = span_of(&map[i]);

		if (at >= span.start && at < span.end &&
		    (found == nr || map[i].type > map[found].type))
			found = i;
	}
	return found;
}

enum quire_status quire_ram_sort(const struct quire_ram *map, uint32_t nr,
				 struct quire_ram *out, uint32_t *nr_out, uint32_t *bad)
{
	uint32_t room = *nr_out;
	uint32_t used = 0;

	for (*bad = 0; *bad < nr; ++*bad)
		if (is_wrong(&map[*bad]))
			return QUIRE_INVALID;
	for (uint64_t at = 0, end = 0;; at = end) {
		uint32_t i = strictest(map, nr, at);

		end = next_edge(map, nr, at);
		if (end == 0)
			break;
		if (i == nr)
			continue;
		if (used > 0 && out[used - 1].type == map[i].type &&
		    out[used - 1].base + out[used - 1].bytes == at) {
			out[used - 1].bytes += end - at;
			continue;
		}
		if (used == room) {
			*bad = i;
			return QUIRE_NO_SPACE;
		}
		out[used++] = (struct quire_ram){at, end - at, map[i].type};
	}
	*nr_out = used;
	return QUIRE_OK;
}
