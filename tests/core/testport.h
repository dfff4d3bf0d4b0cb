/* SPDX-License-Identifier: MIT */
/* testport.h - the least ground that the lower storeys stand on: memory, a counting
 * clock, and swap areas in memory that fail when told to. */
#ifndef QUIRE_TESTS_CORE_TESTPORT_H
#define QUIRE_TESTS_CORE_TESTPORT_H

#include "core/frames/zone.h"
#include "quire/port.h"

#include <pthread.h>
#include <setjmp.h>

#define TESTPORT_AREAS	 64u
#define TESTPORT_EXTENTS 4096u /* that a test can reach; an area may claim more */

struct testport_area {
	unsigned char *extents[TESTPORT_EXTENTS]; /* NULL: never written */
	bool is_open;
	bool is_shared; /* swap_sole() says no */
};

struct testport {
	struct quire_port port;
	struct quire_stats stats;
	pthread_mutex_t mutex; /* guards what follows: ops come from several threads */
	_Atomic uint64_t now;
	struct testport_area areas[TESTPORT_AREAS];
	uint64_t nr_extents; /* that each area claims */
	uint64_t nr_opens, nr_writes, nr_sole, nr_discarded;
	uint64_t fail_write_at; /* the write, counted from 1, that fails; 0: none */
	uint64_t fail_writes;	/* so many fail from there on */
	enum quire_status fail_status;
	enum quire_status open_status;
	/* Called while a write is under way, with no lock held. */
	void (*during_write)(void *arg);
	void (*during_open)(void *arg); /* the same for swap_open() */
	void *during_arg;
};

/* A machine of nr_frames frames; caps as the port's. */
struct testport *testport_new(uint32_t nr_frames, uint32_t caps);
void testport_delete(struct testport *tp);

/* Whether action(arg) panics, or fails an assertion. */
bool testport_dies(void (*action)(void *arg), void *arg);
/* What it panicked with. */
const char *testport_last_words(void);

/* A generator whose numbers depend on the seed alone.  (Steele et al., SplitMix64.) */
static inline uint64_t testport_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The seed of a random test: from QUIRE_SEED, so that a failure can be run again. */
uint64_t testport_seed(void);

#endif
