/* SPDX-License-Identifier: MIT */
/* report_text.c - the account of a run as people read it. */
#include "cli/report.h"
#include "cli/sizes.h"
#include "ports/linux/features.h"
#include "ports/linux/segment.h"
#include "quire/port.h"

#include <inttypes.h>

/* Lines for further processes; a build has thousands of them. */
#define LINES_MAX 40u

/* Rows that the time series is cut down to. */
#define ROWS_MAX 16u

/* A size in a text of its own, so that several fit into one call. */
struct size_text {
	char s[QR_SIZE_TEXT];
};

static struct size_text size(uint64_t bytes)
{
	struct size_text text;

	(void)qr_size_show(bytes, text.s);
	return text;
}

static struct size_text pages(uint64_t nr)
{
	return size(nr * QUIRE_PAGE_BYTES);
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void print_resident(FILE *to, const struct quire_stats *s)
{
	(void)fprintf(to,
		      "  peak resident   %s: frames %s, store %s, tables %s (each at its "
		      "own peak)\n",
		      pages(s->peak_used).s, pages(s->peak_mapped).s,
		      pages(s->peak_store).s, pages(s->peak_table).s);
}

static void print_faults(FILE *to, const struct quire_stats *s)
{
	(void)fprintf(to,
		      "  faults          %" PRIu64 ": %" PRIu64 " minor, %" PRIu64
		      " major, %" PRIu64 " zero, %" PRIu64 " write-protect\n",
		      s->faults, s->faults_minor, s->faults_major, s->faults_zero,
		      s->faults_protect);
	(void)fprintf(to,
		      "  time in faults  %.2f s, evicting %.2f s, in swap transfers %.2f "
		      "s\n",
		      seconds(s->fault_ns), seconds(s->reclaim_ns), seconds(s->swap_ns));
}

static void print_pages(FILE *to, const struct quire_stats *s)
{
	(void)fprintf(to,
		      "  pages out       %" PRIu64 " (%s), clean drops %" PRIu64
		      ", all zero %" PRIu64 ", kept for a device %" PRIu64 "\n",
		      s->pages_out, pages(s->pages_out).s, s->clean_drops, s->zero_drops,
		      s->pages_kept);
	(void)fprintf(to,
		      "  pages in        %" PRIu64 " (%s), read ahead %" PRIu64
		      ", back soon %" PRIu64 "\n",
		      s->pages_in, pages(s->pages_in).s, s->pages_ahead,
		      s->refaults_soon);
}

static void print_swap(FILE *to, const struct quire_stats *s)
{
	if (s->packed_out)
		(void)fprintf(to, "  compression     %.2f : 1 (%s into %s)\n",
			      (double)s->packed_in / (double)s->packed_out,
			      size(s->packed_in).s, size(s->packed_out).s);
	else
		(void)fprintf(to, "  compression     nothing was compressed\n");
	(void)fprintf(to,
		      "  swap devices    %" PRIu64 " transfers out, %" PRIu64
		      " in, of %s at most\n",
		      s->extents_out, s->extents_in, size(QUIRE_EXTENT_BYTES).s);
}

static void print_stats(FILE *to, const struct quire_stats *s)
{
	print_resident(to, s);
	print_faults(to, s);
	print_pages(to, s);
	print_swap(to, s);
}

static void print_host(FILE *to, const struct qr_process *p)
{
	(void)fprintf(to,
		      "  with the host   code and files %s, shared %s, stacks and other "
		      "private memory %s (peaks, resident)\n",
		      size(p->peak.file).s, size(p->peak.shmem).s,
		      size(p->peak_outside).s);
	(void)fprintf(to, "                  private mappings left with it %s (size)\n",
		      size(p->foreign_bytes).s);
}

/* From what the program asked for to what is in RAM, each a part of the next. */
static void print_heap(FILE *to, const struct quire_heap_stats *h)
{
	if (h->held_bytes == 0)
		return;
	(void)fprintf(
		to,
		"  heap at exit    asked for %s, usable %s, in spans %s, held %s, of it "
		"resident %s\n",
		size(h->asked_bytes).s, size(h->usable_bytes).s, size(h->span_bytes).s,
		size(h->held_bytes).s, size(h->resident_bytes).s);
	(void)fprintf(to,
		      "                  %" PRIu64
		      " blocks; rounding %s, unused %s, free %s, "
		      "given back %s, records %s\n",
		      h->nr_blocks, size(h->rounding_bytes).s, size(h->unused_bytes).s,
		      size(h->free_bytes).s, size(h->returned_bytes).s,
		      size(h->record_bytes).s);
}

static void print_features(FILE *to, const struct qr_process *p)
{
	(void)fprintf(to,
		      "  start-up        %.1f ms; in use:", (double)p->startup_ns / 1e6);
	for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++)
		if (p->features & n->bit)
			(void)fprintf(to, " %s", n->name);
	(void)fputc('\n', to);
}

