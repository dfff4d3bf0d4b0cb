/* SPDX-License-Identifier: MIT */
/* suite.c - every clause of the port's contract, on every ground: one test each.
 *
 * Each test gets a fresh fixture, and ends by asking that nothing is held any more.
 */
#include "tests/port/fixture.h"
#include "tests/port/linux_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct ground {
	const char *name;
	struct port_fixture *(*make)(void);
	bool may_lack; /* this host may not offer it: the fixture says what it lacks */
};

static const struct ground grounds[] = {
	{"soft, plain", soft_fixture_plain, false},
	{"soft, copies", soft_fixture_copies, false},
	{"linux", linux_fixture, true},
	{"linux, older kernel", linux_fixture_old, true},
};

#define NR_GROUNDS  (sizeof(grounds) / sizeof(grounds[0]))
#define CLAUSES_MAX 64u

struct clause_case {
	const struct ground *ground;
	const struct port_clause *clause;
	char name[96];
};

static void run_clause(void **state)
{
	const struct clause_case *c = *state;
	struct port_fixture *f = c->ground->make();
	const char *held;

	if (f == NULL && c->ground->may_lack)
		skip();
	assert_non_null(f);
	c->clause->check(f);
	held = f->held(f);
	if (held != NULL)
		print_error("still held: %s\n", held);
	assert_null(held);
	f->close(f);
}

static uint32_t add(struct CMUnitTest *tests, struct clause_case *cases, uint32_t nr,
		    const struct ground *ground, const struct port_clause *clauses,
		    uint32_t nr_clauses)
{
	for (uint32_t i = 0; i < nr_clauses; i++, nr++) {
		struct clause_case *c = &cases[nr];

		c->ground = ground;
		c->clause = &clauses[i];
		snprintf(c->name, sizeof(c->name), "%s: %s", ground->name,
			 clauses[i].name);
		tests[nr] = (struct CMUnitTest){
			.name = c->name,
			.test_func = run_clause,
			.initial_state = c,
		};
	}
	return nr;
}

/* Takes a word with which the names of the grounds to be tested begin; without, all. */
int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	static struct CMUnitTest tests[NR_GROUNDS * CLAUSES_MAX];
	static struct clause_case cases[NR_GROUNDS * CLAUSES_MAX];
	uint32_t nr = 0;

	if (port_nr_clauses_pages + port_nr_clauses_rest > CLAUSES_MAX)
		return 1;
	for (uint32_t g = 0; g < NR_GROUNDS; g++) {
		if (strncmp(grounds[g].name, wanted, strlen(wanted)) != 0)
			continue;
		nr = add(tests, cases, nr, &grounds[g], port_clauses_pages,
			 port_nr_clauses_pages);
		nr = add(tests, cases, nr, &grounds[g], port_clauses_rest,
			 port_nr_clauses_rest);
	}
	return _cmocka_run_group_tests("port", tests, nr, NULL, NULL);
}
