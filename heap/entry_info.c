/* SPDX-License-Identifier: MIT */
/* entry_info.c - malloc's settings and figures: mallopt, mallinfo, malloc_stats. */
#include "heap/entry.h"

#include "heap/detour.h"
#include "heap/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

QR_EXPORT size_t malloc_usable_size(void *block)
{
	return qr_heap_usable(block);
}

QR_EXPORT int malloc_trim(size_t pad)
{
	return qr_heap_trim(pad);
}

/* 1 where glibc says so: what has no meaning here is accepted, wrong values are not. */
QR_EXPORT int mallopt(int parameter, int value)
{
	/* As mallopt(3) says of M_MXFAST. */
	const int fast_max = 80 * (int)sizeof(size_t) / 4;

	if (parameter == M_MXFAST)
		return value >= 0 && value <= fast_max;
	if (parameter == M_PERTURB)
		qr_perturb_set((unsigned char)value);
	return 1;
}

QR_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct qr_heap_account account;

	qr_heap_account(&account);
	return (struct mallinfo2){
		.arena = account.held - account.huge - account.records,
		.ordblks = 1,
		.hblks = account.huge_blocks,
		.hblkhd = account.huge,
		.uordblks = account.used - account.huge,
		.fordblks = account.held - account.records - account.used,
		.keepcost = account.free_dirty,
	};
}

/* Counts that an int cannot hold wrap around, as documented. */
QR_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 info = mallinfo2();

	return (struct mallinfo){
		.arena = (int)info.arena,
		.ordblks = (int)info.ordblks,
		.hblks = (int)info.hblks,
		.hblkhd = (int)info.hblkhd,
		.uordblks = (int)info.uordblks,
		.fordblks = (int)info.fordblks,
		.keepcost = (int)info.keepcost,
	};
}

QR_EXPORT void malloc_stats(void)
{
	qr_heap_stats_print(STDERR_FILENO);
}

static void print_size(FILE *file, unsigned cls, const struct qr_heap_sizes *sizes)
{
	size_t to = qr_class_bytes(cls);
	size_t from = cls != 0 ? qr_class_bytes(cls - 1) + 1 : 1;

	if (sizes->unused[cls] != 0)
		fprintf(file,
			"  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\"/>\n",
			from, to, to * sizes->unused[cls], sizes->unused[cls]);
}

static void print_totals(FILE *file, const struct qr_heap_sizes *sizes)
{
	size_t nr_fast = 0, fast = 0, nr_rest = sizes->nr_free, rest = sizes->free_bytes;

	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++) {
		size_t avail = sizes->unused[cls] - sizes->cached[cls];

		nr_fast += sizes->cached[cls];
		fast += sizes->cached[cls] * qr_class_bytes(cls);
		nr_rest += avail;
		rest += avail * qr_class_bytes(cls);
	}
	fprintf(file,
		"<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n"
		"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n",
		nr_fast, fast, nr_rest, rest);
}

/* Chunks stay, so what is held now is the most that ever was. */
static void print_system(FILE *file, const struct quire_heap_stats *stats)
{
	uint64_t held = stats->held_bytes - stats->huge_bytes;

	fprintf(file,
		"<system type=\"current\" size=\"%" PRIu64 "\"/>\n"
		"<system type=\"max\" size=\"%" PRIu64 "\"/>\n"
		"<aspace type=\"total\" size=\"%" PRIu64 "\"/>\n"
		"<aspace type=\"mprotect\" size=\"%" PRIu64 "\"/>\n",
		held, held, held, held);
}

/* The elements and attributes of glibc's, for one heap: fast is what bins hold, rest
 * what else is free, mmap the blocks with mappings of their own. */
QR_EXPORT int malloc_info(int options, FILE *file)
{
	struct quire_heap_stats stats;
	struct qr_heap_sizes sizes;

	if (options != 0)
		return EINVAL;
	qr_heap_stats(&stats, &sizes);
	fprintf(file, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
	for (unsigned cls = 0; cls < QR_NR_CLASSES; cls++)
		print_size(file, cls, &sizes);
	fprintf(file, "</sizes>\n");
	print_totals(file, &sizes);
	print_system(file, &stats);
	fprintf(file, "</heap>\n");
	print_totals(file, &sizes);
	fprintf(file,
		"<total type=\"mmap\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n",
		stats.nr_huge, stats.huge_bytes);
	print_system(file, &stats);
	fprintf(file, "</malloc>\n");
	return 0;
}

__attribute__((destructor)) static void stats_at_exit(void)
{
	if (qr_heap_conf.stats)
		malloc_stats();
}
