/* SPDX-License-Identifier: MIT */
/* sim.h - the subjects of `quire sim`, and the simulations of buddy systems.
 *
 * All figures are of the core's own buddy systems: their sizes, their splitting, their
 * merging.  A seed gives the same figures each time. */
#ifndef QUIRE_CLI_SIM_H
#define QUIRE_CLI_SIM_H

#include "core/frames/buddy.h"
#include "quire/frames.h"

struct qr_sim_options {
	bool json;
	uint64_t seed;
	/* Of `frames` alone. */
	const char *view; /* NULL: most of them */
	uint64_t ram;
	enum quire_buddy_kind buddy;
};

struct qr_sim_subject {
	const char *name;
	int (*run)(const struct qr_sim_options *options); /* gives the exit status */
};

extern const struct qr_sim_subject qr_sim_buddy;
extern const struct qr_sim_subject qr_sim_frames;

/* The next of the numbers that a seed stands for.  (Steele et al., SplitMix64.) */
static inline uint64_t qr_sim_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Whether `frames` can show it. */
bool qr_sim_view_exists(const char *name);

/* A buddy system, and the lag where it is the Fibonacci one. */
struct qr_sim_system {
	const char *name;
	const struct quire_buddy_ops *ops;
	uint32_t lag;
};

enum {
	QR_SIM_BINARY,
	QR_SIM_FIBONACCI,
	QR_SIM_FIBONACCI_3, /* Z(i) = Z(i-1) + Z(i-3) */
	QR_SIM_WEIGHTED,
	QR_SIM_TERTIARY,
	QR_SIM_SYSTEMS,
};
extern const struct qr_sim_system qr_sim_systems[QR_SIM_SYSTEMS];

/* Mean waste, (allocated - asked) / allocated, of requests uniform on 1..most. */
double qr_sim_waste(const struct qr_sim_system *system, uint32_t most);

/* Between what the mean overallocation lies, whatever the sizes asked for.  (Russell,
 * CACM 20:8, 1977.)  For the systems of one recurrence: binary and Fibonacci. */
struct qr_sim_bounds {
	double least, most;
};
struct qr_sim_bounds qr_sim_overallocation(uint32_t lag);

/* Single frames come and go, `used` of them on average: the mean time between requests
 * for a pair of frames, in units of sqrt(used) / arrival rate.  (Purdom and Stigler, JACM
 * 17:683, 1970.)  Negative: no memory. */
double qr_sim_pairs(double used, uint64_t seed);

/* How requests are spread. */
enum qr_sim_sizes {
	QR_SIM_UNIFORM,	    /* 1..256 */
	QR_SIM_EXPONENTIAL, /* mean 64 */
};

struct qr_sim_fragmentation {
	double internal; /* of what is allocated */
	double external; /* of all */
	double total;	 /* of all: what holds nothing that was asked for */
};
/* 65,536 units, full: at each request that does not fit live blocks are freed at random
 * until it does.  Means over the requests, once full.  False: no memory. */
bool qr_sim_fill(const struct qr_sim_system *system, enum qr_sim_sizes sizes,
		 uint64_t seed, struct qr_sim_fragmentation *out);

/* One line of the table: a figure of the literature, and the same computed here. */
struct qr_sim_row {
	const char *what;
	char of[24]; /* system or size that it is about */
	double paper, here, tolerance;
	int digits; /* that the literature gives */
};
#define QR_SIM_ROWS_MAX 64

/* Computes all rows; their number, 0 when memory is short. */
uint32_t qr_sim_buddy_rows(uint64_t seed, struct qr_sim_row rows[QR_SIM_ROWS_MAX]);
bool qr_sim_row_agrees(const struct qr_sim_row *row);

#endif
