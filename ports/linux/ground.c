/* SPDX-License-Identifier: MIT */
/* ground.c - the one machine of this process. */
#include "ports/linux/ground.h"

struct qr_ground qr_ground;
