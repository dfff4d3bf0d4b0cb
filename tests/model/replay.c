/* SPDX-License-Identifier: MIT */
/* replay.c - a run's configuration as text, there and back. */
#include "tests/model/rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const swap_names[] = {"none", "ram", "file"};

static const char *const site_names[] = {
	[GROUND_FILL] = "fill",	 [GROUND_LOOK] = "look",   [GROUND_AREA_SET] = "area_set",
	[GROUND_OPEN] = "open",	 [GROUND_WRITE] = "write", [GROUND_FULL] = "full",
	[GROUND_READ] = "read",	 [GROUND_FLIP] = "flip",   [RIG_FRAME] = "frame",
	[RIG_EXPAND] = "expand", [RIG_NONE] = "none",
};

const char *rig_site_name(uint32_t site)
{
	return site_names[site];
}

/* Of the run under way, for the handler of SIGABRT. */
static char current[320];

static void print_current(int signal_number)
{
	static const char head[] = "replay with: ";
	ssize_t ignored;

	ignored = write(STDERR_FILENO, head, sizeof(head) - 1);
	ignored = write(STDERR_FILENO, current, strlen(current));
	ignored = write(STDERR_FILENO, "\n", 1);
	(void)ignored;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

void rig_watch(const struct rig_config *config)
{
	snprintf(current, sizeof(current),
		 "%s:swap=%s:frames=%u:store=%u:lanes=%u:daemon=%u:disk=%u:room=%u:"
		 "seed=%llu:steps=%u:fail=%s:nth=%llu",
		 ground_name(config), swap_names[config->swap], config->frames,
		 config->store, config->lanes, config->daemon, config->disk, config->room,
		 (unsigned long long)config->seed, config->steps,
		 site_names[config->fail], (unsigned long long)config->nth);
	signal(SIGABRT, print_current);
	signal(SIGSEGV, print_current);
}

/* The number of a name, or nr. */
static uint32_t number_of(const char *const *names, uint32_t nr, const char *name)
{
	uint32_t i = 0;

	while (i < nr && strcmp(names[i], name) != 0)
		i++;
	return i;
}

bool rig_parse(const char *text, struct rig_config *config)
{
	char ground[16], swap[16], fail[16];
	unsigned long long seed, nth;

	if (sscanf(text,
		   "%15[a-z_]:swap=%15[a-z]:frames=%u:store=%u:lanes=%u:daemon=%u:"
		   "disk=%u:room=%u:seed=%llu:steps=%u:fail=%15[a-z_]:nth=%llu",
		   ground, swap, &config->frames, &config->store, &config->lanes,
		   &config->daemon, &config->disk, &config->room, &seed, &config->steps,
		   fail, &nth) != 12)
		return false;
	config->swap = number_of(swap_names, 3, swap);
	config->fail = number_of(site_names, RIG_NONE + 1, fail);
	config->seed = seed;
	config->nth = nth;
	return ground_named(ground, config) && config->swap < 3 &&
	       config->fail <= RIG_NONE;
}

const char *rig_replay(int argc, char **argv)
{
	return argc > 1 ? argv[1] : getenv("QUIRE_REPLAY");
}

bool rig_skips(void)
{
	const char *missing = ground_missing();

	if (missing != NULL)
		fprintf(stderr, "skip: this host lacks %s\n", missing);
	return missing != NULL;
}
