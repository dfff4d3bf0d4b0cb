/* SPDX-License-Identifier: MIT */
/* clauses_rest.c - [P13] to [P16]: devices, the clock, sleep, and the end. */
#include "tests/port/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_EXTENTS 5u

static _Alignas(4096) unsigned char buffer[QUIRE_TRANSFER_EXTENTS * QUIRE_EXTENT_BYTES];

static unsigned char *frame_at(const struct port_fixture *f, uint32_t i)
{
	return f->port->direct + ((size_t)(f->first_frame + i) << QUIRE_PAGE_SHIFT);
}

/* The byte at a place of the device. */
static unsigned char byte_of(uint64_t place)
{
	return (unsigned char)(place * 31 + (place >> QUIRE_PAGE_SHIFT) + 5);
}

/* Frames are taken from the end, so that they are not neighbours in order. */
static quire_pfn frame_for(const struct port_fixture *f, uint32_t i)
{
	return (quire_pfn){f->first_frame + (i * 5 + 3) % QUIRE_TRANSFER_FRAMES};
}

static enum quire_status write_extent(struct port_fixture *f, uint32_t area,
				      uint64_t extent, uint32_t nr)
{
	quire_pfn pfns[QUIRE_TRANSFER_FRAMES];

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t place = (extent << QUIRE_EXTENT_SHIFT) +
				 ((uint64_t)i << QUIRE_PAGE_SHIFT);
		unsigned char *bytes;

		pfns[i] = frame_for(f, i);
		bytes = f->port->direct + ((size_t)pfns[i].n << QUIRE_PAGE_SHIFT);
		for (uint32_t at = 0; at < QUIRE_PAGE_BYTES; at++)
			bytes[at] = byte_of(place + at);
	}
	return f->port->swap_write(f->port->ctx, area, extent, pfns, nr);
}

static void expect_read(struct port_fixture *f, uint32_t area, uint64_t byte,
			size_t bytes)
{
	memset(buffer, 0xee, sizeof(buffer));
	assert_int_equal(f->port->swap_read(f->port->ctx, area, byte, buffer, bytes),
			 QUIRE_OK);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(buffer[i], byte_of(byte + i));
	for (size_t i = bytes; i < sizeof(buffer); i++)
		assert_int_equal(buffer[i], 0xee);
}

static uint64_t open_area(struct port_fixture *f, uint32_t area)
{
	uint64_t nr_extents = 0;

	assert_int_equal(f->port->swap_open(f->port->ctx, area, &nr_extents), QUIRE_OK);
	assert_true(nr_extents >= NR_EXTENTS);
	return nr_extents;
}

/* [P13] */
static void check_transfers(struct port_fixture *f)
{
	uint64_t last = open_area(f, 0) - 1;
	const uint64_t extents[] = {0, 3, 1, 4, last};

	for (uint32_t k = 0; k < 5; k++)
		assert_int_equal(write_extent(f, 0, extents[k], QUIRE_EXTENT_FRAMES),
				 QUIRE_OK);
	for (uint32_t k = 0; k < 5; k++) {
		uint64_t start = extents[k] << QUIRE_EXTENT_SHIFT;

		for (uint32_t first = 0; first < QUIRE_EXTENT_FRAMES; first++)
			for (uint32_t nr = 1; first + nr <= QUIRE_EXTENT_FRAMES; nr++)
				expect_read(f, 0, start + first * QUIRE_PAGE_BYTES,
					    nr * QUIRE_PAGE_BYTES);
	}
}

/* Extents that were written together are read together, and one by one. */
static void check_long_transfers(struct port_fixture *f)
{
	const uint64_t start = 8 * QUIRE_EXTENT_BYTES;

	open_area(f, 0);
	for (uint32_t nr = 1; nr <= QUIRE_TRANSFER_FRAMES; nr += 5) {
		assert_int_equal(write_extent(f, 0, 8, nr), QUIRE_OK);
		expect_read(f, 0, start, nr * QUIRE_PAGE_BYTES);
		expect_read(f, 0, start + (nr - 1) * QUIRE_PAGE_BYTES, QUIRE_PAGE_BYTES);
	}
	assert_int_equal(write_extent(f, 0, 8, QUIRE_TRANSFER_FRAMES), QUIRE_OK);
	for (uint32_t i = 0; i < QUIRE_TRANSFER_EXTENTS; i++)
		expect_read(f, 0, start + i * QUIRE_EXTENT_BYTES, QUIRE_EXTENT_BYTES);
}

static void check_short_transfers(struct port_fixture *f)
{
	open_area(f, 0);
	for (uint32_t nr = 1; nr <= QUIRE_EXTENT_FRAMES; nr++) {
		assert_int_equal(write_extent(f, 0, 2, nr), QUIRE_OK);
		expect_read(f, 0, 2 * QUIRE_EXTENT_BYTES, nr * QUIRE_PAGE_BYTES);
	}
}

