/* SPDX-License-Identifier: MIT */
/* seat.c - the seat: taken, written, left. */
#include "ports/linux/seat.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Where nobody looks on. */
static struct quire_seat private_seat;
/* The line in the making; two threads that die at once may mix theirs. */
static char line[QUIRE_SEAT_TEXT_BYTES];

static struct quire_segment *map_segment(const struct quire_settings *settings)
{
	char path[64];
	struct qr_text text = {.at = path, .room = sizeof(path)};
	struct quire_segment *segment;
	long fd, at;

	qr_text_add(&text, "/proc/");
	qr_text_number(&text, (uint64_t)settings->supervisor);
	qr_text_add(&text, "/fd/");
	qr_text_number(&text, (uint64_t)settings->segment_fd);
	fd = qr_host_open(qr_text_end(&text), O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	at = qr_host_mmap(NULL, sizeof(*segment), PROT_READ | PROT_WRITE, MAP_SHARED,
			  (int)fd, 0);
	(void)qr_host_close(fd);
	if (qr_failed(at))
		return NULL;
	segment = (struct quire_segment *)at;
	if (segment->magic == QUIRE_SEGMENT_MAGIC &&
	    segment->version == QUIRE_SEGMENT_VERSION)
		return segment;
	(void)qr_host_munmap(segment, sizeof(*segment));
	return NULL;
}

static struct quire_seat *take_seat(struct quire_segment *segment)
{
	for (uint32_t i = 0; segment != NULL && i < QUIRE_SEATS; i++) {
		uint32_t state = QUIRE_SEAT_FREE;

		if (atomic_compare_exchange_strong(&segment->seats[i].state, &state,
						   QUIRE_SEAT_LIVE))
			return &segment->seats[i];
	}
	if (segment != NULL)
		atomic_fetch_add(&segment->nr_refused, 1);
	atomic_store(&private_seat.state, QUIRE_SEAT_LIVE);
	return &private_seat;
}

static void sign(struct quire_seat *seat)
{
	const struct quire_port *port = &qr_ground.port;

	(void)qr_sys(SYS_prctl, PR_GET_NAME, qr_address(seat->name), 0, 0, 0, 0);
	seat->features = qr_ground.features;
	seat->started_ns = port->clock(port->ctx);
	seat->parent = (int)qr_sys(SYS_getppid, 0, 0, 0, 0, 0, 0);
	seat->pid = qr_host_getpid();
}

void qr_seat_attach(const struct quire_settings *settings)
{
	qr_ground.segment = map_segment(settings);
	qr_ground.seat = take_seat(qr_ground.segment);
	sign(qr_ground.seat);
}

void qr_seat_succeed(void)
{
	const struct quire_seat *old = qr_ground.seat;
	struct quire_seat *seat = take_seat(qr_ground.segment);

	seat->foreign_bytes = old->foreign_bytes;
	qr_ground.seat = seat;
	sign(seat);
}

void qr_seat_leave(const char *why)
{
	struct qr_text text = qr_seat_text();

	qr_text_add(&text, why);
	qr_seat_say(&text, QUIRE_END_REFUSED);
	if (qr_ground.segment != NULL)
		atomic_fetch_add(&qr_ground.segment->nr_refused, 1);
	atomic_store(&qr_ground.seat->state, QUIRE_SEAT_EXITED);
}

struct qr_text qr_seat_text(void)
{
	bool seen = qr_ground.seat != NULL && qr_ground.seat != &private_seat;

	return (struct qr_text){
		.at = seen ? qr_ground.seat->text : line,
		.room = QUIRE_SEAT_TEXT_BYTES - 1,
	};
}

void qr_seat_say(struct qr_text *text, enum quire_seat_end end)
{
	(void)qr_text_end(text);
	if (text->at != line) {
		atomic_store(&qr_ground.seat->end, end);
		return;
	}
	text->at[text->used] = '\n';
	(void)qr_host_write(2, "quire: ", 7);
	(void)qr_host_write(2, line, text->used + 1);
}

void qr_seat_die(struct qr_text *text, enum quire_seat_end end)
{
	qr_seat_say(text, end);
	for (;;)
		(void)qr_sys(SYS_kill, qr_host_getpid(), SIGKILL, 0, 0, 0, 0);
}
