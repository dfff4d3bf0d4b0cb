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
	[QR_SOFT_FILL] = "fill",
	[QR_SOFT_LOOK] = "look",
	[QR_SOFT_AREA_SET] = "area_set",
	[QR_SOFT_OPEN] = "open",
	[QR_SOFT_WRITE] = "write",
	[QR_SOFT_FULL] = "full",
	[QR_SOFT_READ] = "read",
	[QR_SOFT_FLIP] = "flip",
	[RIG_FRAME] = "frame",
	[RIG_EXPAND] = "expand",
	[RIG_NONE] = "none",
};

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
		 "%s:swap=%s:frames=%u:store=%u:lanes=%u:disk=%u:room=%u:seed=%llu:"
		 "steps=%u:fail=%s:nth=%llu",
		 config->copies ? "copies" : "plain", swap_names[config->swap],
		 config->frames, config->store, config->lanes, config->disk, config->room,
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
		   "%15[a-z]:swap=%15[a-z]:frames=%u:store=%u:lanes=%u:disk=%u:room=%u:"
		   "seed=%llu:steps=%u:fail=%15[a-z_]:nth=%llu",
		   ground, swap, &config->frames, &config->store, &config->lanes,
		   &config->disk, &config->room, &seed, &config->steps, fail, &nth) != 11)
		return false;
	config->copies = strcmp(ground, "copies") == 0;
	config->swap = number_of(swap_names, 3, swap);
	config->fail = number_of(site_names, RIG_NONE + 1, fail);
	config->seed = seed;
	config->nth = nth;
	return config->swap < 3 && config->fail <= RIG_NONE;
}

const char *rig_replay(int argc, char **argv)
{
	return argc > 1 ? argv[1] : getenv("QUIRE_REPLAY");
}
