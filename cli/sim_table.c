/* SPDX-License-Identifier: MIT */
/* sim_table.c - the literature's figures for buddy systems beside the same computed by
 * the core's. */
#include "cli/sim.h"

#include <math.h>
#include <stdio.h>

struct table {
	struct qr_sim_row *rows;
	uint32_t nr;
};

static void add(struct table *table, const char *what, const char *of, double paper,
		double here, int digits)
{
	struct qr_sim_row *row = &table->rows[table->nr++];

	*row = (struct qr_sim_row){
		.what = what,
		.paper = paper,
		.here = here,
		.tolerance = 0.5 * pow(10, -digits),
		.digits = digits,
	};
	(void)snprintf(row->of, sizeof(row->of), "%s", of);
}

/* Exact: each size asked for once. */
static void add_waste(struct table *table)
{
	static const uint32_t mosts[] = {256, 1000, 4096, 65536};
	static const double papers[4][4] = {
		{.24708, .22092, .17330, .13952},
		{.25794, .19641, .18693, .14750},
		{.24982, .19694, .16517, .14265},
		{.24999, .22384, .18590, .14284},
	};
	static const char *const whats[] = {"waste, sizes 1..256", "waste, sizes 1..1000",
					    "waste, sizes 1..4096",
					    "waste, sizes 1..65536"};

	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t s = QR_SIM_BINARY; s <= QR_SIM_WEIGHTED; s++)
			add(table, whats[i], qr_sim_systems[s].name, papers[i][s],
			    qr_sim_waste(&qr_sim_systems[s], mosts[i]), 5);
}

static void add_bounds(struct table *table)
{
	struct qr_sim_bounds binary = qr_sim_overallocation(1);
	struct qr_sim_bounds fibonacci = qr_sim_overallocation(2);

	add(table, "overallocation, least", "binary", 1.3333, binary.least, 4);
	add(table, "overallocation, most", "binary", 1.5, binary.most, 4);
	add(table, "overallocation, least", "Fibonacci", 1.2361, fibonacci.least, 4);
	add(table, "overallocation, most", "Fibonacci", 1.3090, fibonacci.most, 4);
}

/* 36 KiB, and the block that it takes, in KiB. */
static void add_example(struct table *table)
{
	const struct quire_buddy_config config = {.ops = &qr_buddy_binary, .most = 4096};
	struct quire_buddy buddy;

	qr_buddy_init(&buddy, &config, NULL, 0);
	add(table, "36 KiB take, KiB", "binary", 64,
	    buddy.sizes[qr_buddy_order(&buddy, 36)], 0);
}

static bool add_pairs(struct table *table, uint64_t seed)
{
	/* Enough frames that the limit is near, and not so many that they take long. */
	double here = qr_sim_pairs(2000, seed);

	add(table, "time between pairs", "binary", 1.880, here, 3);
	table->rows[table->nr - 1].tolerance = 0.01 * 1.880;
	return here >= 0;
}

static const double fragmentation[2][4][3] = {
	{{.247, .020, .262}, {.221, .061, .269}, {.139, .226, .334}, {.189, .060, .238}},
	{{.303, .104, .376}, {.214, .127, .314}, {.162, .183, .316}, {.211, .150, .330}},
};

static void add_simulated(struct table *table, enum qr_sim_sizes sizes, const char *name,
			  const double paper[3], const struct qr_sim_fragmentation *here)
{
	static const char *const whats[2][3] = {
		{"uniform, internal", "uniform, external", "uniform, total"},
		{"exponential, internal", "exponential, external", "exponential, total"},
	};
	const double values[3] = {here->internal, here->external, here->total};

	for (uint32_t i = 0; i < 3; i++) {
		add(table, whats[sizes][i], name, paper[i], values[i], 3);
		table->rows[table->nr - 1].tolerance = 0.01;
	}
}

static bool add_fragmentation(struct table *table, uint64_t seed)
{
	static const uint32_t which[] = {QR_SIM_BINARY, QR_SIM_FIBONACCI, QR_SIM_WEIGHTED,
					 QR_SIM_TERTIARY};
	double totals[2][4];

	for (uint32_t sizes = QR_SIM_UNIFORM; sizes <= QR_SIM_EXPONENTIAL; sizes++) {
		for (uint32_t i = 0; i < 4; i++) {
			const struct qr_sim_system *system = &qr_sim_systems[which[i]];
			struct qr_sim_fragmentation here;

			if (!qr_sim_fill(system, sizes, seed, &here))
				return false;
			totals[sizes][i] = here.total;
			add_simulated(table, sizes, system->name, fragmentation[sizes][i],
				      &here);
		}
	}
	add(table, "binary below weighted", "uniform", 1, totals[0][0] < totals[0][2], 0);
	add(table, "weighted below binary", "exponential", 1, totals[1][2] < totals[1][0],
	    0);
	return true;
}

uint32_t qr_sim_buddy_rows(uint64_t seed, struct qr_sim_row rows[QR_SIM_ROWS_MAX])
{
	struct table table = {.rows = rows};

	add_waste(&table);
	add_bounds(&table);
	add_example(&table);
	if (!add_pairs(&table, seed) || !add_fragmentation(&table, seed))
		return 0;
	return table.nr;
}

bool qr_sim_row_agrees(const struct qr_sim_row *row)
{
	return fabs(row->paper - row->here) <= row->tolerance;
}
