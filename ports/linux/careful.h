/* SPDX-License-Identifier: MIT */
/* careful.h - pages that a device may be writing to are left alone. */
#ifndef QUIRE_PORTS_LINUX_CAREFUL_H
#define QUIRE_PORTS_LINUX_CAREFUL_H

#include "quire/types.h"

void qr_careful_init(void);
/* Asks the kernel whether it counts pinned pages; after protecting, by handlers. */
void qr_careful_ask(void);
/* From here on pages may be pinned: while a call of the program's lasts, or longer. */
void qr_careful_begin(bool is_async);
/* Whether pages may be pinned for a device. */
bool qr_careful_is_needed(void);

enum qr_careful_answer {
	QR_CAREFUL_READ,      /* its bytes are in bytes, and it is protected anew */
	QR_CAREFUL_PINNED,    /* it has to stay */
	QR_CAREFUL_CANNOT_BE, /* no device writes there: to be read in place */
};
/* Looks at a protected page whose entry is BUSY. */
enum qr_careful_answer qr_careful_look(quire_vaddr va, void *bytes);

#endif
