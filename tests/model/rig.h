/* SPDX-License-Identifier: MIT */
/* rig.h - a machine on its ground, ready to be driven and to be made to fail.
 *
 * What a run depends on is in struct rig_config, and has a text form, the *replay id*:
 *
 *	copies:swap=file:frames=64:store=0:lanes=1:daemon=0:disk=4096:room=0:seed=7:
 *	steps=300:fail=read:nth=12
 *
 * It is printed when a run fails.  A test program that is given one, as its argument or
 * in QUIRE_REPLAY, repeats that run alone: the same choices, and on the software machine
 * with one lane the same in every step.
 */
#ifndef QUIRE_TESTS_MODEL_RIG_H
#define QUIRE_TESTS_MODEL_RIG_H

#include "quire/quire.h"
#include "tests/model/ground.h"

/* What fails in a run: a site of the ground, or one of these. */
enum rig_site {
	RIG_FRAME = GROUND_SITES, /* a frame is not to be had */
	RIG_EXPAND,		  /* stored bytes do not expand */
	RIG_NONE,
};

struct rig_config {
	bool copies;	 /* a port with QUIRE_PORT_COPIES */
	uint32_t kind;	 /* of a ground that has several */
	uint32_t swap;	 /* enum quire_swap_mode */
	uint32_t frames; /* above the least */
	uint32_t store;	 /* pages; 0: by what pays */
	uint32_t lanes;
	uint32_t daemon; /* 1: a thread calls quire_page_out() */
	uint32_t disk;	 /* extents */
	uint32_t room;	 /* extents that the disk really has; 0: all */
	uint64_t seed;
	uint32_t steps;
	uint32_t fail; /* enum rig_site, or enum ground_site */
	uint64_t nth;
};

struct rig {
	struct rig_config config;
	struct ground *ground;
	struct quire *q;
	struct quire_stats stats;
	uint64_t frames_free; /* once it was built */
	uint64_t base;	      /* of the window */
	uint32_t nr_pages;    /* of it */
	uint32_t brk_pages;   /* at its start, kept for the break */
};

/* Whether the machine leaves writing to a thread that calls quire_write_back(); whoever runs
 * several CPUs provides it. */
bool rig_has_writer(const struct rig_config *config);
/* False: too few frames could be had, because of what was made to fail. */
bool rig_open(struct rig *rig, const struct rig_config *config);
/* Every area is gone by now: all frames and extents are free again. */
void rig_close(struct rig *rig);
/* From now on the failure of the configuration is due. */
void rig_arm(struct rig *rig);
/* If it has not come yet, it will not. */
void rig_disarm(struct rig *rig);
/* How often it has come. */
uint64_t rig_failures(struct rig *rig);
/* Core, ground and account agree; nobody is at work. */
void rig_validate(struct rig *rig);
/* Prints why and the replay id, and stops. */
void rig_fail(const struct rig *rig, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Prints the replay id of the run under way when the program is stopped. */
void rig_watch(const struct rig_config *config);
/* What fails, as a replay id has it. */
const char *rig_site_name(uint32_t site);
bool rig_parse(const char *text, struct rig_config *config);
/* The replay id that the program was given, or NULL. */
const char *rig_replay(int argc, char **argv);
/* Whether this host lacks what the ground needs; says what.  The test then exits with
 * 77. */
bool rig_skips(void);

#endif
