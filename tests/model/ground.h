/* SPDX-License-Identifier: MIT */
/* ground.h - what a rig needs of the ground that its machine stands on.
 *
 * Each ground is one file that has all of this, rig_soft.c or rig_linux.c; which of them
 * a test stands on is chosen when it is linked.
 *
 * Model.  The driver's threads are *CPUs*, numbered from 0; CPU n has lane n of the
 * machine.  A ground that answers faults by threads of its own has lanes behind those.
 */
#ifndef QUIRE_TESTS_MODEL_GROUND_H
#define QUIRE_TESTS_MODEL_GROUND_H

#include "quire/machine.h"

struct ground;
struct rig_config;

/* Places where a call of the port can be made to fail. */
enum ground_site {
	GROUND_FILL,	 /* QUIRE_NO_MEMORY */
	GROUND_LOOK,	 /* NULL */
	GROUND_AREA_SET, /* QUIRE_NO_MEMORY */
	GROUND_OPEN,	 /* of a disk: QUIRE_IO */
	GROUND_WRITE,	 /* QUIRE_IO */
	GROUND_FULL,	 /* a write: QUIRE_NO_SPACE */
	GROUND_READ,	 /* QUIRE_IO */
	GROUND_FLIP,	 /* a read: QUIRE_OK, and one bit is wrong */
	GROUND_SITES,
};

/* The machines of the random sequences, and how many seeds of each by default. */
struct ground_suite {
	const char *name;
	const struct rig_config *rows;
	uint32_t nr_rows, nr_seeds;
};

/* NULL, or what this host lacks for the ground to be made. */
const char *ground_missing(void);
const struct ground_suite *ground_suite(void);
/* The kind of ground that the configuration asks for, in a replay id; and back: false
 * where there is none of that name here. */
const char *ground_name(const struct rig_config *config);
bool ground_named(const char *name, struct rig_config *config);
/* Whether the machine can stand here. */
bool ground_takes(const struct rig_config *config);
/* Whether time passes by itself, so that runs of one configuration differ. */
bool ground_is_timed(void);
/* Lanes of the machine: one for each CPU, and the ground's own. */
uint32_t ground_lanes(const struct rig_config *config);

/* NULL: the host has no memory for it. */
struct ground *ground_open(const struct rig_config *config, uint32_t nr_frames,
			   uint32_t nr_pages);
const struct quire_port *ground_port(const struct ground *ground);
/* From now on faults go to q; until detach, before which the last access has ended. */
void ground_attach(struct ground *ground, struct quire *q);
void ground_detach(struct ground *ground);
void ground_close(struct ground *ground);

/* The bytes at va, within one page, as a program reads and writes them.  QUIRE_FAULT: the
 * machine or the ground itself forbids it.  A store that fails has stored done bytes. */
enum quire_status ground_load(struct ground *ground, uint32_t cpu, quire_vaddr va,
			      void *buf, size_t bytes);
enum quire_status ground_store(struct ground *ground, uint32_t cpu, quire_vaddr va,
			       const void *buf, size_t bytes, size_t *done);

/* A device takes hold of a page to write to it; false where it cannot. */
bool ground_pin(struct ground *ground, quire_vaddr page);
void ground_unpin(struct ground *ground, quire_vaddr page);
void ground_device_store(struct ground *ground, quire_vaddr va, const void *buf,
			 size_t bytes);

/* Around fork(2) of the test: in the parent before it, in the child after it. */
bool ground_can_fork(void);
void ground_fork_prepare(struct ground *ground);
void ground_fork_child(struct ground *ground);

/* The nth call of site from now on fails, 1 is the next; 0: none does.  False: this
 * ground cannot. */
bool ground_fail(struct ground *ground, enum ground_site site, uint64_t nth);
/* How often the site has failed on command. */
uint64_t ground_failed(struct ground *ground, enum ground_site site);

/* Until let_go no lane of the ground's own is at work; no CPU is either. */
void ground_hold(struct ground *ground);
void ground_let_go(struct ground *ground);
/* While it is held: pages that the ground has mapped; and NULL, or what is wrong between
 * ground and machine, in buf. */
uint64_t ground_mapped(struct ground *ground);
const char *ground_validate(struct ground *ground, char *buf, size_t bytes);

#endif
