/* SPDX-License-Identifier: MIT */
/* swapfile.h - swap areas: files without a name. */
#ifndef QUIRE_PORTS_LINUX_SWAPFILE_H
#define QUIRE_PORTS_LINUX_SWAPFILE_H

#include "quire/port.h"

#define QUIRE_SWAPFILES 64u

/* The port's ops. */
enum quire_status qr_swapfile_open(void *ctx, uint32_t area, uint64_t *nr_extents);
enum quire_status qr_swapfile_write(void *ctx, uint32_t area, uint64_t extent,
				    const quire_pfn *pfns, uint32_t nr);
enum quire_status qr_swapfile_read(void *ctx, uint32_t area, uint64_t byte, void *buf,
				   size_t bytes);
bool qr_swapfile_sole(void *ctx, uint32_t area);

/* How many areas are open. */
uint32_t qr_swapfile_count(void);
/* For handlers: opens each area anew, so that whoever gets the descriptors counts as one
 * more holder; their number, or -errno. */
int qr_swapfile_dup(int fds[QUIRE_SWAPFILES]);
/* A fork's child: the areas are these now. */
void qr_swapfile_adopt(const int *fds, uint32_t nr);

#endif
