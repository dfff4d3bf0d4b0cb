/* SPDX-License-Identifier: MIT */
/* sim_kernel.h - a kernel that takes and gives memory at random, for as long as its zones
 * are short of it: what `quire sim frames` shows. */
#ifndef QUIRE_CLI_SIM_KERNEL_H
#define QUIRE_CLI_SIM_KERNEL_H

#include "quire/kernel.h"

/* What lies in memory, by who can give it up, and how often somebody had to. */
struct qr_sim_account {
	uint64_t steps;
	uint64_t pages, pages_evicted; /* of a page cache; pressure takes the oldest */
	uint64_t pages_moved;	       /* so that a block could be had */
	uint64_t dentries, dentries_shrunk; /* objects that a shrinker gives up */
	uint64_t objects, areas;	    /* of kmalloc, of vmalloc: in use */
	uint64_t wakes, turns;		    /* of the daemon */
	uint64_t refused;		    /* allocations */
};

struct qr_sim_kernel;

#define QR_SIM_RAM_LEAST (8ull << 20)
#define QR_SIM_RAM_MOST	 (64ull << 30)

/* A kernel with ram bytes after its steps; NULL: no memory. */
struct qr_sim_kernel *qr_sim_kernel_new(uint64_t ram, enum quire_buddy_kind buddy,
					uint64_t seed);
struct quire_kernel *qr_sim_kernel_of(struct qr_sim_kernel *sim);
struct qr_sim_account qr_sim_kernel_account(const struct qr_sim_kernel *sim);
/* NULL; or what was not as it should be, on the way or once all was given back. */
const char *qr_sim_kernel_delete(struct qr_sim_kernel *sim);

#endif