static void check_areas_are_apart(struct port_fixture *f)
{
	open_area(f, 0);
	open_area(f, 1);
	assert_int_equal(write_extent(f, 0, 1, QUIRE_EXTENT_FRAMES), QUIRE_OK);
	memset(frame_at(f, 0), 0x11, QUIRE_EXTENT_BYTES);
	assert_int_equal(f->port->swap_write(f->port->ctx, 1, 1,
					     (quire_pfn[]){{f->first_frame}}, 1),
			 QUIRE_OK);
	expect_read(f, 0, QUIRE_EXTENT_BYTES, QUIRE_EXTENT_BYTES);
	assert_int_equal(f->port->swap_read(f->port->ctx, 1, QUIRE_EXTENT_BYTES, buffer,
					    QUIRE_PAGE_BYTES),
			 QUIRE_OK);
	assert_int_equal(buffer[4095], 0x11);
	if (f->port->swap_sole != NULL)
		assert_true(f->port->swap_sole(f->port->ctx, 0));
}

/* [P14] */
static void check_transfers_that_fail(struct port_fixture *f)
{
	open_area(f, 0);
	assert_int_equal(write_extent(f, 0, 0, QUIRE_EXTENT_FRAMES), QUIRE_OK);
	if (!f->fail_next(f, PORT_FAIL_WRITE)) {
		print_message("skip: this ground cannot make transfers fail\n");
		return;
	}
	assert_int_equal(write_extent(f, 0, 1, QUIRE_EXTENT_FRAMES), QUIRE_IO);
	assert_int_equal(write_extent(f, 0, 1, QUIRE_EXTENT_FRAMES), QUIRE_OK);
	assert_true(f->fail_next(f, PORT_FAIL_FULL));
	assert_int_equal(write_extent(f, 0, 2, QUIRE_EXTENT_FRAMES), QUIRE_NO_SPACE);
	assert_true(f->fail_next(f, PORT_FAIL_READ));
	assert_int_equal(f->port->swap_read(f->port->ctx, 0, 0, buffer, QUIRE_PAGE_BYTES),
			 QUIRE_IO);
	expect_read(f, 0, 0, QUIRE_EXTENT_BYTES);
	expect_read(f, 0, QUIRE_EXTENT_BYTES, QUIRE_EXTENT_BYTES);
}

/* [P15] A time read after another, in whichever thread, is not before it. */
struct clock_check {
	struct port_fixture *f;
	_Atomic uint64_t latest;
	_Atomic bool went_back;
};

static void *read_clock(void *arg)
{
	struct clock_check *check = arg;

	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t before = atomic_load(&check->latest);
		uint64_t now = check->f->port->clock(check->f->port->ctx);

		if (now < before)
			atomic_store(&check->went_back, true);
		while (before < now &&
		       !atomic_compare_exchange_weak(&check->latest, &before, now))
			;
	}
	return NULL;
}

static void check_clock(struct port_fixture *f)
{
	struct clock_check check = {.f = f};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_clock, &check), 0);
	read_clock(&check);
	pthread_join(thread, NULL);
	assert_false(atomic_load(&check.went_back));
}

/* [P16] */
struct sleeper {
	struct port_fixture *f;
	_Atomic uint32_t word;
	_Atomic uint32_t nr_awake;
};

static void *sleep_once(void *arg)
{
	struct sleeper *s = arg;

	while (atomic_load(&s->word) == 0)
		s->f->port->wait(s->f->port->ctx, &s->word, 0);
	atomic_fetch_add(&s->nr_awake, 1);
	return NULL;
}

static void check_wait(struct port_fixture *f)
{
	struct sleeper s = {.f = f};
	pthread_t threads[2];

	atomic_store(&s.word, 7);
	f->port->wait(f->port->ctx, &s.word, 6); /* returns: the word is not 6 */
	f->port->notify(f->port->ctx, &s.word, 1);
	atomic_store(&s.word, 0);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_once, &s), 0);
	for (uint32_t i = 0; i < 1000; i++)
		sched_yield();
	assert_int_equal(atomic_load(&s.nr_awake), 0);
	atomic_store(&s.word, 1);
	f->port->notify(f->port->ctx, &s.word, UINT32_MAX / 2);
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&s.nr_awake), 2);
}

/* panic() does not return, and the machine does not end as if all were well. */
static void check_panic(struct port_fixture *f)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		close(STDERR_FILENO);
		f->port->panic(f->port->ctx, "a test of panic");
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

const struct port_clause port_clauses_rest[] = {
	{"P13 transfers", check_transfers},
	{"P13 long transfers", check_long_transfers},
	{"P13 short transfers", check_short_transfers},
	{"P13 areas are apart", check_areas_are_apart},
	{"P14 transfers that fail", check_transfers_that_fail},
	{"P15 clock", check_clock},
	{"P16 wait and notify", check_wait},
	{"P16 panic does not return", check_panic},
};
const uint32_t port_nr_clauses_rest =
	sizeof(port_clauses_rest) / sizeof(port_clauses_rest[0]);
