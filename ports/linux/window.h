/* SPDX-License-Identifier: MIT */
/* window.h - the mappings that the machine stands on: pool, reserve, zeros. */
#ifndef QUIRE_PORTS_LINUX_WINDOW_H
#define QUIRE_PORTS_LINUX_WINDOW_H

#include "quire/types.h"

/* What a program's reserve may take. */
#define QUIRE_RESERVE_BYTES (UINT64_C(16) << 40)

/* Makes all three, the reserve smaller where there are not so many addresses, and sets
 * the port's data fields; false: no memory, or no addresses. */
bool qr_window_make(uint64_t ram_bytes, uint64_t reserve_bytes);
/* Puts reserve where a foreign mapping, or nothing, is; 0 or -errno.  It still has to be
 * registered. */
long qr_window_restore(struct quire_range range);
/* Registers all of the reserve but the foreign mappings; for handlers.  0 or -errno. */
long qr_window_register(void);

#endif
