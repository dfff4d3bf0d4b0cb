/* SPDX-License-Identifier: MIT */
/* vm_validate.h - a walk over every space of a machine that believes nothing. */
#ifndef QUIRE_CORE_REPORT_VM_VALIDATE_H
#define QUIRE_CORE_REPORT_VM_VALIDATE_H

#include "core/space/mm.h"

/* The name of the first of M1..M5, R1, R2, O1, T1, T2 that does not hold, or NULL. */
const char *qr_report_vm_validate(struct quire_vm *vm);

#endif
