/* SPDX-License-Identifier: MIT */
/* report.c - the end of a process that misused its heap, or whose heap is broken.
 *
 * Written without stdio, which allocates: one line by write(2), then abort.
 */
#include "heap/map.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pages; as many as the largest block has that is no mapping of its own. */
#define LOOK_BACK ((size_t)8192)

struct line {
	char text[256];
	size_t length;
};

static void add_text(struct line *line, const char *text)
{
	while (*text != '\0' && line->length < sizeof(line->text))
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t n, unsigned base)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	add_text(line, &digits[at]);
}

static void add_address(struct line *line, uintptr_t address)
{
	add_text(line, "0x");
	add_number(line, address, 16);
}

__attribute__((noreturn)) static void finish(struct line *line)
{
	ssize_t written;

	add_text(line, "\n");
	written = write(STDERR_FILENO, line->text, line->length);
	(void)written;
	abort();
}

static void add_block(struct line *line, uintptr_t start, size_t bytes)
{
	add_text(line, "the ");
	add_number(line, bytes, 10);
	add_text(line, "-byte block at ");
	add_address(line, start);
}

static bool holds(const struct qr_span *span, uintptr_t address)
{
	return span != NULL && address >= span->start &&
	       address - span->start < span->nr_pages * QR_PAGE_BYTES;
}

static void add_owner(struct line *line, uintptr_t address, const struct qr_span *span)
{
	if (!holds(span, address)) {
		add_text(line, "no block of this heap is there");
	} else if (span->kind == QR_SPAN_FREE) {
		add_text(line, "it lies in free memory: freed before, or never a block");
	} else if (span->kind == QR_SPAN_SLOTS && address - span->start < span->limit) {
		size_t slot = (address - span->start) / span->slot_bytes;

		add_text(line, "it points into ");
		add_block(line, span->start + slot * span->slot_bytes, span->slot_bytes);
	} else {
		add_text(line, "it points into ");
		add_block(line, qr_large_block(span), qr_large_usable(span));
	}
}

/* The large block around an address; of its pages only the ends are in the map. */
static const struct qr_span *holder(uintptr_t address)
{
	const struct qr_span *span = qr_map_get(address);

	for (size_t i = 0; i < LOOK_BACK && !holds(span, address); i++)
		span = qr_map_get(address - i * QR_PAGE_BYTES);
	return span;
}

void qr_report_bad_free(const void *block, const struct qr_span *span)
{
	struct line line = {.length = 0};

	if (!holds(span, (uintptr_t)block))
		span = holder((uintptr_t)block);

	add_text(&line, "quire: heap: invalid pointer ");
	add_address(&line, (uintptr_t)block);
	add_text(&line, " freed: ");
	add_owner(&line, (uintptr_t)block, span);
	finish(&line);
}

void qr_report_written(const void *block, size_t bytes, const char *where)
{
	struct line line = {.length = 0};

	add_text(&line, "quire: heap: ");
	add_block(&line, (uintptr_t)block, bytes);
	add_text(&line, " was written to ");
	add_text(&line, where);
	finish(&line);
}

static void add_fault(struct line *line, uintptr_t address, const struct qr_span *span)
{
	if (span->kept) {
		add_text(line, "use after free of ");
		add_block(line, span->block, span->asked);
	} else if (span->kind == QR_SPAN_SLOTS) {
		add_text(line, "outside of the blocks of ");
		add_number(line, span->slot_bytes, 10);
		add_text(line, " bytes");
	} else {
		add_text(line, address < span->block ? "before " : "past ");
		add_block(line, span->block, span->asked);
	}
}

void qr_report_fault(uintptr_t address)
{
	const struct qr_span *span = holder(address);
	struct line line = {.length = 0};

	/* The guard before a span of slots is in the map of no span. */
	if (!holds(span, address))
		span = qr_map_get(address + QR_PAGE_BYTES);
	if (span == NULL || !span->hard ||
	    address - (span->start - QR_PAGE_BYTES) >=
		    (span->nr_pages + (size_t)1) * QR_PAGE_BYTES)
		return;
	add_text(&line, "quire: heap: access to ");
	add_address(&line, address);
	add_text(&line, ": ");
	add_fault(&line, address, span);
	finish(&line);
}

void qr_report_double_free(const void *block, const struct qr_span *span)
{
	struct line line = {.length = 0};

	add_text(&line, "quire: heap: double free of ");
	add_block(&line, (uintptr_t)block,
		  span->kind == QR_SPAN_SLOTS ? span->slot_bytes : qr_large_usable(span));
	finish(&line);
}

void qr_report_broken(const char *what, const void *where)
{
	struct line line = {.length = 0};

	add_text(&line, "quire: heap: broken at ");
	add_address(&line, (uintptr_t)where);
	add_text(&line, ": ");
	add_text(&line, what);
	finish(&line);
}

void qr_heap_warn(const char *what, const char *detail, size_t length)
{
	struct line line = {.length = 0};
	ssize_t written;

	add_text(&line, "quire: heap: ");
	add_text(&line, what);
	for (size_t i = 0; i < length && line.length < sizeof(line.text) - 1; i++)
		line.text[line.length++] = detail[i];
	add_text(&line, "\n");
	written = write(STDERR_FILENO, line.text, line.length);
	(void)written;
}
