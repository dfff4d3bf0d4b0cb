/* SPDX-License-Identifier: MIT */
/* host_window.c - reads /proc/self/pagemap and /proc/self/maps. */
#include "tests/model/host_window.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* In memory, or, where the host itself is short, in its swap: mincore(2) would not count
 * those. */
#define PAGEMAP_HELD (UINT64_C(3) << 62)
#define CHUNK_PAGES  512u

static uint64_t nr_pages(struct quire_range range)
{
	return (range.end.a - range.start.a) >> QUIRE_PAGE_SHIFT;
}

uint64_t host_window_pages(struct quire_range window)
{
	uint64_t first = window.start.a >> QUIRE_PAGE_SHIFT, held = 0;
	uint64_t end = window.end.a >> QUIRE_PAGE_SHIFT;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[CHUNK_PAGES];

	while (first < end) {
		uint64_t nr = end - first < CHUNK_PAGES ? end - first : CHUNK_PAGES;
		size_t bytes = nr * sizeof(entries[0]);

		if (pread(fd, entries, bytes, (off_t)(first * sizeof(entries[0]))) !=
		    (ssize_t)bytes)
			abort();
		for (uint64_t i = 0; i < nr; i++)
			held += (entries[i] & PAGEMAP_HELD) != 0;
		first += nr;
	}
	close(fd);
	return held;
}

static uint8_t prot_of(const char *text)
{
	return (uint8_t)((text[0] == 'r' ? QUIRE_READ : 0) |
			 (text[1] == 'w' ? QUIRE_WRITE : 0) |
			 (text[2] == 'x' ? QUIRE_EXEC : 0));
}

/* prots has one element for each page of the window. */
static void set_prots(uint8_t *prots, struct quire_range window, struct quire_range range,
		      uint8_t prot)
{
	uint64_t start = range.start.a, end = range.end.a;

	start = start > window.start.a ? start : window.start.a;
	end = end < window.end.a ? end : window.end.a;
	for (; start < end; start += QUIRE_PAGE_BYTES)
		prots[(start - window.start.a) >> QUIRE_PAGE_SHIFT] = prot;
}

static void read_host(uint8_t *prots, struct quire_range window)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char prot[8], line[512];

	if (maps == NULL)
		abort();
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %7s", &start, &end, prot) == 3)
			set_prots(prots, window, (struct quire_range){{start}, {end}},
				  prot_of(prot));
	fclose(maps);
}

static void read_machine(uint8_t *prots, struct quire_range window, struct quire *q)
{
	struct quire_area_info info;
	quire_vaddr at = {0};

	for (; quire_area_next(q, at, &info); at = info.range.end)
		set_prots(prots, window, info.range, (uint8_t)info.prot);
}

const char *host_window_check(struct quire *q, struct quire_range window, char *buf,
			      size_t bytes)
{
	const uint64_t nr = nr_pages(window);
	uint8_t *host = calloc(nr, 1), *machine = calloc(nr, 1);
	const char *wrong = NULL;

	if (host == NULL || machine == NULL)
		abort();
	read_host(host, window);
	read_machine(machine, window, q);
	for (uint64_t i = 0; i < nr && wrong == NULL; i++) {
		if (host[i] == machine[i])
			continue;
		snprintf(buf, bytes, "page %llu: the host allows %u, the area %u",
			 (unsigned long long)i, host[i], machine[i]);
		wrong = buf;
	}
	free(host);
	free(machine);
	return wrong;
}
