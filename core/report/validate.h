/* SPDX-License-Identifier: MIT */
/* validate.h - a walk over the whole address space that believes nothing. */
#ifndef QUIRE_CORE_REPORT_VALIDATE_H
#define QUIRE_CORE_REPORT_VALIDATE_H

#include "core/space/space.h"

/* The name of the first of V1..V4, T1, T2 that does not hold, or NULL. */
const char *qr_report_validate(struct quire_space *space);

#endif
