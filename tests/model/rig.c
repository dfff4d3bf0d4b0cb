/* SPDX-License-Identifier: MIT */
/* rig.c - building, checking and breaking the machine under test. */
#include "tests/model/rig.h"

#include "core/machine/machine.h"
#include "tests/model/break.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A few times what fits into the frames; the break gets a sixteenth. */
#define WINDOW_PAGES 8192u

bool rig_has_writer(const struct rig_config *config)
{
	return config->swap == QUIRE_SWAP_FILE && config->lanes > 1 && config->store != 0;
}

static struct quire_config machine_config(struct rig *rig)
{
	return (struct quire_config){
		.codec = break_codec(),
		.swap = (enum quire_swap_mode)rig->config.swap,
		.store_bytes = (uint64_t)rig->config.store << QUIRE_PAGE_SHIFT,
		.nr_lanes = ground_lanes(&rig->config),
		.has_writer = rig_has_writer(&rig->config),
		.has_daemon = rig->config.daemon != 0,
		.stats = &rig->stats,
	};
}

static void find_break(struct rig *rig)
{
	struct quire_area_info info = {0};
	quire_vaddr start;

	if (quire_brk(rig->q, (quire_vaddr){0}, &start) != QUIRE_OK ||
	    start.a != rig->base ||
	    !quire_area_next(rig->q, (quire_vaddr){rig->base}, &info) || !info.foreign)
		rig_fail(rig, "the break is not at the start of the window");
	rig->brk_pages = (uint32_t)((info.range.end.a - rig->base) >> QUIRE_PAGE_SHIFT);
}

bool rig_open(struct rig *rig, const struct rig_config *config)
{
	struct quire_config machine;
	uint32_t nr_frames;

	*rig = (struct rig){.config = *config, .nr_pages = WINDOW_PAGES};
	rig_watch(config);
	break_reset();
	machine = machine_config(rig);
	nr_frames = quire_frames_least(&machine) + config->frames;
	rig->ground = ground_open(config, nr_frames, WINDOW_PAGES);
	if (rig->ground == NULL)
		rig_fail(rig, "the host has no memory for the ground");
	rig->base = ground_port(rig->ground)->window.start.a;
	if (quire_open(&rig->q, ground_port(rig->ground), &machine) != QUIRE_OK)
		rig_fail(rig, "quire_open");
	ground_attach(rig->ground, rig->q);
	find_break(rig);
	rig->frames_free = rig->stats.frames_free;
	return true;
}

void rig_close(struct rig *rig)
{
	const struct quire_stats *stats = &rig->stats;

	rig_validate(rig);
	if (stats->frames_free != rig->frames_free)
		rig_fail(rig,
			 "frames leaked: %llu free at the start, %llu at the end "
			 "(mapped %llu, store %llu, table %llu)",
			 (unsigned long long)rig->frames_free,
			 (unsigned long long)stats->frames_free,
			 (unsigned long long)stats->frames_mapped,
			 (unsigned long long)stats->frames_store,
			 (unsigned long long)stats->frames_table);
	if (stats->swap_extents != 0 || stats->stored_pages != 0 ||
	    stats->stored_bytes != 0 || stats->spilled_pages != 0 ||
	    stats->touched_pages != 0 || stats->mapped_bytes != 0 ||
	    stats->locked_bytes != 0)
		rig_fail(rig, "the account of an empty machine is not empty");
	ground_detach(rig->ground);
	quire_close(rig->q);
	if (stats->frames_free + stats->frames_meta != stats->nr_frames)
		rig_fail(rig, "frames are in use after quire_close");
	ground_close(rig->ground);
}

static void fail_ground(struct rig *rig, uint64_t nth)
{
	if (!ground_fail(rig->ground, (enum ground_site)rig->config.fail, nth))
		rig_fail(rig, "this ground has no such failure");
}

void rig_arm(struct rig *rig)
{
	const struct rig_config *config = &rig->config;

	if (config->fail < GROUND_SITES)
		fail_ground(rig, config->nth);
	else if (config->fail == RIG_FRAME)
		break_frame_at(config->nth);
	else if (config->fail == RIG_EXPAND)
		break_expand_at(config->nth);
}

void rig_disarm(struct rig *rig)
{
	if (rig->config.fail < GROUND_SITES)
		fail_ground(rig, 0);
	break_disarm();
}

uint64_t rig_failures(struct rig *rig)
{
	if (rig->config.fail < GROUND_SITES)
		return ground_failed(rig->ground, (enum ground_site)rig->config.fail);
	return break_failures();
}

static void check_account(struct rig *rig)
{
	const struct quire_stats *s = &rig->stats;
	uint64_t mapped = ground_mapped(rig->ground);

	if (s->nr_frames != s->frames_free + s->frames_mapped + s->frames_store +
				    s->frames_table + s->frames_meta)
		rig_fail(rig, "the account does not add up to nr_frames");
	if (s->frames_mapped != mapped)
		rig_fail(rig, "%llu frames in the account are mapped, on the ground %llu",
			 (unsigned long long)s->frames_mapped,
			 (unsigned long long)mapped);
}

void rig_validate(struct rig *rig)
{
	const char *wrong;
	char text[160];

	ground_hold(rig->ground);
	wrong = quire_validate(rig->q);
	if (wrong != NULL)
		rig_fail(rig, "the core says: %s", wrong);
	wrong = ground_validate(rig->ground, text, sizeof(text));
	if (wrong != NULL)
		rig_fail(rig, "the ground says: %s", wrong);
	check_account(rig);
	ground_let_go(rig->ground);
}

void rig_fail(const struct rig *rig, const char *format, ...)
{
	va_list args;

	(void)rig;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort(); /* rig_watch() has the replay id printed */
}
