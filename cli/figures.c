/* SPDX-License-Identifier: MIT */
/* figures.c - the machine's figures by name, and their sums over a tree of processes.
 *
 * Model.  A count (faults, pages out) belongs to the whole run, so a tree's count is the
 * sum over every machine that there has been.  What is now (frames mapped) belongs to the
 * machines that live.  A peak of the tree is the highest sum that was seen, and at least
 * the highest peak of any one machine, since that moment may lie between two looks. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#define AT(f) offsetof(struct quire_stats, f)

const struct qr_figure qr_figures[] = {
	{"nr_frames", QR_FIGURE_NOW, AT(nr_frames)},
	{"frames_free", QR_FIGURE_NOW, AT(frames_free)},
	{"frames_mapped", QR_FIGURE_NOW, AT(frames_mapped)},
	{"peak_mapped", QR_FIGURE_PEAK, AT(peak_mapped)},
	{"frames_store", QR_FIGURE_NOW, AT(frames_store)},
	{"peak_store", QR_FIGURE_PEAK, AT(peak_store)},
	{"frames_table", QR_FIGURE_NOW, AT(frames_table)},
	{"peak_table", QR_FIGURE_PEAK, AT(peak_table)},
	{"frames_meta", QR_FIGURE_NOW, AT(frames_meta)},
	{"peak_used", QR_FIGURE_PEAK, AT(peak_used)},
	{"faults", QR_FIGURE_COUNT, AT(faults)},
	{"faults_zero", QR_FIGURE_COUNT, AT(faults_zero)},
	{"faults_minor", QR_FIGURE_COUNT, AT(faults_minor)},
	{"faults_major", QR_FIGURE_COUNT, AT(faults_major)},
	{"faults_protect", QR_FIGURE_COUNT, AT(faults_protect)},
	{"fault_ns", QR_FIGURE_COUNT, AT(fault_ns)},
	{"reclaim_ns", QR_FIGURE_COUNT, AT(reclaim_ns)},
	{"pages_zeroed", QR_FIGURE_COUNT, AT(pages_zeroed)},
	{"pages_in", QR_FIGURE_COUNT, AT(pages_in)},
	{"pages_ahead", QR_FIGURE_COUNT, AT(pages_ahead)},
	{"pages_out", QR_FIGURE_COUNT, AT(pages_out)},
	{"clean_drops", QR_FIGURE_COUNT, AT(clean_drops)},
	{"zero_drops", QR_FIGURE_COUNT, AT(zero_drops)},
	{"refaults_soon", QR_FIGURE_COUNT, AT(refaults_soon)},
	{"pages_kept", QR_FIGURE_COUNT, AT(pages_kept)},
	{"stored_pages", QR_FIGURE_NOW, AT(stored_pages)},
	{"stored_bytes", QR_FIGURE_NOW, AT(stored_bytes)},
	{"packed_in", QR_FIGURE_COUNT, AT(packed_in)},
	{"packed_out", QR_FIGURE_COUNT, AT(packed_out)},
	{"spilled_pages", QR_FIGURE_NOW, AT(spilled_pages)},
	{"extents_out", QR_FIGURE_COUNT, AT(extents_out)},
	{"extents_in", QR_FIGURE_COUNT, AT(extents_in)},
	{"swap_extents", QR_FIGURE_NOW, AT(swap_extents)},
	{"swap_ns", QR_FIGURE_COUNT, AT(swap_ns)},
	{"areas", QR_FIGURE_NOW, AT(areas)},
	{"mapped_bytes", QR_FIGURE_NOW, AT(mapped_bytes)},
	{"locked_bytes", QR_FIGURE_NOW, AT(locked_bytes)},
	{"touched_pages", QR_FIGURE_NOW, AT(touched_pages)},
	{NULL, QR_FIGURE_COUNT, 0},
};

uint64_t qr_figure_get(const struct quire_stats *stats, const struct qr_figure *figure)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + figure->offset, sizeof(value));
	return value;
}

void qr_figure_set(struct quire_stats *stats, const struct qr_figure *figure,
		   uint64_t value)
{
	memcpy((char *)stats + figure->offset, &value, sizeof(value));
}

void qr_figures_add(struct quire_stats *sum, const struct quire_stats *one, bool live)
{
	for (const struct qr_figure *f = qr_figures; f->name; f++)
		if (f->kind == QR_FIGURE_COUNT || (f->kind == QR_FIGURE_NOW && live))
			qr_figure_set(sum, f,
				      qr_figure_get(sum, f) + qr_figure_get(one, f));
}

void qr_figures_raise(struct quire_stats *peaks, const struct quire_stats *other)
{
	for (const struct qr_figure *f = qr_figures; f->name; f++)
		if (f->kind == QR_FIGURE_PEAK &&
		    qr_figure_get(other, f) > qr_figure_get(peaks, f))
			qr_figure_set(peaks, f, qr_figure_get(other, f));
}

void qr_figures_peak(struct quire_stats *sum)
{
	struct quire_stats now = {
		.peak_mapped = sum->frames_mapped,
		.peak_store = sum->frames_store,
		.peak_table = sum->frames_table,
		.peak_used = sum->nr_frames - sum->frames_free,
	};

	qr_figures_raise(sum, &now);
}

const struct qr_column qr_sample_columns[] = {
	{"ns", offsetof(struct qr_sample, ns)},
	{"processes", offsetof(struct qr_sample, nr_live)},
	{"frames_mapped", offsetof(struct qr_sample, stats.frames_mapped)},
	{"frames_store", offsetof(struct qr_sample, stats.frames_store)},
	{"frames_table", offsetof(struct qr_sample, stats.frames_table)},
	{"frames_meta", offsetof(struct qr_sample, stats.frames_meta)},
	{"frames_free", offsetof(struct qr_sample, stats.frames_free)},
	{"faults", offsetof(struct qr_sample, stats.faults)},
	{"faults_major", offsetof(struct qr_sample, stats.faults_major)},
	{"fault_ns", offsetof(struct qr_sample, stats.fault_ns)},
	{"pages_in", offsetof(struct qr_sample, stats.pages_in)},
	{"pages_out", offsetof(struct qr_sample, stats.pages_out)},
	{"clean_drops", offsetof(struct qr_sample, stats.clean_drops)},
	{"stored_pages", offsetof(struct qr_sample, stats.stored_pages)},
	{"spilled_pages", offsetof(struct qr_sample, stats.spilled_pages)},
	{"swap_extents", offsetof(struct qr_sample, stats.swap_extents)},
	{"extents_out", offsetof(struct qr_sample, stats.extents_out)},
	{"extents_in", offsetof(struct qr_sample, stats.extents_in)},
	{"mapped_bytes", offsetof(struct qr_sample, stats.mapped_bytes)},
	{"resident_anon", offsetof(struct qr_sample, resident.anon)},
	{"resident_file", offsetof(struct qr_sample, resident.file)},
	{"resident_shmem", offsetof(struct qr_sample, resident.shmem)},
	{NULL, 0},
};

void qr_report_free(struct qr_report *report)
{
	free(report->others);
	free(report->samples);
	*report = (struct qr_report){0};
}
