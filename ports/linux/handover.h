/* SPDX-License-Identifier: MIT */
/* handover.h - swap areas on their way to a fork's child. */
#ifndef QUIRE_PORTS_LINUX_HANDOVER_H
#define QUIRE_PORTS_LINUX_HANDOVER_H

#include <stdint.h>

/* Descriptors of all swap areas open now, in the program's table, numbers at fds; how
 * many, or -errno.  fds has room for QUIRE_SWAPFILES. */
int qr_handover_take(int *fds);
void qr_handover_close(const int *fds, uint32_t nr);

#endif
