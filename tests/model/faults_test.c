/* SPDX-License-Identifier: MIT */
/* faults_test.c - everything that can fail fails once: at its first time, its second, and
 * so on until a run comes to its end with nothing having failed.
 *
 * A run is a sequence that fills the machine, then the steps in which the failure is due.
 * The first part is the same for all: each run is a fork of a process that has done it.
 * What a failure may cost is said in driver.c and touch.c: a call that says "no memory"
 * and has changed nothing, a page that says it is lost.  Wrong bytes and leaks never.
 */
#include "tests/model/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_BEFORE 700u
#define STEPS_AFTER  16u
#define SEEDS	     2u
#define RUNS_MAX     20000u

/* How a run that is forked off ends. */
enum { END_CLEAN = 0, END_FAILED = 10 };

struct fault_case {
	const char *name;
	uint32_t fail;
	bool copies_only;
};

static const struct fault_case cases[] = {
	{"a frame", RIG_FRAME, false},
	{"fill", GROUND_FILL, false},
	{"look", GROUND_LOOK, true},
	{"area_set", GROUND_AREA_SET, false},
	{"opening a disk", GROUND_OPEN, false},
	{"a write", GROUND_WRITE, false},
	{"room on the disk", GROUND_FULL, false},
	{"a read", GROUND_READ, false},
	{"bits that are read", GROUND_FLIP, false},
	{"bytes that are expanded", RIG_EXPAND, false},
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static struct rig_config config_of(uint32_t fail, bool copies, uint64_t seed)
{
	/* A small store, so that the disk is busy. */
	return (struct rig_config){
		.copies = copies,
		.swap = QUIRE_SWAP_FILE,
		.frames = 0,
		.store = 96,
		.lanes = 1,
		.disk = 4096,
		.seed = seed,
		.steps = STEPS_BEFORE,
		.fail = fail,
	};
}

/* A disk is opened once, while the machine fills up. */
static uint32_t steps_before(const struct rig_config *config)
{
	return config->fail == GROUND_OPEN ? 0 : config->steps;
}

static uint32_t steps_after(const struct rig_config *config)
{
	return STEPS_AFTER + config->steps - steps_before(config);
}

/* The second part of a run; true when the failure came. */
static bool run_armed(struct driver *driver, uint64_t nth)
{
	struct rig *rig = driver->rig;
	bool failed;

	rig->config.nth = nth;
	rig_watch(&rig->config);
	rig_arm(rig);
	driver_run(driver, steps_after(&rig->config));
	failed = rig_failures(rig) > 0;
	rig_disarm(rig);
	driver_finish(driver);
	rig_close(rig);
	return failed;
}

static int run_forked(struct driver *driver, uint64_t nth)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(run_armed(driver, nth) ? END_FAILED : END_CLEAN);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void prepare(struct rig *rig, struct driver *driver, struct source *source,
		    const struct rig_config *config)
{
	*source = source_seed(config->seed);
	if (!rig_open(rig, config))
		rig_fail(rig, "the machine cannot be built");
	driver_init_alone(driver, rig, source);
	driver_run(driver, steps_before(config));
}

static uint64_t run_all(const struct rig_config *config)
{
	struct driver driver;
	struct source source;
	struct rig rig;
	uint64_t nth = 0;
	int end;

	prepare(&rig, &driver, &source, config);
	do
		end = run_forked(&driver, ++nth);
	while (end == END_FAILED && nth < RUNS_MAX);
	assert_int_equal(end, END_CLEAN);
	driver_finish(&driver);
	rig_close(&rig);
	return nth - 1;
}

static void run_case(void **state)
{
	const struct fault_case *c = *state;
	uint64_t nr = 0;

	for (uint32_t ground = 0; ground < 2; ground++) {
		bool copies = ground == 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct rig_config config = config_of(c->fail, copies, seed);

			if (copies || !c->copies_only)
				nr += run_all(&config);
		}
	}
	print_message("%llu failures\n", (unsigned long long)nr);
	assert_true(nr > 0);
}

static void replay(const struct rig_config *config)
{
	struct driver driver;
	struct source source;
	struct rig rig;

	prepare(&rig, &driver, &source, config);
	printf("the failure came: %d\n", run_armed(&driver, config->nth));
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[NR_CASES];
	static struct fault_case copy[NR_CASES];
	const char *text = rig_replay(argc, argv);
	struct rig_config config;

	if (text != NULL) {
		if (!rig_parse(text, &config)) {
			fprintf(stderr, "not a replay id: %s\n", text);
			return 2;
		}
		replay(&config);
		return 0;
	}
	for (uint32_t i = 0; i < NR_CASES; i++) {
		copy[i] = cases[i];
		tests[i] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = run_case,
			.initial_state = &copy[i],
		};
	}
	return _cmocka_run_group_tests("failures", tests, NR_CASES, NULL, NULL);
}
