/* SPDX-License-Identifier: MIT */
/* doctor.h - what this host offers to each mode, as a list of findings. */
#ifndef QUIRE_CLI_DOCTOR_H
#define QUIRE_CLI_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define QR_FINDINGS_MAX 40u

struct qr_finding {
	const char *mode; /* "run", "preload" or "host" */
	char check[32];
	bool good;
	bool needed; /* the mode does not work without it */
	char detail[512];
	char fix[512]; /* the command that would grant it; empty: there is none */
};

struct qr_findings {
	struct qr_finding list[QR_FINDINGS_MAX];
	size_t nr;
};

void qr_doctor_find(struct qr_findings *findings);
/* Whether all that the mode needs is there. */
bool qr_doctor_works(const struct qr_findings *findings, const char *mode);

#endif
