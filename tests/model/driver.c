/* SPDX-License-Identifier: MIT */
/* driver.c - picks steps by weight, and brings a sequence to its end. */
#include "tests/model/driver.h"

#define VALIDATE_EVERY 16u

struct step {
	void (*run)(struct driver *d);
	uint32_t weight;
};

static const struct step steps[] = {
	{driver_fill, 30},  {driver_store, 20},	      {driver_load, 22},
	{driver_scan, 6},   {driver_balance, 5},      {driver_mmap, 10},
	{driver_munmap, 2}, {driver_mprotect, 4},     {driver_madvise, 4},
	{driver_mlock, 2},  {driver_mlock_all, 1},    {driver_mincore, 2},
	{driver_brk, 2},    {driver_mremap, 6},	      {driver_check_areas, 3},
	{driver_pin, 4},    {driver_device_store, 4}, {driver_unpin, 3},
	{driver_fork, 1},
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

void driver_init(struct driver *d, struct rig *rig, struct source *source, uint32_t cpu,
		 struct driver_range slice)
{
	*d = (struct driver){
		.rig = rig,
		.source = source,
		.cpu = cpu,
		.first = slice.first,
		.nr = slice.nr,
		.is_shared = true,
		.brk = {rig->base},
	};
	flat_init(&d->flat, rig->base, rig->nr_pages);
}

void driver_init_alone(struct driver *d, struct rig *rig, struct source *source)
{
	driver_init(d, rig, source, 0, (struct driver_range){0, rig->nr_pages});
	d->is_shared = false;
	flat_set(&d->flat, 0, rig->brk_pages, (struct flat_page){.kind = FLAT_FOREIGN});
}

bool driver_may_lack(const struct driver *d)
{
	const struct rig_config *config = &d->rig->config;
	uint32_t locked = flat_count(&d->flat, FLAT_OURS, true);

	if (config->swap != QUIRE_SWAP_FILE || config->room != 0)
		return true;
	/* Each driver may lock its share of half the memory. */
	return config->fail != RIG_NONE ||
	       locked * config->lanes > d->rig->frames_free / 2;
}

void driver_step(struct driver *d)
{
	uint32_t total = 0, at;

	for (uint32_t i = 0; i < NR_STEPS; i++)
		total += steps[i].weight;
	at = source_below(d->source, total);
	for (uint32_t i = 0; i < NR_STEPS; i++) {
		if (at < steps[i].weight) {
			steps[i].run(d);
			return;
		}
		at -= steps[i].weight;
	}
}

void driver_run(struct driver *d, uint32_t nr_steps)
{
	for (uint32_t i = 0; i < nr_steps && !source_is_over(d->source); i++) {
		driver_step(d);
		if (!d->is_shared && i % VALIDATE_EVERY == 0)
			rig_validate(d->rig);
	}
}

static void expect_ok(struct driver *d, const char *call, enum quire_status status)
{
	if (status != QUIRE_OK)
		rig_fail(d->rig, "at the end, %s: status %d", call, (int)status);
}

/* The break's addresses as they were at the start, whatever was unmapped there. */
static void restore_break(struct driver *d)
{
	uint64_t bytes = (uint64_t)d->rig->brk_pages << QUIRE_PAGE_SHIFT;
	quire_vaddr start = {d->rig->base}, out;

	expect_ok(d, "brk", quire_brk(d->rig->q, start, &out));
	expect_ok(d, "mmap",
		  quire_mmap(d->rig->q, start, bytes, 0,
			     QUIRE_MAP_FIXED | QUIRE_MAP_FOREIGN, 0, &out));
}

void driver_finish(struct driver *d)
{
	quire_vaddr start = flat_va(&d->flat, d->first);
	uint64_t bytes = (uint64_t)d->nr << QUIRE_PAGE_SHIFT;

	driver_wait_children(d);
	driver_check_all(d);
	driver_check_areas(d);
	driver_forget_pins(d, 0, d->flat.nr_pages);
	if (!d->is_shared) {
		expect_ok(d, "mlock_all", quire_mlock_all(d->rig->q, false, false));
		start = flat_va(&d->flat, d->rig->brk_pages);
		bytes -= (uint64_t)d->rig->brk_pages << QUIRE_PAGE_SHIFT;
	}
	expect_ok(d, "munmap", quire_munmap(d->rig->q, start, bytes));
	if (!d->is_shared)
		restore_break(d);
	flat_destroy(&d->flat);
}
