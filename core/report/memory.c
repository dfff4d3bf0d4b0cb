/* SPDX-License-Identifier: MIT */
/* memory.c - what Linux says of a whole machine: meminfo, vmstat, and the words of the
 * OOM killer. */
#include "core/base/text.h"
#include "core/reclaim/oom.h"
#include "core/space/mm_hugetlb.h"

#define KIB_A_PAGE (QUIRE_PAGE_BYTES / 1024)

static void put_meminfo(struct qr_text *text, const char *name, uint64_t pages)
{
	size_t start = text->length;

	qr_text_put(text, name);
	qr_text_char(text, ':');
	qr_text_column(text, start, 16);
	qr_text_number(text, pages * KIB_A_PAGE, 8);
	qr_text_put(text, " kB\n");
}

static uint64_t locked_pages(struct quire_vm *vm)
{
	uint64_t pages = 0;

	qr_lock(&vm->turn);
	for (const struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next)
		pages += mm->figures.locked;
	qr_unlock(&vm->turn);
	return pages;
}

static void put_number(struct qr_text *text, const char *name, uint64_t n)
{
	size_t start = text->length;

	qr_text_put(text, name);
	qr_text_char(text, ':');
	qr_text_column(text, start, 16);
	qr_text_number(text, n, 8);
	qr_text_char(text, '\n');
}

/* HugePages_ are those of the default size; Hugetlb is the memory of all pools. */
static void put_huge(struct qr_text *text, struct quire_vm *vm)
{
	struct quire_huge_figures f;
	const struct quire_hugetlb_figures *pool = &f.hugetlb[QUIRE_HUGE_2M];

	quire_vm_huge_figures(vm, &f);
	put_meminfo(text, "AnonHugePages", f.anon * QUIRE_HUGE_PAGES);
	put_number(text, "HugePages_Total", pool->total);
	put_number(text, "HugePages_Free", pool->free);
	put_number(text, "HugePages_Rsvd", pool->reserved);
	put_number(text, "HugePages_Surp", 0);
	put_meminfo(text, "Hugepagesize", QUIRE_HUGE_PAGES);
	put_meminfo(text, "Hugetlb", qr_hugetlb_frames(vm));
}

/* As Linux's si_mem_available(): what could be had without swapping, where the low
 * watermark and half of the pages of files, or so much, are not to be touched. */
static uint64_t available_pages(const struct quire_vm *vm,
				const struct quire_vm_figures *f)
{
	uint64_t low = vm->zone.low, kept = f->file / 2 < low ? f->file / 2 : low;
	uint64_t pages = f->free + f->file - kept;

	return pages > vm->zone.high ? pages - vm->zone.high : 0;
}

static void put_lists(struct qr_text *text, const struct quire_vm_figures *f)
{
	/* Shared memory goes to swap, and is on the lists of anonymous pages. */
	uint64_t anon = f->anon + f->shared + f->swap_cached;

	put_meminfo(text, "Active(anon)", f->active_anon);
	put_meminfo(text, "Inactive(anon)", anon - f->active_anon);
	put_meminfo(text, "Active(file)", f->active_file);
	put_meminfo(text, "Inactive(file)", f->file - f->active_file);
}

size_t quire_report_meminfo(struct quire_vm *vm, char *at, size_t room)
{
	struct qr_text text;
	struct quire_vm_figures f;
	uint64_t swap = qr_pages(vm->config.swap_bytes);

	qr_text_init(&text, at, room);
	quire_vm_figures(vm, &f);
	put_meminfo(&text, "MemTotal", f.total);
	put_meminfo(&text, "MemFree", f.free);
	put_meminfo(&text, "MemAvailable", available_pages(vm, &f));
	put_meminfo(&text, "Cached", f.file + f.shared);
	put_meminfo(&text, "SwapCached", f.swap_cached);
	put_lists(&text, &f);
	put_meminfo(&text, "SwapTotal", swap);
	put_meminfo(&text, "SwapFree", swap > f.swapped ? swap - f.swapped : 0);
	put_meminfo(&text, "Zswap", f.store);
	put_meminfo(&text, "Mlocked", locked_pages(vm));
	put_meminfo(&text, "Dirty", f.dirty);
	put_meminfo(&text, "Writeback", f.writeback);
	put_meminfo(&text, "AnonPages", f.anon);
	put_meminfo(&text, "Mapped", f.mapped);
	put_meminfo(&text, "Shmem", f.shared);
	put_meminfo(&text, "PageTables", f.tables);
	put_meminfo(&text, "CommitLimit", f.commit_limit);
	put_meminfo(&text, "Committed_AS", f.committed);
	put_huge(&text, vm);
	return text.length;
}

