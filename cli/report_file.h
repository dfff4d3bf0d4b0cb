/* SPDX-License-Identifier: MIT */
/* report_file.h - the file of `--report`, which appears whole or not at all.
 *
 * Model.  The file is written under a name of its own in the same folder, from the start,
 * and takes the wanted name at the end.  So a folder that cannot be written is found
 * before the program runs, and a long run's time series waits on disk, not in memory. */
#ifndef QUIRE_CLI_REPORT_FILE_H
#define QUIRE_CLI_REPORT_FILE_H

#include "cli/report.h"

#include <limits.h>

struct qr_report_file {
	FILE *stream;
	char wanted[PATH_MAX];
	char temporary[PATH_MAX];
	uint64_t nr_samples;
};

/* 0 or an errno. */
int qr_report_file_open(struct qr_report_file *file, const char *path);
void qr_report_file_sample(struct qr_report_file *file, const struct qr_sample *sample);
/* Ends the file and gives it its name; 0 or an errno, with nothing left behind. */
int qr_report_file_commit(struct qr_report_file *file, const struct qr_report *report);
void qr_report_file_abandon(struct qr_report_file *file);

#endif
