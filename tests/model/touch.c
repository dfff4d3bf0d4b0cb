/* SPDX-License-Identifier: MIT */
/* touch.c - loads and stores against the model's bytes. */
#include "tests/model/driver.h"

#include <string.h>

/* Turns of the page-out daemon after which it must have come to an end. */
#define BALANCE_TURNS 10000u

static bool may_access(const struct flat_page *page, bool write)
{
	if (page->kind != FLAT_OURS)
		return false;
	return write ? (page->prot & QUIRE_WRITE) != 0 : page->prot != 0;
}

/* True when the access was done; false when it was refused, rightly. */
static bool was_done(struct driver *d, uint32_t page, bool write,
		     enum quire_status status)
{
	struct flat_page *at = &d->flat.pages[page];
	uint32_t fail = d->rig->config.fail;

	if (!may_access(at, write)) {
		if (status == QUIRE_FAULT)
			return false;
		rig_fail(d->rig, "page %u: status %d for an access that is not allowed",
			 page, (int)status);
	}
	if (status == QUIRE_OK) {
		at->stays = at->locked;
		return true;
	}
	if (status == QUIRE_NO_MEMORY && driver_may_lack(d))
		return false;
	if ((status == QUIRE_IO || status == QUIRE_CORRUPT) && fail != RIG_NONE &&
	    rig_failures(d->rig) > 0)
		return false;
	rig_fail(d->rig, "page %u: status %d for %s", page, (int)status,
		 write ? "a store" : "a load");
}

static bool is_zero(const unsigned char *bytes)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, QUIRE_PAGE_BYTES - 1) == 0;
}

/* Compares a whole page, and settles whether it has become zero. */
static void compare(struct driver *d, uint32_t page, const unsigned char *seen)
{
	struct flat_page *at = &d->flat.pages[page];
	uint32_t i = 0;

	if (at->bytes != NULL && memcmp(seen, at->bytes, QUIRE_PAGE_BYTES) == 0)
		return;
	if ((at->bytes == NULL || at->may_be_zero) && is_zero(seen)) {
		flat_clear(&d->flat, page, 1);
		at->stays = at->locked;
		return;
	}
	while (seen[i] == (at->bytes == NULL ? 0 : at->bytes[i]))
		i++;
	rig_fail(d->rig,
		 "page %u has other bytes than the model, from %u on: %#x for %#x", page,
		 i, seen[i], at->bytes == NULL ? 0 : at->bytes[i]);
}

void driver_check_page(struct driver *d, uint32_t page)
{
	unsigned char seen[QUIRE_PAGE_BYTES];
	enum quire_status status = ground_load(
		d->rig->ground, d->cpu, flat_va(&d->flat, page), seen, sizeof(seen));

	if (was_done(d, page, false, status))
		compare(d, page, seen);
}

void driver_check_all(struct driver *d)
{
	for (uint32_t page = d->first; page < d->first + d->nr; page++)
		if (may_access(&d->flat.pages[page], false))
			driver_check_page(d, page);
}

static void store(struct driver *d, uint32_t page, uint32_t offset,
		  const unsigned char *bytes, uint32_t nr)
{
	struct flat_page *at = &d->flat.pages[page];
	quire_vaddr va = {flat_va(&d->flat, page).a + offset};
	enum quire_status status;
	size_t done;

	/* A store to a page that may have become zero has to know which it was. */
	if (at->may_be_zero && may_access(at, true)) {
		driver_check_page(d, page);
		if (at->bytes != NULL && at->may_be_zero && nr < QUIRE_PAGE_BYTES)
			return;
	}
	status = ground_store(d->rig->ground, d->cpu, va, bytes, nr, &done);
	if (!was_done(d, page, true, status) && done == 0)
		return;
	memcpy(flat_bytes(&d->flat, page) + offset, bytes, done);
	at->may_be_zero = false;
}

/* Pages as programs have them: zero, alike, half to be packed, not to be packed. */
static void make_pattern(struct driver *d, uint32_t kind, unsigned char *bytes)
{
	uint64_t *words = (uint64_t *)(void *)bytes;
	struct source noise = source_seed(source_below(d->source, 65536) + 1);
	uint32_t nr_noise = 0;

	memset(bytes, 0, QUIRE_PAGE_BYTES);
	switch (kind) {
	case 0:
		return;
	case 1:
		memset(bytes, (int)(source_next(&noise) & 255), QUIRE_PAGE_BYTES);
		return;
	case 2:
	case 3:
		nr_noise = 512;
		break;
	case 4:
	case 5:
		nr_noise = 64;
		break;
	default:
		nr_noise = 224;
	}
	for (uint32_t i = 0; i < nr_noise; i++)
		words[i] = source_next(&noise);
}

void driver_fill(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	uint32_t kind = source_below(d->source, 12);
	_Alignas(8) unsigned char bytes[QUIRE_PAGE_BYTES];

	for (uint32_t i = 0; i < range.nr; i++) {
		make_pattern(d, kind, bytes);
		store(d, range.first + i, 0, bytes, QUIRE_PAGE_BYTES);
	}
}

void driver_store(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	unsigned char bytes[16];

	for (uint32_t i = 0; i < range.nr; i++) {
		uint32_t nr = 1 + source_below(d->source, sizeof(bytes));
		uint32_t offset = source_below(d->source, QUIRE_PAGE_BYTES - nr + 1);

		memset(bytes, (int)source_below(d->source, 256), sizeof(bytes));
		store(d, range.first + i, offset, bytes, nr);
	}
}

void driver_load(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);

	for (uint32_t i = 0; i < range.nr; i++)
		driver_check_page(d, range.first + i);
}

/* In order, from an area's page on: a stream that is read ahead. */
void driver_scan(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	uint32_t end = range.first + DRIVER_RANGE_MAX;

	if (end > d->first + d->nr)
		end = d->first + d->nr;
	for (uint32_t page = range.first; page < end; page++) {
		if (!may_access(&d->flat.pages[page], false))
			return;
		driver_check_page(d, page);
	}
}

void driver_balance(struct driver *d)
{
	uint32_t turns = source_below(d->source, 4) * 8;

	/* Seldom to the end: that takes what would have to be faulted in again. */
	if (source_one_in(d->source, 16))
		turns = BALANCE_TURNS;
	for (uint32_t i = 0; i < turns; i++)
		if (!quire_balance(d->rig->q, d->cpu))
			return;
	if (turns == BALANCE_TURNS && !driver_may_lack(d) && !d->is_shared)
		rig_fail(d->rig, "quire_balance finds no end");
}
