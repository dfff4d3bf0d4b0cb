/* SPDX-License-Identifier: MIT */
/* sim_fragmentation.c - what the buddy systems waste: exactly, bounded, and in the long
 * run. */
#include "cli/sim.h"

#include <math.h>
#include <stdlib.h>

const struct qr_sim_system qr_sim_systems[QR_SIM_SYSTEMS] = {
	{"binary", &qr_buddy_binary, 0},	   {"Fibonacci", &qr_buddy_fibonacci, 2},
	{"Z(i-1)+Z(i-3)", &qr_buddy_fibonacci, 3}, {"weighted", &qr_buddy_weighted, 0},
	{"tertiary", &qr_buddy_tertiary, 0},
};

/* In (0, 1]. */
static double random_share(uint64_t *seed)
{
	return (double)((qr_sim_random(seed) >> 11) + 1) * 0x1p-53;
}

static void init_buddy(struct quire_buddy *buddy, const struct qr_sim_system *system,
		       uint32_t most, struct quire_frame *frames, uint32_t nr)
{
	const struct quire_buddy_config config = {
		.ops = system->ops, .most = most, .lag = system->lag};

	qr_buddy_init(buddy, &config, frames, nr);
	qr_buddy_add(buddy, 0, nr);
}

double qr_sim_waste(const struct qr_sim_system *system, uint32_t most)
{
	uint64_t asked = 0, allocated = 0;
	struct quire_buddy buddy;

	/* Of each system some size lies between most and twice that. */
	init_buddy(&buddy, system, 2 * most, NULL, 0);
	for (uint32_t n = 1; n <= most; n++) {
		asked += n;
		allocated += buddy.sizes[qr_buddy_order(&buddy, n)];
	}
	return (double)(allocated - asked) / (double)allocated;
}

struct qr_sim_bounds qr_sim_overallocation(uint32_t lag)
{
	/* The largest root of x^lag = x^(lag-1) + 1, by halving; lag 1 is 2. */
	double low = 1, high = 2;

	for (int i = 0; i < 60; i++) {
		double x = (low + high) / 2;

		if (pow(x, lag) < pow(x, lag - 1.0) + 1)
			low = x;
		else
			high = x;
	}
	return (struct qr_sim_bounds){2 * high / (high + 1), (high + 1) / 2};
}

#define SIM_UNITS 65536u

struct live {
	uint32_t start, asked;
};

struct sim {
	struct quire_buddy buddy;
	struct quire_frame frames[SIM_UNITS];
	struct live live[SIM_UNITS];
	uint32_t nr_live;
	uint64_t asked;
	uint64_t seed;
};

static struct sim *sim_new(const struct qr_sim_system *system, uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (sim == NULL)
		return NULL;
	sim->seed = seed;
	init_buddy(&sim->buddy, system, SIM_UNITS, sim->frames, SIM_UNITS);
	return sim;
}

static bool place(struct sim *sim, uint32_t asked)
{
	quire_pfn pfn;

	if (!qr_buddy_alloc(&sim->buddy, qr_buddy_order(&sim->buddy, asked), 0, &pfn))
		return false;
	sim->live[sim->nr_live++] = (struct live){pfn.n, asked};
	sim->asked += asked;
	return true;
}

static void free_any(struct sim *sim)
{
	uint32_t i = (uint32_t)(qr_sim_random(&sim->seed) % sim->nr_live);

	qr_buddy_free(&sim->buddy, (quire_pfn){sim->live[i].start});
	sim->asked -= sim->live[i].asked;
	sim->live[i] = sim->live[--sim->nr_live];
}

double qr_sim_pairs(double used, uint64_t seed)
{
	static const uint32_t events = 40000000, settling = 4000000;
	struct sim *sim = sim_new(&qr_sim_systems[QR_SIM_BINARY], seed);
	uint64_t nr_pairs = 0;
	double time = 0;

	if (sim == NULL)
		return -1;
	/* Arrivals at rate 1, each frame released at rate 1 / used: what comes next is an
	 * arrival by the share of its rate in both. */
	for (uint32_t i = 0; i < events; i++) {
		double rate = 1 + sim->nr_live / used;

		if (i >= settling)
			time += 1 / rate;
		if (random_share(&sim->seed) * rate > 1) {
			free_any(sim);
			continue;
		}
		nr_pairs += i >= settling && (sim->buddy.filled[0] & 1) == 0;
		(void)place(sim, 1);
	}
	free(sim);
	return time / (double)nr_pairs / sqrt(used);
}

static uint32_t draw(struct sim *sim, enum qr_sim_sizes sizes)
{
	double size;

	if (sizes == QR_SIM_UNIFORM)
		return 1 + (uint32_t)(qr_sim_random(&sim->seed) % 256);
	size = ceil(-64 * log(random_share(&sim->seed)));
	if (size < 1)
		return 1;
	return size < SIM_UNITS ? (uint32_t)size : SIM_UNITS;
}

bool qr_sim_fill(const struct qr_sim_system *system, enum qr_sim_sizes sizes,
		 uint64_t seed, struct qr_sim_fragmentation *out)
{
	static const uint32_t requests = 1000000, settling = 100000;
	struct sim *sim = sim_new(system, seed);
	struct qr_sim_fragmentation sum = {0};
	double nr = requests - settling;

	if (sim == NULL)
		return false;
	for (uint32_t i = 0; i < requests; i++) {
		uint32_t asked = draw(sim, sizes);
		double allocated;

		while (!place(sim, asked))
			free_any(sim);
		if (i < settling)
			continue;
		allocated = SIM_UNITS - sim->buddy.nr_free;
		sum.internal += 1 - (double)sim->asked / allocated;
		sum.external += sim->buddy.nr_free / (double)SIM_UNITS;
		sum.total += 1 - (double)sim->asked / SIM_UNITS;
	}
	free(sim);
	*out = (struct qr_sim_fragmentation){sum.internal / nr, sum.external / nr,
					     sum.total / nr};
	return true;
}
