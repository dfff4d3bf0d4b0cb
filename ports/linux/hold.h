/* SPDX-License-Identifier: MIT */
/* hold.h - buffers into which a call reads past the page cache right now.
 *
 * For kernels without UFFDIO_MOVE, where nothing else tells that a page is a device's
 * target: its buffer is held for as long as the call lasts. */
#ifndef QUIRE_PORTS_LINUX_HOLD_H
#define QUIRE_PORTS_LINUX_HOLD_H

#include "quire/types.h"

/* Whether reads have to hold their buffers. */
bool qr_hold_is_needed(void);
/* Holds [start, end); what to give to qr_hold_end(). */
uint32_t qr_hold_begin(struct quire_range range);
void qr_hold_end(uint32_t hold);
/* Whether a page is in a buffer that is held. */
bool qr_hold_has(quire_vaddr page);
/* A fork's child: the calls are its parent's. */
void qr_hold_reset(void);

#endif
