/* SPDX-License-Identifier: MIT */
/* verb_sim_buddy.c - `quire sim buddy`: the table of sim_table.c. */
#include "cli/cli.h"
#include "cli/sim.h"

#include <jansson.h>
#include <stdio.h>

static void print_text(const struct qr_sim_row *rows, uint32_t nr)
{
	(void)printf("%-24s %-14s %9s %9s %7s\n", "figure", "of", "published", "here",
		     "within");
	for (uint32_t i = 0; i < nr; i++) {
		const struct qr_sim_row *row = &rows[i];

		(void)printf("%-24s %-14s %9.*f %9.*f %7.*g%s\n", row->what, row->of,
			     row->digits, row->paper, row->digits, row->here, 2,
			     row->tolerance, qr_sim_row_agrees(row) ? "" : "  differs");
	}
}

static int print_json(const struct qr_sim_row *rows, uint32_t nr)
{
	json_t *list = json_array();
	int wrong = list == NULL ? -1 : 0;

	for (uint32_t i = 0; i < nr; i++)
		wrong |= json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:f,s:f,s:f,s:b}", "figure", rows[i].what,
				  "of", rows[i].of, "published", rows[i].paper, "here",
				  rows[i].here, "within", rows[i].tolerance, "agrees",
				  qr_sim_row_agrees(&rows[i])));
	if (wrong == 0)
		wrong = json_dumpf(list, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(list);
	return wrong;
}

static int run(const struct qr_sim_options *options)
{
	static struct qr_sim_row rows[QR_SIM_ROWS_MAX];
	uint32_t nr = qr_sim_buddy_rows(options->seed, rows);

	if (nr == 0 || (options->json && print_json(rows, nr) != 0))
		return qr_cli_fail(QR_EXIT_QUIRE, "sim buddy: no memory");
	if (!options->json)
		print_text(rows, nr);
	for (uint32_t i = 0; i < nr; i++)
		if (!qr_sim_row_agrees(&rows[i]))
			return 1;
	return 0;
}

const struct qr_sim_subject qr_sim_buddy = {.name = "buddy", .run = run};
