/* SPDX-License-Identifier: MIT */
/* report_json.h - the account of a run as JSON, written and read. */
#ifndef QUIRE_CLI_REPORT_JSON_H
#define QUIRE_CLI_REPORT_JSON_H

#include "cli/report.h"

#include <jansson.h>

#define QR_REPORT_VERSION 1

/* All but the time series, which a run writes as it goes.  NULL: no memory. */
json_t *qr_report_to_json(const struct qr_report *report);

/* NULL, or what is missing or of the wrong kind: a key's name, "..." around it.  The
 * report is to be freed by qr_report_free() in both cases. */
const char *qr_report_from_json(const json_t *json, struct qr_report *report);

#endif
