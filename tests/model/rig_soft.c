/* SPDX-License-Identifier: MIT */
/* rig_soft.c - the software machine as the ground of a rig. */
#include "tests/model/rig.h"

#include "ports/soft/soft.h"

#include <string.h>

#define WINDOW_START 0x100000000ull
#define NR_DISKS     8u

static const struct rig_config rows[] = {
	{.copies = true, .swap = QUIRE_SWAP_FILE, .frames = 0, .disk = 4096},
	{.copies = true,
	 .swap = QUIRE_SWAP_FILE,
	 .frames = 64,
	 .store = 64,
	 .disk = 4096},
	{.copies = true, .swap = QUIRE_SWAP_FILE, .frames = 64, .disk = 4096, .room = 40},
	{.copies = true, .swap = QUIRE_SWAP_RAM, .frames = 32},
	{.copies = true, .swap = QUIRE_SWAP_RAM, .frames = 4000},
	{.copies = true, .swap = QUIRE_SWAP_NONE, .frames = 16},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .frames = 0, .disk = 4096},
	{.copies = false,
	 .swap = QUIRE_SWAP_FILE,
	 .frames = 64,
	 .store = 64,
	 .disk = 4096},
	{.copies = false, .swap = QUIRE_SWAP_FILE, .frames = 64, .disk = 16},
	{.copies = false, .swap = QUIRE_SWAP_RAM, .frames = 32},
	{.copies = false, .swap = QUIRE_SWAP_NONE, .frames = 16},
};

static const struct ground_suite suite = {
	.name = "model",
	.rows = rows,
	.nr_rows = sizeof(rows) / sizeof(rows[0]),
	.nr_seeds = 3,
	.nr_seeds_shared = 2,
	.nr_kinds = 1,
};

static const enum qr_soft_site sites[GROUND_SITES] = {
	[GROUND_FILL] = QR_SOFT_FILL,	[GROUND_LOOK] = QR_SOFT_LOOK,
	[GROUND_OPEN] = QR_SOFT_OPEN,	[GROUND_AREA_SET] = QR_SOFT_AREA_SET,
	[GROUND_WRITE] = QR_SOFT_WRITE, [GROUND_FULL] = QR_SOFT_FULL,
	[GROUND_READ] = QR_SOFT_READ,	[GROUND_FLIP] = QR_SOFT_FLIP,
};

/* The software machine is a ground as it is. */
static struct qr_soft *soft_of(const struct ground *ground)
{
	return (struct qr_soft *)(uintptr_t)ground;
}

const char *ground_missing(void)
{
	return NULL;
}

const struct ground_suite *ground_suite(void)
{
	return &suite;
}

const char *ground_name(const struct rig_config *config)
{
	return config->copies ? "copies" : "plain";
}

bool ground_named(const char *name, struct rig_config *config)
{
	config->copies = strcmp(name, "copies") == 0;
	return config->copies || strcmp(name, "plain") == 0;
}

bool ground_takes(const struct rig_config *config)
{
	(void)config;
	return true;
}

bool ground_is_timed(void)
{
	return false;
}

uint32_t ground_lanes(const struct rig_config *config)
{
	return config->lanes;
}

struct ground *ground_open(const struct rig_config *config, uint32_t nr_frames,
			   uint32_t nr_pages)
{
	const struct qr_soft_config soft = {
		.nr_frames = nr_frames,
		.copies = config->copies,
		.alone = config->lanes == 1,
		.nr_cpus = config->lanes,
		/* A daemon is called where not all are busy. */
		.nr_running = config->lanes - config->daemon,
		.window = {{WINDOW_START},
			   {WINDOW_START + ((uint64_t)nr_pages << QUIRE_PAGE_SHIFT)}},
		.nr_disks = NR_DISKS,
		.disk_extents = config->disk,
		.disk_room = config->room,
		/* Runs that fail on purpose are forked off one that stands ready. */
		.disks_are_copied = config->fail != RIG_NONE,
	};

	return (struct ground *)(void *)qr_soft_new(&soft);
}

const struct quire_port *ground_port(const struct ground *ground)
{
	return qr_soft_port(soft_of(ground));
}

void ground_attach(struct ground *ground, struct quire *q)
{
	qr_soft_attach(soft_of(ground), q);
}

void ground_detach(struct ground *ground)
{
	(void)ground; /* faults are handled by whoever accesses */
}

void ground_close(struct ground *ground)
{
	qr_soft_destroy(soft_of(ground));
}

enum quire_status ground_load(struct ground *ground, uint32_t cpu, quire_vaddr va,
			      void *buf, size_t bytes)
{
	return qr_soft_load(soft_of(ground), cpu, va, buf, bytes);
}

enum quire_status ground_store(struct ground *ground, uint32_t cpu, quire_vaddr va,
			       const void *buf, size_t bytes, size_t *done)
{
	enum quire_status status = qr_soft_store(soft_of(ground), cpu, va, buf, bytes);

	*done = status == QUIRE_OK ? bytes : 0;
	return status;
}

bool ground_pin(struct ground *ground, quire_vaddr page)
{
	return qr_soft_pin(soft_of(ground), page);
}

void ground_unpin(struct ground *ground, quire_vaddr page)
{
	qr_soft_unpin(soft_of(ground), page);
}

void ground_device_store(struct ground *ground, quire_vaddr va, const void *buf,
			 size_t bytes)
{
	qr_soft_device_store(soft_of(ground), va, buf, bytes);
}

bool ground_can_fork(void)
{
	return true;
}

void ground_fork_prepare(struct ground *ground)
{
	qr_soft_fork_prepare(soft_of(ground));
}

void ground_fork_child(struct ground *ground)
{
	qr_soft_fork_child(soft_of(ground));
}

bool ground_fail(struct ground *ground, enum ground_site site, uint64_t nth)
{
	qr_soft_fail(soft_of(ground), sites[site], nth, nth != 0);
	return true;
}

uint64_t ground_failed(struct ground *ground, enum ground_site site)
{
	return qr_soft_failed(soft_of(ground), sites[site]);
}

void ground_hold(struct ground *ground)
{
	(void)ground; /* it has no lanes of its own */
}

void ground_let_go(struct ground *ground)
{
	(void)ground;
}

uint64_t ground_mapped(struct ground *ground)
{
	return qr_soft_mapped(soft_of(ground));
}

const char *ground_validate(struct ground *ground, char *buf, size_t bytes)
{
	return qr_soft_validate(soft_of(ground), buf, bytes);
}
