/* SPDX-License-Identifier: MIT */
/* device.c - a device that holds pages and writes to them past every protection, as
 * direct I/O into a user's buffer does. */
#include "ports/soft/parts.h"

#include <string.h>

bool qr_soft_is_pinned(const struct qr_soft *soft, uint64_t page)
{
	for (uint32_t i = 0; i < soft->nr_pins; i++)
		if (soft->pins[i] == page)
			return true;
	return false;
}

static void drop_at(struct qr_soft *soft, uint32_t i)
{
	soft->pins[i] = soft->pins[--soft->nr_pins];
}

void qr_soft_pins_drop(struct qr_soft *soft, struct quire_run run)
{
	for (uint32_t i = soft->nr_pins; i-- > 0;)
		if (qr_soft_run_has(run, soft->pins[i]))
			drop_at(soft, i);
}

/* The bytes of a mapped page, or NULL; *writable where the program may write it now. */
static unsigned char *bytes_of(struct qr_soft *soft, uint64_t page, bool *writable)
{
	struct qr_soft_shadow_page *shadow;
	const struct qr_soft_area *area;
	struct qr_soft_entry entry;

	if (!soft->config.copies) {
		if (!qr_soft_walk(soft, page, &entry))
			return NULL;
		*writable = entry.writable;
		return soft->port.direct + ((size_t)entry.pfn.n << QUIRE_PAGE_SHIFT);
	}
	shadow = qr_soft_shadow_find(&soft->shadow, page);
	area = qr_soft_areas_find(&soft->areas, page);
	if (shadow == NULL || area == NULL)
		return NULL;
	*writable = !shadow->protected && (area->prot & QUIRE_WRITE) != 0;
	return shadow->bytes;
}

bool qr_soft_pin(struct qr_soft *soft, quire_vaddr page)
{
	bool writable = false, held;

	pthread_mutex_lock(&soft->lock);
	held = soft->nr_pins < QR_SOFT_PINS && !qr_soft_is_pinned(soft, page.a) &&
	       bytes_of(soft, page.a, &writable) != NULL && writable;
	if (held)
		soft->pins[soft->nr_pins++] = page.a;
	pthread_mutex_unlock(&soft->lock);
	return held;
}

void qr_soft_unpin(struct qr_soft *soft, quire_vaddr page)
{
	pthread_mutex_lock(&soft->lock);
	qr_soft_pins_drop(soft, (struct quire_run){page, 1});
	pthread_mutex_unlock(&soft->lock);
}

void qr_soft_device_store(struct qr_soft *soft, quire_vaddr va, const void *buf,
			  size_t bytes)
{
	uint64_t page = va.a & ~(QUIRE_PAGE_BYTES - 1);
	unsigned char *to;
	bool writable;

	pthread_mutex_lock(&soft->lock);
	if (!qr_soft_is_pinned(soft, page) || va.a - page + bytes > QUIRE_PAGE_BYTES)
		qr_soft_panic(soft, "a device writes to a page that it does not hold");
	to = bytes_of(soft, page, &writable);
	if (to == NULL)
		qr_soft_panic(soft, "a page was taken from the device that holds it");
	memcpy(to + (va.a - page), buf, bytes);
	pthread_mutex_unlock(&soft->lock);
}

void qr_soft_fork_child(struct qr_soft *soft)
{
	const struct quire_run all = {{0}, UINT64_MAX >> QUIRE_PAGE_SHIFT};

	pthread_mutex_lock(&soft->lock);
	soft->nr_pins = 0;
	qr_soft_shadow_protect(&soft->shadow, all, false);
	pthread_mutex_unlock(&soft->lock);
	qr_soft_tlb_flush(soft, &all, 1);
}
