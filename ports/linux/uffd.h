/* SPDX-License-Identifier: MIT */
/* uffd.h - the userfaultfd, by which the host's page tables are filled and protected.
 *
 * Only handlers have its descriptor: all calls are made by them. */
#ifndef QUIRE_PORTS_LINUX_UFFD_H
#define QUIRE_PORTS_LINUX_UFFD_H

#include "quire/types.h"

/* What the wanted descriptor can do is in features, and has been probed. */
long qr_uffd_open(uint32_t features);
/* 0, or -errno. */
long qr_uffd_register(struct quire_range range);

/* As the port's fill(); src is never NULL. */
enum quire_status qr_uffd_copy(quire_vaddr va, uint32_t nr, const void *src,
			       bool is_readonly);
void qr_uffd_protect(struct quire_run run, bool on);
void qr_uffd_wake(struct quire_run run);
/* One page to an address where there is none; 0, or -errno. */
long qr_uffd_move(uint64_t to, uint64_t from);

#endif
