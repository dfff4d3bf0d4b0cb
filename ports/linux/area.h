/* SPDX-License-Identifier: MIT */
/* area.h - what the host is told of areas. */
#ifndef QUIRE_PORTS_LINUX_AREA_H
#define QUIRE_PORTS_LINUX_AREA_H

#include "quire/port.h"

/* As the port's area_set(). */
enum quire_status qr_area_set(void *ctx, struct quire_range range, uint32_t prot);

#endif
