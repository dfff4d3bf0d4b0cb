/* SPDX-License-Identifier: MIT */
/* template.h - the port to copy when a new ground is to carry the core.
 *
 * It needs no library, links as it stands, and says QUIRE_UNSUPPORTED wherever a ground
 * has to do something of its own.  quire_open() on it builds a machine, for that takes
 * RAM only; the first area is then refused.  With no RAM it is QUIRE_NO_MEMORY.
 */
#ifndef QUIRE_PORTS_TEMPLATE_TEMPLATE_H
#define QUIRE_PORTS_TEMPLATE_TEMPLATE_H

#include "quire/port.h"

/* ram: nr_frames pages, page aligned, all zero.  port and ram outlive the machine. */
void qr_template_port(struct quire_port *port, unsigned char *ram, uint32_t nr_frames);

#endif
