/* SPDX-License-Identifier: MIT */
/* fork.c - a copy of the whole machine that goes its own way: fork(2) of the test.
 *
 * Frames, tables and shadow are each process's own; swap disks that were open are one.
 * Either side must find every byte that it had, whatever the other does meanwhile.
 */
#include "tests/model/driver.h"

#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 2u
#define CHILD_STEPS  40u

static _Noreturn void run_child(struct driver *d)
{
	d->is_child = true;
	d->nr_pins = d->nr_children = 0;
	ground_fork_child(d->rig->ground);
	quire_fork_resume(d->rig->q, true);
	rig_validate(d->rig);
	if (source_one_in(d->source, 2))
		driver_check_all(d);
	driver_run(d, CHILD_STEPS);
	driver_finish(d);
	rig_close(d->rig);
	_exit(0);
}

void driver_fork(struct driver *d)
{
	pid_t child;

	if (!ground_can_fork() || d->is_shared || d->is_child ||
	    d->nr_children == CHILDREN_MAX || d->rig->config.fail != RIG_NONE ||
	    !source_one_in(d->source, 4))
		return;
	driver_forget_pins(d, 0, d->flat.nr_pages);
	quire_fork_prepare(d->rig->q);
	ground_fork_prepare(d->rig->ground);
	child = fork();
	if (child < 0)
		rig_fail(d->rig, "fork: the host refuses");
	if (child == 0)
		run_child(d);
	quire_fork_resume(d->rig->q, false);
	d->nr_children++;
	rig_validate(d->rig);
	if (source_one_in(d->source, 2))
		driver_wait_children(d);
}

void driver_wait_children(struct driver *d)
{
	for (; d->nr_children > 0; d->nr_children--) {
		int status;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			rig_fail(d->rig, "the child of a fork failed");
	}
}
