/* SPDX-License-Identifier: MIT */
/* driver.h - random calls and accesses, each held against the flat model.
 *
 * Model.  A driver works on a *slice* of the window: all of it, or, where several run at
 * once, a part that nobody else touches.  A step takes its choices from the source, asks
 * the model what has to come out, makes the call, and brings the model up to date.  A
 * call that fails must leave everything as it was.
 */
#ifndef QUIRE_TESTS_MODEL_DRIVER_H
#define QUIRE_TESTS_MODEL_DRIVER_H

#include "tests/model/flat.h"
#include "tests/model/rig.h"
#include "tests/model/source.h"

#define DRIVER_PINS 8u
/* Longest range of a step, pages. */
#define DRIVER_RANGE_MAX 320u

struct driver {
	struct rig *rig;
	struct source *source;
	struct flat flat;
	uint32_t cpu;
	uint32_t first, nr; /* the slice, pages of the window */
	bool is_shared;	    /* others have the rest of the window */
	bool locks_future;
	quire_vaddr brk;
	uint32_t pins[DRIVER_PINS]; /* pages that a device holds */
	uint32_t nr_pins;
	uint32_t nr_children; /* forked, not yet waited for */
	bool is_child;
};

struct driver_range {
	uint32_t first, nr;
};

void driver_init(struct driver *d, struct rig *rig, struct source *source, uint32_t cpu,
		 struct driver_range slice);
/* True where "no memory" is no mistake of a call or an access: what is to be stored may
 * find no room, too much is locked, or something was made to fail. */
bool driver_may_lack(const struct driver *d);
/* The whole window for one driver. */
void driver_init_alone(struct driver *d, struct rig *rig, struct source *source);
/* One step. */
void driver_step(struct driver *d);
/* Steps until the source is over or that many are done; validates now and then. */
void driver_run(struct driver *d, uint32_t steps);
/* Reads every page, then takes every area of the slice away. */
void driver_finish(struct driver *d);

/* choose.c */
struct driver_range driver_choose(struct driver *d);
/* One that begins in memory of ours, where there is any. */
struct driver_range driver_choose_ours(struct driver *d);
uint32_t driver_choose_prot(struct driver *d);

/* touch.c */
void driver_check_page(struct driver *d, uint32_t page);
void driver_forget_pins(struct driver *d, uint32_t first, uint32_t nr);
/* Reads all pages of the slice that may be read. */
void driver_check_all(struct driver *d);

/* The steps, by file.  calls.c */
void driver_mmap(struct driver *d);
void driver_munmap(struct driver *d);
void driver_mprotect(struct driver *d);
void driver_madvise(struct driver *d);
void driver_brk(struct driver *d);
/* remap.c */
void driver_mremap(struct driver *d);
/* locks.c */
void driver_mlock(struct driver *d);
void driver_mlock_all(struct driver *d);
void driver_mincore(struct driver *d);
void driver_check_areas(struct driver *d);
/* touch.c */
void driver_fill(struct driver *d);
void driver_store(struct driver *d);
void driver_load(struct driver *d);
void driver_scan(struct driver *d);
void driver_balance(struct driver *d);
/* device.c */
void driver_pin(struct driver *d);
void driver_device_store(struct driver *d);
void driver_unpin(struct driver *d);
/* fork.c */
void driver_fork(struct driver *d);
void driver_wait_children(struct driver *d);

#endif
