/* SPDX-License-Identifier: MIT */
/* quire.h - everything that a user of the library includes. */
#ifndef QUIRE_QUIRE_H
#define QUIRE_QUIRE_H

#include "quire/codec.h"
#include "quire/frames.h"
#include "quire/kernel.h"
#include "quire/machine.h"
#include "quire/objects.h"
#include "quire/port.h"
#include "quire/stats.h"
#include "quire/types.h"
#include "quire/vmalloc.h"

#endif
