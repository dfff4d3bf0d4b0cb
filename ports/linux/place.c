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

/* A look costs about as much as a fault; one in this many messages is not felt. */
#define LOOK_EVERY 64u
/* After so many looks those listen that were seen. */
#define LOOKS_A_PERIOD 16u
/* The field of /proc/PID/task/TID/stat that names the processor, counted from the one
 * after the command's name. */
#define STAT_CPU_FIELD 37u

static uint16_t cpus[QR_CPUS_MAX]; /* that the process may use, in order */
static uint32_t nr_cpus;
static uint8_t lane_of[QR_CPUS_MAX];

/* Bit i: lane i listens.  Sleepers wait on the word. */
static _Atomic uint32_t listening;
static _Atomic uint32_t seen, nr_looks, nr_messages;
static _Atomic uint32_t daemon; /* the page-out daemon's number, or 0 */

void qr_place_init(void)
{
	uint64_t mask[QR_CPUS_MAX / 64] = {0};

	(void)qr_sys(SYS_sched_getaffinity, 0, sizeof(mask), qr_address(mask), 0, 0, 0);
	nr_cpus = 0;
	for (uint32_t cpu = 0; cpu < QR_CPUS_MAX; cpu++) {
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
	lane = lane_of[cpu % QR_CPUS_MAX];
	atomic_store(&seen, 0);
	atomic_store(&nr_looks, 0);
	atomic_store(&nr_messages, 0);
	atomic_store(&daemon, 0);
	atomic_store(&listening, 1u << lane);
	atomic_store(&qr_ground.port.nr_running, 1);
	return lane;
}

static void add_cpus(uint64_t *mask, uint32_t lane)
{
	for (uint32_t i = lane; i < nr_cpus; i += QUIRE_LANES_MAX)
		mask[cpus[i] / 64] |= UINT64_C(1) << cpus[i] % 64;
}

static void set_affinity(uint32_t tid, const uint64_t *mask)
{
	(void)qr_sys(SYS_sched_setaffinity, tid, QR_CPU_WORDS * sizeof(*mask),
		     qr_address(mask), 0, 0, 0);
}

/* The policy stays the program's: under SCHED_BATCH, which would keep a woken handler from
 * taking the processor from a thread that runs, each fault and each transfer waits out
 * the time slice of whoever else has work there. */
void qr_place_bind(uint32_t lane)
{
	uint64_t mask[QR_CPU_WORDS] = {0};

	add_cpus(mask, lane);
	set_affinity(0, mask);
}

void qr_place_wait(uint32_t lane)
{
	const struct quire_port *port = &qr_ground.port;
	uint32_t now = atomic_load(&listening);

	while ((now & 1u << lane) == 0) {
		port->wait(port->ctx, &listening, now);
		now = atomic_load(&listening);
	}
}

/* The scheduler leaves a thread on the processor where it was woken, idle ones or not. */
static void move_daemon(uint32_t mask)
{
	uint64_t free[QR_CPU_WORDS] = {0};
	uint32_t tid = atomic_load(&daemon), all = (1u << qr_place_lanes()) - 1;

	if ((mask & all) == all)
		mask = 0;
	for (uint32_t lane = 0; lane < qr_place_lanes(); lane++)
		if ((mask & 1u << lane) == 0)
			add_cpus(free, lane);
	if (tid != 0)
		set_affinity(tid, free);
}

void qr_place_listen(uint32_t mask)
{
	const struct quire_port *port = &qr_ground.port;

	atomic_store(&qr_ground.port.nr_running, (uint32_t)__builtin_popcount(mask));
	if (atomic_exchange(&listening, mask) == mask)
		return;
	port->notify(port->ctx, &listening, INT_MAX);
	move_daemon(mask);
}

void qr_place_keep_apart(uint32_t tid)
{
	atomic_store(&daemon, tid);
	move_daemon(atomic_load(&listening));
}

void qr_place_spread(void)
{
	if ((qr_ground.features & QUIRE_FEATURE_THREAD_ID) != 0)
		return;
	for (uint32_t lane = 0; lane < qr_place_lanes(); lane++)
		if (qr_handler_make(lane))
			qr_place_listen(atomic_load(&listening) | 1u << lane);
}

/* The number in the field-th word from at on, or QR_CPUS_MAX. */
static uint32_t number_in(const char *at, const char *end, uint32_t field)
{
	uint32_t number = 0;

	while (field > 0 && at < end)
		field -= *at++ == ' ';
	if (at >= end || *at < '0' || *at > '9')
		return QR_CPUS_MAX;
	for (; at < end && *at >= '0' && *at <= '9' && number < QR_CPUS_MAX; at++)
		number = number * 10 + (uint32_t)(*at - '0');
	return number;
}

static const char *after_name(const char *text, const char *end)
{
	while (end > text && end[-1] != ')')
		end--;
	return end;
}

uint32_t qr_place_cpu_of(uint32_t tid)
{
	char path[64], stat[1024];
	struct qr_text text = {.at = path, .room = sizeof(path)};
	long fd, got;

	qr_text_add(&text, "/proc/self/task/");
	qr_text_number(&text, tid);
	qr_text_add(&text, "/stat");
	fd = qr_host_open(qr_text_end(&text), O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return QR_CPUS_MAX;
	got = qr_host_read(fd, stat, sizeof(stat));
	(void)qr_host_close(fd);
	if (got <= 0)
		return QR_CPUS_MAX;
	return number_in(after_name(stat, stat + got), stat + got, STAT_CPU_FIELD);
}

uint32_t qr_place_lane_of(uint32_t cpu)
{
	return lane_of[cpu % QR_CPUS_MAX];
}

uint32_t qr_place_first_cpu(uint32_t lane)
{
	return cpus[lane];
}

bool qr_place_can_serve(uint32_t lane)
{
	return qr_handler_make(lane);
}

/* The lane where tid takes its faults; false where that cannot be said. */
static bool find_lane(uint32_t tid, uint32_t *lane)
{
	uint32_t cpu;

	if (qr_pin_lane(tid, lane))
		return true;
	cpu = qr_place_cpu_of(tid);
	if (cpu >= QR_CPUS_MAX)
		return false;
	*lane = qr_place_lane_of(cpu);
	return true;
}

static void look(uint32_t tid)
{
	uint32_t now = atomic_load(&listening), lane, bit;

	if (!find_lane(tid, &lane) || !qr_place_can_serve(lane))
		return;
	bit = 1u << lane;
	if ((now & bit) == 0)
		qr_place_listen(now | bit);
	now = atomic_fetch_or(&seen, bit) | bit;
	if (atomic_fetch_add(&nr_looks, 1) % LOOKS_A_PERIOD == LOOKS_A_PERIOD - 1) {
		atomic_store(&seen, 0);
		qr_place_listen(now);
	}
}

void qr_place_note(uint32_t tid)
{
	uint32_t nr = atomic_fetch_add_explicit(&nr_messages, 1, memory_order_relaxed);

	/* Early on often, so that each of a program's threads is found at once. */
	if (nr % LOOK_EVERY == 0 || (nr < LOOK_EVERY && nr % 8 == 0))
		look(tid);
}
