/* SPDX-License-Identifier: MIT */
/* swap_model.c - the array of swap_model.h. */
#include "tests/core/swap_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void make_bytes(const struct model_page *page, unsigned char *out)
{
	uint64_t seed = page->seed;

	for (uint32_t i = 0; i < page->bytes; i++)
		out[i] = (unsigned char)testport_random(&seed);
}

static uint32_t checksum_of(const struct model_page *page)
{
	return (uint32_t)(page->seed * 2654435761u);
}

struct model *model_new(uint32_t nr_frames, bool has_device, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->tp = testport_new(nr_frames, QUIRE_PORT_COPIES);
	m->seed = seed;
	qr_zone_init(&m->zone, &m->tp->port, &m->tp->stats,
		     qr_zone_table_frames(nr_frames));
	qr_lock_init(&m->lock, &m->tp->port);
	qr_swap_init(&m->swap, &m->zone, &m->lock, NULL, has_device);
	m->free_at_start = qr_zone_free_frames(&m->zone);
	qr_lock(&m->lock);
	model_validate(m);
	return m;
}

void model_delete(struct model *m)
{
	model_drop_all(m);
	model_validate(m);
	assert_int_equal(qr_zone_free_frames(&m->zone), m->free_at_start);
	assert_int_equal(m->tp->stats.stored_pages, 0);
	assert_int_equal(m->tp->stats.stored_bytes, 0);
	assert_int_equal(m->tp->stats.spilled_pages, 0);
	assert_int_equal(m->tp->stats.swap_extents, 0);
	qr_swap_destroy(&m->swap);
	assert_int_equal(qr_zone_free_frames(&m->zone), m->free_at_start);
	qr_unlock(&m->lock);
	testport_delete(m->tp);
	free(m);
}

void model_validate(struct model *m)
{
	const struct quire_stats *stats = &m->tp->stats;

	assert_null(qr_swap_validate(&m->swap));
	assert_null(qr_zone_validate(&m->zone));
	assert_int_equal(stats->stored_pages + stats->spilled_pages, m->nr);
}

enum quire_status model_put(struct model *m, uint32_t bytes)
{
	unsigned char packed[QUIRE_PAGE_BYTES];
	struct model_page page = {
		.count = 1, .bytes = bytes, .seed = testport_random(&m->seed)};
	uint32_t nr_free = qr_zone_free_frames(&m->zone);
	enum quire_status status;

	assert_true(m->nr < MODEL_PAGES);
	make_bytes(&page, packed);
	status = qr_swap_put(&m->swap, packed, bytes, checksum_of(&page), &page.slot);
	if (status == QUIRE_OK) {
		assert_int_not_equal(page.slot.n, 0);
		m->pages[m->nr++] = page;
	} else {
		assert_int_equal(status, QUIRE_NO_MEMORY);
		assert_int_equal(qr_zone_free_frames(&m->zone), nr_free);
	}
	return status;
}

/* As one who faults reads it: whole pages of the extent that cover the object. */
static const void *read_back(struct model *m, const struct qr_swap_place *place,
			     unsigned char *buf, uint32_t *bytes)
{
	const struct quire_port *port = &m->tp->port;
	size_t first = place->offset & ~(QUIRE_PAGE_BYTES - 1);
	size_t last = (place->offset + place->bytes + QUIRE_PAGE_BYTES - 1) &
		      ~(QUIRE_PAGE_BYTES - 1);

	assert_true(last <= QUIRE_EXTENT_BYTES);
	assert_int_equal(port->swap_read(port->ctx, place->area,
					 (place->extent << QUIRE_EXTENT_SHIFT) + first,
					 buf + first, last - first),
			 QUIRE_OK);
	return qr_swap_object(place, buf + place->offset, bytes);
}

void model_check(struct model *m, uint32_t i)
{
	static unsigned char extent[QUIRE_EXTENT_BYTES];
	unsigned char expected[QUIRE_PAGE_BYTES];
	unsigned char buf[QUIRE_PAGE_BYTES];
	const struct model_page *page = &m->pages[i];
	struct qr_swap_place place;
	const void *packed = buf;
	uint32_t bytes;

	qr_swap_get(&m->swap, page->slot, buf, &place);
	bytes = place.bytes;
	if (place.on_device)
		packed = read_back(m, &place, extent, &bytes);
	assert_non_null(packed);
	assert_int_equal(place.checksum, checksum_of(page));
	assert_int_equal(bytes, page->bytes);
	make_bytes(page, expected);
	assert_memory_equal(packed, expected, bytes);
}

void model_check_all(struct model *m)
{
	for (uint32_t i = 0; i < m->nr; i++)
		model_check(m, i);
}

void model_dup(struct model *m, uint32_t i)
{
	if (qr_swap_dup(&m->swap, m->pages[i].slot) == QUIRE_OK)
		m->pages[i].count++;
}

void model_drop(struct model *m, uint32_t i)
{
	qr_swap_drop(&m->swap, m->pages[i].slot);
	if (--m->pages[i].count == 0)
		m->pages[i] = m->pages[--m->nr];
}

void model_drop_all(struct model *m)
{
	while (m->nr > 0)
		model_drop(m, m->nr - 1);
}

uint32_t model_random_bytes(struct model *m)
{
	uint64_t r = testport_random(&m->seed);

	switch (r & 15) {
	case 0:
	case 1:
		return QUIRE_PAGE_BYTES;
	case 2:
		return 1 + (uint32_t)(r >> 8) % 80;
	case 3:
		return 1 + (uint32_t)(r >> 8) % QUIRE_PACKED_MAX;
	default:
		return 1100 + (uint32_t)(r >> 8) % 600;
	}
}

uint32_t model_random_index(struct model *m)
{
	return (uint32_t)(testport_random(&m->seed) % m->nr);
}
