/* SPDX-License-Identifier: MIT */
/* port_ops.h - the ops that port.h asks for. */
#ifndef QUIRE_PORTS_LINUX_PORT_OPS_H
#define QUIRE_PORTS_LINUX_PORT_OPS_H

#include "quire/port.h"

/* Sets all ops; the data fields are window.c's. */
void qr_port_ops_set(struct quire_port *port);

#endif
