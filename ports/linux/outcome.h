/* SPDX-License-Identifier: MIT */
/* outcome.h - what becomes of the program after a fault. */
#ifndef QUIRE_PORTS_LINUX_OUTCOME_H
#define QUIRE_PORTS_LINUX_OUTCOME_H

#include "quire/types.h"

/* After quire_fault() of va.  Where the program cannot go on, does not return. */
void qr_outcome_settle(enum quire_status status, quire_vaddr va);

#endif
