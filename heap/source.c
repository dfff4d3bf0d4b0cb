/* SPDX-License-Identifier: MIT */
/* source.c - which source of pages is in use. */
#include "heap/heap.h"

static const struct qr_heap_pages *sources[2] = {&qr_heap_pages_host,
						 &qr_heap_pages_host};
static unsigned current;

void qr_heap_set_pages(const struct qr_heap_pages *pages)
{
	if (pages == &qr_heap_pages_host) {
		current = 0;
		return;
	}
	sources[1] = pages;
	current = 1;
}

const struct qr_heap_pages *qr_source_at(unsigned source)
{
	return sources[source];
}

unsigned qr_source_current(void)
{
	return current;
}
