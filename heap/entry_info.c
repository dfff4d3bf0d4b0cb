/* SPDX-License-Identifier: MIT */
/* entry_info.c - malloc's settings and figures: mallopt, mallinfo, malloc_stats. */
#include "heap/entry.h"

#include "heap/heap.h"

#include <errno.h>
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
	struct qr_heap_account a;

	qr_heap_account(&a);
	dprintf(STDERR_FILENO,
		"held from the system %14zu bytes\n"
		"  in use             %14zu in %zu blocks\n"
		"  unused in spans    %14zu\n"
		"  free, resident     %14zu\n"
		"  free, given back   %14zu\n"
		"  records            %14zu\n",
		a.held, a.used, a.blocks,
		a.held - a.records - a.used - a.free_dirty - a.free_clean, a.free_dirty,
		a.free_clean, a.records);
}

QR_EXPORT int malloc_info(int options, FILE *file)
{
	struct qr_heap_account a;

	if (options != 0)
		return EINVAL;
	qr_heap_account(&a);
	fprintf(file,
		"<malloc version=\"1\">\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n"
		"<used blocks=\"%zu\" size=\"%zu\"/>\n"
		"<free type=\"resident\" size=\"%zu\"/>\n"
		"<free type=\"returned\" size=\"%zu\"/>\n"
		"<records size=\"%zu\"/>\n"
		"</malloc>\n",
		a.huge_blocks, a.huge, a.held, a.blocks, a.used, a.free_dirty,
		a.free_clean, a.records);
	return 0;
}

__attribute__((destructor)) static void stats_at_exit(void)
{
	if (qr_heap_conf.stats)
		malloc_stats();
}
