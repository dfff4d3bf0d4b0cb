/* SPDX-License-Identifier: MIT */
/* device.c - pages that a device holds and writes to. */
#include "tests/model/driver.h"

#include <string.h>

void driver_forget_pins(struct driver *d, uint32_t first, uint32_t nr)
{
	for (uint32_t i = d->nr_pins; i-- > 0;) {
		if (d->pins[i] < first || d->pins[i] >= first + nr)
			continue;
		ground_unpin(d->rig->ground, flat_va(&d->flat, d->pins[i]));
		d->pins[i] = d->pins[--d->nr_pins];
	}
}

void driver_pin(struct driver *d)
{
	uint32_t page = driver_choose_ours(d).first;

	/* Plain, several at once: the core reads a page's frame while the device may still
	 * write to it, and learns of the device only at the release. */
	if (d->is_shared && !d->rig->config.copies)
		return;
	if (d->nr_pins == DRIVER_PINS || d->flat.pages[page].kind != FLAT_OURS ||
	    d->flat.pages[page].may_be_zero)
		return;
	if (ground_pin(d->rig->ground, flat_va(&d->flat, page)))
		d->pins[d->nr_pins++] = page;
}

void driver_device_store(struct driver *d)
{
	unsigned char bytes[24];
	uint32_t page, offset;

	if (d->nr_pins == 0)
		return;
	page = d->pins[source_below(d->source, d->nr_pins)];
	offset = source_below(d->source, QUIRE_PAGE_BYTES - sizeof(bytes));
	memset(bytes, (int)source_below(d->source, 256), sizeof(bytes));
	ground_device_store(d->rig->ground,
			    (quire_vaddr){flat_va(&d->flat, page).a + offset}, bytes,
			    sizeof(bytes));
	memcpy(flat_bytes(&d->flat, page) + offset, bytes, sizeof(bytes));
}

void driver_unpin(struct driver *d)
{
	uint32_t page;

	if (d->nr_pins == 0)
		return;
	page = d->pins[source_below(d->source, d->nr_pins)];
	driver_forget_pins(d, page, 1);
	driver_check_page(d, page);
}
