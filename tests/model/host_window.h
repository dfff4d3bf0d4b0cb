/* SPDX-License-Identifier: MIT */
/* host_window.h - the window of a Linux ground, as the host itself tells of it. */
#ifndef QUIRE_TESTS_MODEL_HOST_WINDOW_H
#define QUIRE_TESTS_MODEL_HOST_WINDOW_H

#include "quire/machine.h"

/* Pages that the host has there.  Nobody is at work. */
uint64_t host_window_pages(struct quire_range window);
/* NULL, or where the host allows other accesses than the machine's areas, in buf. */
const char *host_window_check(struct quire *q, struct quire_range window, char *buf,
			      size_t bytes);

#endif
