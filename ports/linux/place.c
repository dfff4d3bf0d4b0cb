/* SPDX-License-Identifier: MIT */
/* place.c - which handlers listen. */
#include "ports/linux/place.h"

#include "ports/linux/ground.h"
#include "ports/linux/handler.h"
#include "ports/linux/pin.h"
#include "ports/linux/sys.h"
#include "ports/linux/text.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>

#define CPUS_MAX 1024u

/* A look costs about as much as a fault; one in this many messages is not felt. */
#define LOOK_EVERY 64u
/* After so many looks those listen that were seen. */
#define LOOKS_A_PERIOD 16u
/* The field of /proc/PID/task/TID/stat that names the processor, counted from the one
 * after the command's name. */
#define STAT_CPU_FIELD 37u

static uint16_t cpus[CPUS_MAX]; /* that the process may use, in order */
static uint32_t nr_cpus;
static uint8_t lane_of[CPUS_MAX];

/* Bit i: lane i listens.  Sleepers wait on the word. */
static _Atomic uint32_t listening;
static _Atomic uint32_t seen, nr_looks, nr_messages;

void qr_place_init(void)
{
	uint64_t mask[CPUS_MAX / 64] = {0};

	(void)qr_sys(SYS_sched_getaffinity, 0, sizeof(mask), qr_address(mask), 0, 0, 0);
	nr_cpus = 0;
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++) {
		if ((mask[cpu / 64] >> cpu % 64 & 1) == 0)
			continue;
		lane_of[cpu] = (uint8_t)(nr_cpus % QUIRE_LANES_MAX);
		cpus[nr_cpus++] = (uint16_t)cpu;
	}
	if (nr_cpus == 0)
		nr_cpus = 1;
}

uint32_t qr_place_lanes(void)
{
	return nr_cpus < QUIRE_LANES_MAX ? nr_cpus : QUIRE_LANES_MAX;
}

uint32_t qr_place_restart(void)
{
	uint32_t cpu = 0, lane;

	(void)qr_sys(SYS_getcpu, qr_address(&cpu), 0, 0, 0, 0, 0);
	lane = lane_of[cpu % CPUS_MAX];
	atomic_store(&seen, 0);
	atomic_store(&nr_looks, 0);
	atomic_store(&nr_messages, 0);
	atomic_store(&listening, 1u << lane);
	atomic_store(&qr_ground.port.nr_running, 1);
	return lane;
}

/* The policy stays the program's: under SCHED_BATCH, which would keep a woken handler from
 * taking the processor from a thread that runs, each fault and each transfer waits out
 * the time slice of whoever else has work there. */
void qr_place_bind(uint32_t lane)
{
	uint64_t mask[CPUS_MAX / 64] = {0};

	for (uint32_t i = lane; i < nr_cpus; i += QUIRE_LANES_MAX)
		mask[cpus[i] / 64] |= UINT64_C(1) << cpus[i] % 64;
	(void)qr_sys(SYS_sched_setaffinity, 0, sizeof(mask), qr_address(mask), 0, 0, 0);
}

void qr_place_wait(uint32_t lane)
{
	const struct quire_port *port = &qr_ground.port;
	uint32_t now = atomic_load(&listening);

	while ((now & 1u << lane) == 0) {
		if (qr_pin_is_set())
			qr_pin_watch(&listening, now);
		else
			port->wait(port->ctx, &listening, now);
		now = atomic_load(&listening);
	}
}

static void set_listening(uint32_t mask)
{
	const struct quire_port *port = &qr_ground.port;

	atomic_store(&qr_ground.port.nr_running, (uint32_t)__builtin_popcount(mask));
	if (atomic_exchange(&listening, mask) != mask)
		port->notify(port->ctx, &listening, INT_MAX);
}

void qr_place_spread(void)
{
	if ((qr_ground.features & QUIRE_FEATURE_THREAD_ID) != 0)
		return;
	for (uint32_t lane = 0; lane < qr_place_lanes(); lane++)
		if (qr_handler_make(lane))
			set_listening(atomic_load(&listening) | 1u << lane);
}

/* The number in the field-th word from at on, or CPUS_MAX. */
static uint32_t number_in(const char *at, const char *end, uint32_t field)
{
	uint32_t number = 0;

	while (field > 0 && at < end)
		field -= *at++ == ' ';
	if (at >= end || *at < '0' || *at > '9')
		return CPUS_MAX;
	for (; at < end && *at >= '0' && *at <= '9' && number < CPUS_MAX; at++)
		number = number * 10 + (uint32_t)(*at - '0');
	return number;
}

static const char *after_name(const char *text, const char *end)
{
	while (end > text && end[-1] != ')')
		end--;
	return end;
}

/* The processor that a thread was last on, or CPUS_MAX. */
static uint32_t cpu_of(uint32_t tid)
{
	char path[64], stat[1024];
	struct qr_text text = {.at = path, .room = sizeof(path)};
	long fd, got;

	qr_text_add(&text, "/proc/self/task/");
	qr_text_number(&text, tid);
	qr_text_add(&text, "/stat");
	fd = qr_host_open(qr_text_end(&text), O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return CPUS_MAX;
	got = qr_host_read(fd, stat, sizeof(stat));
	(void)qr_host_close(fd);
	if (got <= 0)
		return CPUS_MAX;
	return number_in(after_name(stat, stat + got), stat + got, STAT_CPU_FIELD);
}

static void look(uint32_t tid)
{
	uint32_t cpu = cpu_of(tid), now = atomic_load(&listening), bit;

	if (cpu >= CPUS_MAX)
		return;
	bit = 1u << lane_of[cpu];
	if (!qr_handler_make(lane_of[cpu]))
		return;
	if ((now & bit) == 0)
		set_listening(now | bit);
	now = atomic_fetch_or(&seen, bit) | bit;
	if (atomic_fetch_add(&nr_looks, 1) % LOOKS_A_PERIOD == LOOKS_A_PERIOD - 1) {
		atomic_store(&seen, 0);
		set_listening(now);
	}
}

/* The handler that serves the fault keeps the thread; another stays to watch over it. */
static void pin(uint32_t lane, uint32_t tid)
{
	const struct quire_port *port = &qr_ground.port;
	uint32_t watcher = lane == 0 ? 1 : 0, cpu = 0;

	if (qr_place_lanes() < 2 || !qr_handler_make(watcher))
		return;
	(void)qr_sys(SYS_getcpu, qr_address(&cpu), 0, 0, 0, 0, 0);
	if (!qr_pin_set(tid, cpu))
		return;
	set_listening(1u << lane);
	port->notify(port->ctx, &listening, INT_MAX);
}

void qr_place_note(uint32_t lane, uint32_t tid)
{
	uint32_t nr = atomic_fetch_add_explicit(&nr_messages, 1, memory_order_relaxed);

	if (tid == 0)
		return;
	if (qr_pin_note(tid))
		pin(lane, tid);
	/* Early on often, so that each of a program's threads is found at once. */
	if (nr % LOOK_EVERY == 0 || (nr < LOOK_EVERY && nr % 8 == 0))
		look(tid);
}