static void put_row(struct qr_text *text, const char *name, const uint64_t *pages,
		    uint32_t nr)
{
	qr_text_left(text, name, 8);
	for (uint32_t i = 0; i < nr; i++)
		qr_text_number(text, pages[i] * KIB_A_PAGE, 12);
	qr_text_char(text, '\n');
}

size_t quire_report_free(struct quire_vm *vm, char *at, size_t room)
{
	uint64_t swap = qr_pages(vm->config.swap_bytes), swapped, pages[6];
	struct quire_vm_figures f;
	struct qr_text text;

	qr_text_init(&text, at, room);
	quire_vm_figures(vm, &f);
	swapped = f.swapped < swap ? f.swapped : swap;
	pages[0] = f.total;
	pages[1] = f.total - f.free - f.file - f.shared;
	pages[2] = f.free;
	pages[3] = f.shared;
	pages[4] = f.file + f.shared;
	pages[5] = available_pages(vm, &f);
	qr_text_put(&text, "               total        used        free      shared  "
			   "buff/cache   available\n");
	put_row(&text, "Mem:", pages, 6);
	pages[0] = swap;
	pages[1] = swapped;
	pages[2] = swap - swapped;
	put_row(&text, "Swap:", pages, 3);
	return text.length;
}

static void put_vmstat(struct qr_text *text, const char *name, uint64_t n)
{
	qr_text_put(text, name);
	qr_text_char(text, ' ');
	qr_text_number(text, n, 1);
	qr_text_char(text, '\n');
}

static void put_huge_vmstat(struct qr_text *text, struct quire_vm *vm)
{
	struct quire_huge_figures f;

	quire_vm_huge_figures(vm, &f);
	put_vmstat(text, "nr_anon_transparent_hugepages", f.anon);
	put_vmstat(text, "pgmigrate_success", f.migrate_success);
	put_vmstat(text, "pgmigrate_fail", f.migrate_fail);
	put_vmstat(text, "compact_stall", f.compact_stall);
	put_vmstat(text, "compact_fail", f.compact_fail);
	put_vmstat(text, "compact_success", f.compact_success);
	put_vmstat(text, "thp_fault_alloc", f.fault_alloc);
	put_vmstat(text, "thp_fault_fallback", f.fault_fallback);
	put_vmstat(text, "thp_collapse_alloc", f.collapse_alloc);
	put_vmstat(text, "thp_collapse_alloc_failed", f.collapse_alloc_failed);
	put_vmstat(text, "thp_split_page", f.split_page);
	put_vmstat(text, "thp_split_pmd", f.split_pmd);
}

static void put_reclaim(struct qr_text *text, const struct quire_vm_figures *f)
{
	put_vmstat(text, "nr_inactive_anon",
		   f->anon + f->shared + f->swap_cached - f->active_anon);
	put_vmstat(text, "nr_active_anon", f->active_anon);
	put_vmstat(text, "nr_inactive_file", f->file - f->active_file);
	put_vmstat(text, "nr_active_file", f->active_file);
	put_vmstat(text, "workingset_refault_anon", f->refaults[QR_ANON]);
	put_vmstat(text, "workingset_refault_file", f->refaults[QR_FILE]);
	put_vmstat(text, "workingset_activate_anon", f->activated[QR_ANON]);
	put_vmstat(text, "workingset_activate_file", f->activated[QR_FILE]);
	put_vmstat(text, "workingset_restore_anon", f->restored[QR_ANON]);
	put_vmstat(text, "workingset_restore_file", f->restored[QR_FILE]);
	put_vmstat(text, "pgscan_kswapd", f->scanned[1]);
	put_vmstat(text, "pgscan_direct", f->scanned[0]);
	put_vmstat(text, "pgsteal_kswapd", f->stolen[1]);
	put_vmstat(text, "pgsteal_direct", f->stolen[0]);
	put_vmstat(text, "pageoutrun", f->daemon_runs);
	put_vmstat(text, "allocstall", f->stalls);
}

