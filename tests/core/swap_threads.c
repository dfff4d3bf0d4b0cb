/* SPDX-License-Identifier: MIT */
/* swap_threads.c - several threads on one store: each keeps pages of its own, all spill,
 * and one takes slots while the other's transfer is under way.  For the thread sanitizer
 * above all. */
#include "tests/core/swap_model.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NR_THREADS 3u
#define NR_STEPS   6000u
#define NR_KEPT	   300u

struct worker {
	struct model *m;
	uint32_t id;
	uint64_t seed;
	quire_slot slots[NR_KEPT];
	uint32_t nr;
	uint32_t nr_wrong; /* asserts are the main thread's */
};

/* All bytes of a page are the same and say whose it is. */
static void put(struct worker *w)
{
	unsigned char page[QUIRE_PAGE_BYTES];
	uint64_t r = testport_random(&w->seed);
	uint32_t bytes =
		(r & 7) == 0 ? QUIRE_PAGE_BYTES : 400 + (uint32_t)(r >> 8) % 1500;
	unsigned char byte = (unsigned char)((r >> 40) % 80 * NR_THREADS + w->id);

	memset(page, byte, bytes);
	qr_lock(&w->m->lock);
	if (qr_swap_put(&w->m->swap, page, bytes, byte, &w->slots[w->nr]) == QUIRE_OK)
		w->nr++;
	qr_unlock(&w->m->lock);
}

static bool is_filled(const unsigned char *bytes, uint32_t nr, uint32_t with)
{
	for (uint32_t i = 0; i < nr; i++)
		if (bytes[i] != with)
			return false;
	return true;
}

static void check(struct worker *w, uint32_t i)
{
	static _Thread_local unsigned char extent[QUIRE_EXTENT_BYTES];
	const struct quire_port *port = &w->m->tp->port;
	unsigned char buf[QUIRE_PAGE_BYTES];
	struct qr_swap_place place;
	const void *packed = buf;
	uint32_t bytes;

	qr_lock(&w->m->lock);
	qr_swap_get(&w->m->swap, w->slots[i], buf, &place);
	qr_unlock(&w->m->lock);
	bytes = place.bytes;
	if (place.on_device) {
		if (port->swap_read(port->ctx, place.area,
				    place.extent << QUIRE_EXTENT_SHIFT, extent,
				    QUIRE_EXTENT_BYTES) != QUIRE_OK)
			w->nr_wrong++;
		packed = qr_swap_object(&place, extent + place.offset, &bytes);
	}
	if (packed == NULL || place.checksum % NR_THREADS != w->id ||
	    !is_filled(packed, bytes, place.checksum))
		w->nr_wrong++;
}

static void drop(struct worker *w, uint32_t i)
{
	qr_lock(&w->m->lock);
	qr_swap_drop(&w->m->swap, w->slots[i]);
	qr_unlock(&w->m->lock);
	w->slots[i] = w->slots[--w->nr];
}

static void spill(struct worker *w)
{
	enum quire_status status;

	qr_lock(&w->m->lock);
	status = qr_swap_spill(&w->m->swap, QUIRE_TRANSFER_EXTENTS);
	qr_unlock(&w->m->lock);
	if (status == QUIRE_CORRUPT)
		w->nr_wrong++;
}

static void step(struct worker *w)
{
	uint64_t r = testport_random(&w->seed);
	uint32_t i = w->nr > 0 ? (uint32_t)(r >> 8) % w->nr : 0;

	if (w->nr == 0 || (w->nr < NR_KEPT && (r & 7) < 4))
		put(w);
	else if ((r & 7) < 6)
		drop(w, i);
	else
		check(w, i);
	if ((r >> 32) % 16 == 0)
		spill(w);
	if ((r >> 40) % 256 == 0) {
		qr_lock(&w->m->lock);
		(void)qr_swap_compact(&w->m->swap, 4);
		qr_unlock(&w->m->lock);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < NR_STEPS; i++)
		step(w);
	for (uint32_t i = 0; i < w->nr; i++)
		check(w, i);
	while (w->nr > 0)
		drop(w, w->nr - 1);
	return NULL;
}

static void threads_do_not_meet_each_others_pages(void **state)
{
	struct model *m = model_new(1500, true, 1);
	uint64_t seed = testport_seed();
	struct worker *workers = calloc(NR_THREADS, sizeof(*workers));
	pthread_t threads[NR_THREADS];

	(void)state;
	assert_non_null(workers);
	m->tp->nr_extents = 40; /* several areas: openings meet too */
	m->tp->fail_write_at = 20;
	m->tp->fail_writes = 10;
	qr_unlock(&m->lock);
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		workers[i] =
			(struct worker){.m = m, .id = i, .seed = testport_random(&seed)};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].nr_wrong, 0);
	}
	free(workers);
	qr_lock(&m->lock);
	assert_true(m->tp->stats.extents_out > 0);
	model_delete(m);
}

/* Spills from another thread while an area is being opened. */
struct second {
	struct model *m;
	pthread_t thread;
	enum quire_status status;
	bool is_started;
};

static void *spill_second(void *arg)
{
	struct second *s = arg;

	qr_lock(&s->m->lock);
	s->status = qr_swap_spill(&s->m->swap, 1);
	qr_unlock(&s->m->lock);
	return NULL;
}

/* Returns once the second one has gone as far as it can without the first. */
static void start_second(void *arg)
{
	struct second *s = arg;
	bool is_waiting = false;

	if (s->is_started)
		return;
	s->is_started = true;
	assert_int_equal(pthread_create(&s->thread, NULL, spill_second, s), 0);
	while (!is_waiting) {
		sched_yield();
		qr_lock(&s->m->lock);
		is_waiting = s->m->swap.opened.nr_waiters > 0;
		qr_unlock(&s->m->lock);
	}
}

static void spill_while_opening(enum quire_status open_status)
{
	struct model *m = model_new(512, true, 1);
	struct second s = {.m = m, .status = QUIRE_CORRUPT};
	bool works = open_status == QUIRE_OK;
	enum quire_status status;

	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(model_put(m, QUIRE_PAGE_BYTES), QUIRE_OK);
	m->tp->during_open = start_second;
	m->tp->during_arg = &s;
	m->tp->open_status = open_status;
	status = qr_swap_spill(&m->swap, 1);
	qr_unlock(&m->lock);
	assert_int_equal(pthread_join(s.thread, NULL), 0);
	qr_lock(&m->lock);
	assert_int_equal(status, open_status);
	assert_int_equal(s.status, works ? QUIRE_OK : QUIRE_NO_SPACE);
	assert_int_equal(m->tp->nr_opens, 1);
	assert_int_equal(m->tp->stats.swap_extents, works ? 2 : 0);
	model_validate(m);
	model_check_all(m);
	model_delete(m);
}

static void an_area_is_opened_once(void **state)
{
	(void)state;
	spill_while_opening(QUIRE_OK);
	spill_while_opening(QUIRE_NO_SPACE);
	spill_while_opening(QUIRE_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_do_not_meet_each_others_pages),
		cmocka_unit_test(an_area_is_opened_once),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
