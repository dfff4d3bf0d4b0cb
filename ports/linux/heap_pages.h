/* SPDX-License-Identifier: MIT */
/* heap_pages.h - the machine as the heap's source of pages. */
#ifndef QUIRE_PORTS_LINUX_HEAP_PAGES_H
#define QUIRE_PORTS_LINUX_HEAP_PAGES_H

#include "heap/pages.h"

extern const struct qr_heap_pages qr_heap_pages_machine;

#endif
