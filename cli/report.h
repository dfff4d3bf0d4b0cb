/* SPDX-License-Identifier: MIT */
/* report.h - the account of one run, as values.
 *
 * The supervisor fills one in; it is printed as text, written as JSON, and read back from
 * JSON.  One table of the machine's figures (figures.c) serves all of these, so that a
 * figure that is added to the account appears everywhere. */
#ifndef QUIRE_CLI_REPORT_H
#define QUIRE_CLI_REPORT_H

#include "quire/heap.h"
#include "quire/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Resident memory of a process by kind, bytes, as /proc/PID/status has it. */
struct qr_resident {
	uint64_t anon, file, shmem;
};

/* One machine: a program from its exec to its end. */
struct qr_process {
	int64_t pid, parent;
	uint64_t features;	/* QUIRE_FEATURE_* in use */
	uint64_t end;		/* enum quire_seat_end */
	bool running;		/* it has outlived the program that was waited for */
	uint64_t started_ns;	/* since the run's start */
	uint64_t startup_ns;	/* spent in building the machine */
	uint64_t foreign_bytes; /* private anonymous mappings left with the host, size */
	/* The highest seen, each: of all that is resident; and of private anonymous memory
	 * that is none of the machine's (stacks, libraries' data, foreign mappings). */
	struct qr_resident peak;
	uint64_t peak_outside;
	char name[32];
	char text[256]; /* why it ended, where end is set */
	struct quire_stats stats;
	struct quire_heap_stats heap; /* at exit; held_bytes 0: not known */
};

/* All machines of the tree at one moment. */
struct qr_sample {
	uint64_t ns; /* since the run's start */
	uint64_t nr_live;
	struct quire_stats stats; /* counts since the start; frames: of the live ones */
	struct qr_resident resident;
};

/* A column of the time series: counts, bytes or pages, each from a sample. */
struct qr_column {
	const char *name;
	size_t offset; /* in struct qr_sample, of a uint64_t */
};

/* Both end with a null name. */
extern const struct qr_column qr_sample_columns[];

enum qr_figure_kind {
	QR_FIGURE_COUNT, /* grows; a tree's is the sum over all its machines */
	QR_FIGURE_NOW,	 /* what is; a tree's is the sum over its live machines */
	QR_FIGURE_PEAK,	 /* the highest that a NOW figure has been */
};

struct qr_figure {
	const char *name;
	enum qr_figure_kind kind;
	size_t offset; /* in struct quire_stats, of a uint64_t */
};

extern const struct qr_figure qr_figures[];

uint64_t qr_figure_get(const struct quire_stats *stats, const struct qr_figure *figure);
void qr_figure_set(struct quire_stats *stats, const struct qr_figure *figure,
		   uint64_t value);

/* Adds the figures of one machine to the sum over a tree: counts always, what is now only
 * where live. */
void qr_figures_add(struct quire_stats *sum, const struct quire_stats *one, bool live);
/* Raises the peaks to those of the other. */
void qr_figures_raise(struct quire_stats *peaks, const struct quire_stats *other);
/* Raises the peaks of a tree's sum to what it holds now. */
void qr_figures_peak(struct quire_stats *sum);

struct qr_report {
	char command[512]; /* the program and its arguments, as far as they fit */
	uint64_t status;
	uint64_t ns;
	uint64_t ram_bytes, store_bytes, swap_bytes;
	char swap[8];
	char swap_path[512];
	uint64_t nr_refused;   /* processes that ran without Quire */
	uint64_t nr_processes; /* machines in all; the list below may be shorter */
	bool has_main;	       /* main is the program's last machine */
	struct qr_process main;
	struct quire_stats total;
	struct qr_process *others;
	size_t nr_others;
	/* Read from a file only: the time series. */
	struct qr_sample *samples;
	size_t nr_samples;
};

void qr_report_free(struct qr_report *report);

/* The report as people read it. */
void qr_report_print(FILE *to, const struct qr_report *report);

/* The time series in a few lines; nothing where there is none. */
void qr_report_print_series(FILE *to, const struct qr_report *report);

#endif