size_t quire_report_vmstat(struct quire_vm *vm, char *at, size_t room)
{
	struct qr_text text;
	struct quire_vm_figures f;
	uint64_t faults = 0;

	qr_text_init(&text, at, room);
	quire_vm_figures(vm, &f);
	for (uint32_t kind = 0; kind < QUIRE_FAULT_MAPERR; kind++)
		faults += f.faults[kind];
	put_vmstat(&text, "nr_free_pages", f.free);
	put_vmstat(&text, "nr_anon_pages", f.anon);
	put_vmstat(&text, "nr_file_pages", f.file + f.shared);
	put_vmstat(&text, "nr_mapped", f.mapped);
	put_vmstat(&text, "nr_shmem", f.shared);
	put_vmstat(&text, "nr_page_table_pages", f.tables);
	put_vmstat(&text, "nr_swapcached", f.swap_cached);
	put_reclaim(&text, &f);
	put_vmstat(&text, "nr_dirty", f.dirty);
	put_vmstat(&text, "nr_writeback", f.writeback);
	put_vmstat(&text, "nr_dirtied", f.dirtied);
	put_vmstat(&text, "nr_written", f.written);
	put_vmstat(&text, "pgpgin", f.file_in * KIB_A_PAGE);
	put_vmstat(&text, "pgpgout", f.file_out * KIB_A_PAGE);
	put_vmstat(&text, "pgfault", faults);
	put_vmstat(&text, "pgmajfault", f.faults[QUIRE_FAULT_MAJOR]);
	put_vmstat(&text, "pswpin", f.pages_in);
	put_vmstat(&text, "pswpout", f.pages_out);
	put_vmstat(&text, "swap_ra", f.swap_ahead);
	put_vmstat(&text, "swap_ra_hit", f.swap_ahead_hits);
	put_vmstat(&text, "oom_kill", f.oom_kills);
	put_huge_vmstat(&text, vm);
	return text.length;
}

static void put_kib(struct qr_text *text, const char *name, uint64_t pages)
{
	qr_text_put(text, name);
	qr_text_number(text, pages * KIB_A_PAGE, 1);
	qr_text_put(text, "kB");
}

static void put_task(struct qr_text *text, const struct quire_mm *mm)
{
	const struct quire_mm_figures *f = &mm->figures;

	qr_text_char(text, '[');
	qr_text_number(text, mm->config.pid, 7);
	qr_text_put(text, "] ");
	qr_text_number(text, mm->config.uid, 5);
	qr_text_number(text, mm->config.pid, 6);
	qr_text_number(text, f->total, 9);
	qr_text_number(text, f->rss_anon + f->rss_file + f->rss_shared, 9);
	qr_text_number(text, f->rss_anon, 9);
	qr_text_number(text, f->rss_file, 9);
	qr_text_number(text, f->rss_shared, 10);
	qr_text_number(text, mm->tables.nr_tables * QUIRE_PAGE_BYTES, 9);
	qr_text_number(text, f->swapped, 9);
	qr_text_char(text, ' ');
	qr_text_signed(text, mm->config.oom_score_adj, 13);
	qr_text_char(text, ' ');
	qr_text_put(text, mm->config.name);
	qr_text_char(text, '\n');
}

static void put_victim(struct qr_text *text, const struct quire_mm *victim)
{
	const struct quire_mm_figures *f = &victim->figures;

	qr_text_put(text, "Out of memory: Killed process ");
	qr_text_number(text, victim->config.pid, 1);
	qr_text_put(text, " (");
	qr_text_put(text, victim->config.name);
	put_kib(text, ") total-vm:", f->total);
	put_kib(text, ", anon-rss:", f->rss_anon);
	put_kib(text, ", file-rss:", f->rss_file);
	put_kib(text, ", shmem-rss:", f->rss_shared);
	qr_text_put(text, ", UID:");
	qr_text_number(text, victim->config.uid, 1);
	put_kib(text, " pgtables:", victim->tables.nr_tables);
	qr_text_put(text, " oom_score_adj:");
	qr_text_signed(text, victim->config.oom_score_adj, 1);
	qr_text_char(text, '\n');
}

size_t quire_report_oom(struct quire_vm *vm, struct quire_mm *victim, char *at,
			size_t room)
{
	struct qr_text text;
	struct quire_vm_figures f;

	qr_text_init(&text, at, room);
	quire_vm_figures(vm, &f);
	qr_text_put(&text, victim->config.name);
	qr_text_put(&text, " invoked oom-killer: order=0, oom_score_adj=");
	qr_text_signed(&text, victim->config.oom_score_adj, 1);
	put_kib(&text, "\nMem-Info:\nfree:", f.free);
	put_kib(&text, " anon:", f.anon);
	put_kib(&text, " file:", f.file);
	put_kib(&text, " dirty:", f.dirty);
	put_kib(&text, " shmem:", f.shared);
	put_kib(&text, " pagetables:", f.tables);
	put_kib(&text, " swapped:", f.swapped);
	qr_text_put(&text, "\nTasks state (memory values in pages):\n"
			   "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file "
			   "rss_shmem pgtables_bytes swapents oom_score_adj name\n");
	qr_lock(&vm->turn);
	for (const struct quire_mm *mm = vm->mms; mm != NULL; mm = mm->next)
		put_task(&text, mm);
	put_victim(&text, victim);
	qr_unlock(&vm->turn);
	return text.length;
}