static void print_head(FILE *to, const struct qr_report *r)
{
	(void)fprintf(to, "quire: %s: status %" PRIu64 " after %.2f s\n", r->command,
		      r->status, seconds(r->ns));
	(void)fprintf(to, "  RAM bound       %s", size(r->ram_bytes).s);
	if (r->store_bytes)
		(void)fprintf(to, ", of it for the store %s", size(r->store_bytes).s);
	(void)fprintf(to, "; swap %s", r->swap);
	if (r->swap_path[0])
		(void)fprintf(to, ":%s", r->swap_path);
	if (r->swap_bytes)
		(void)fprintf(to, ", at most %s", size(r->swap_bytes).s);
	(void)fputc('\n', to);
}

static const char *end_show(const struct qr_process *p)
{
	if (p->running)
		return "still running";
	return p->end == QUIRE_END_NONE ? "ended" : p->text;
}

static void print_other(FILE *to, const struct qr_process *p)
{
	(void)fprintf(to,
		      "  process %" PRId64 " (%s): peak %s, faults %" PRIu64 " (%" PRIu64
		      " major), out %s, in %s; %s\n",
		      p->pid, p->name, pages(p->stats.peak_used).s, p->stats.faults,
		      p->stats.faults_major, pages(p->stats.pages_out).s,
		      pages(p->stats.pages_in).s, end_show(p));
}

static void print_others(FILE *to, const struct qr_report *r)
{
	size_t nr = r->nr_others < LINES_MAX ? r->nr_others : LINES_MAX;
	uint64_t all = r->nr_processes - (r->has_main && r->nr_processes ? 1 : 0);

	for (size_t i = 0; i < nr; i++)
		print_other(to, &r->others[i]);
	if (all > nr)
		(void)fprintf(to, "  and %" PRIu64 " more processes\n", all - nr);
}

void qr_report_print(FILE *to, const struct qr_report *r)
{
	print_head(to, r);
	if (r->has_main) {
		print_stats(to, &r->main.stats);
		print_heap(to, &r->main.heap);
		print_host(to, &r->main);
		print_features(to, &r->main);
	} else {
		(void)fprintf(to, "  the program itself never ran on Quire\n");
	}
	print_others(to, r);
	if (r->nr_processes > 1) {
		(void)fprintf(to,
			      "total of %" PRIu64 " machines, each bounded by itself\n",
			      r->nr_processes);
		print_stats(to, &r->total);
	}
	if (r->nr_refused)
		(void)fprintf(to, "  %" PRIu64 " processes ran without Quire\n",
			      r->nr_refused);
}

static void print_row(FILE *to, const struct qr_sample *s)
{
	(void)fprintf(to,
		      "  %8.2f %12s %12s %12s %12s %10" PRIu64 " %10" PRIu64 " %10" PRIu64
		      "\n",
		      seconds(s->ns), pages(s->stats.frames_mapped).s,
		      pages(s->stats.frames_store).s,
		      pages(s->stats.frames_table + s->stats.frames_meta).s,
		      size(s->resident.anon).s, s->stats.faults, s->stats.pages_out,
		      s->stats.pages_in);
}

void qr_report_print_series(FILE *to, const struct qr_report *r)
{
	size_t rows = r->nr_samples < ROWS_MAX ? r->nr_samples : ROWS_MAX;

	if (rows == 0)
		return;
	(void)fprintf(to, "  %8s %12s %12s %12s %12s %10s %10s %10s\n", "seconds",
		      "frames", "store", "tables", "resident", "faults", "out", "in");
	/* The last row is the last sample. */
	for (size_t i = 1; i <= rows; i++)
		print_row(to, &r->samples[r->nr_samples * i / rows - 1]);
}
