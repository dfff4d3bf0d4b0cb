/* SPDX-License-Identifier: MIT */
/* careful.h - releasing pages that a device may be writing to. */
#ifndef QUIRE_PORTS_LINUX_CAREFUL_H
#define QUIRE_PORTS_LINUX_CAREFUL_H

#include "quire/types.h"

void qr_careful_init(void);
/* Whether pages may be pinned for a device; for handlers. */
bool qr_careful_is_needed(void);
/* As the port's release(), for lanes. */
void qr_careful_release(const struct quire_run *runs, uint32_t nr, uint64_t *kept);

#endif
