/* SPDX-License-Identifier: MIT */
/* window.h - the mappings that the machine stands on: pool, reserve, zeros. */
#ifndef QUIRE_PORTS_LINUX_WINDOW_H
#define QUIRE_PORTS_LINUX_WINDOW_H

#include "quire/types.h"

/* Makes all three and sets the port's data fields; false: no memory, or no addresses. */
bool qr_window_make(uint64_t ram_bytes);
/* Puts reserve where a foreign mapping, or nothing, is; 0 or -errno.  It still has to be
 * registered. */
long qr_window_restore(struct quire_range range);
/* Registers all of the reserve but the foreign mappings; for handlers.  0 or -errno. */
long qr_window_register(void);

#endif
